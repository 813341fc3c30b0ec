"""Every error that gasp-env raises on purpose, in one tree.

    GaspError
    +-- ConfigError           (ValueError)    the user's configuration: field, value, fix
    +-- DataError             (ValueError)    the user's data file: file, row, field
    +-- StoreError            (RuntimeError)  the curriculum's storage
    |   +-- StoreVersionError                 written by another version of gasp-env
    +-- SandboxUnavailable    (RuntimeError)  the asked isolation level can't be had here
    +-- PolicyError           (RuntimeError)  the model endpoint is down, slow or returns garbage
    +-- ReplayMismatch        (RuntimeError)  a recorded run and the replay differ
    +-- MissingExtra          (ImportError)   an optional package is not installed

What a *model* does wrong is never an exception: it is a rejection or a verdict, data on the record. What the
*infrastructure* does wrong inside an episode is a verdict too (`Verdict.SANDBOX_FAILURE`), retried, then masked.
"""

__all__ = (
    "ConfigError",
    "DataError",
    "GaspError",
    "MissingExtra",
    "PolicyError",
    "ReplayMismatch",
    "SandboxUnavailable",
    "StoreError",
    "StoreVersionError",
)


class GaspError(Exception):
    """Base of every error that gasp-env raises on purpose."""


class ConfigError(GaspError, ValueError):
    """A setting is unknown or out of range; the message names the field, the value and the fix."""


class DataError(GaspError, ValueError):
    """A data file can't be read as what it should be; the message names file, row and field."""


class StoreError(GaspError, RuntimeError):
    """The curriculum's storage failed or was used against its contract."""


class StoreVersionError(StoreError):
    """The storage was written by an incompatible version of gasp-env."""


class SandboxUnavailable(GaspError, RuntimeError):  # noqa: N818 - the name users will search for
    """The asked isolation level can't be had on this machine; the message says why and what to do."""


class PolicyError(GaspError, RuntimeError):
    """A policy could not be asked: endpoint down, too slow, or an answer that is no completion."""


class ReplayMismatch(GaspError, RuntimeError):  # noqa: N818
    """A replayed run asked for something that the recording does not hold at that place."""


class MissingExtra(GaspError, ImportError):  # noqa: N818
    """An optional package is needed; the message holds the install line."""
