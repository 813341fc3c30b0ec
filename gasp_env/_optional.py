"""The one place where an optional package is imported, with the install line on absence."""

import importlib
import re
from importlib import metadata
from types import ModuleType

from gasp_env.errors import MissingExtra

__all__ = ("require", "require_version")


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module`` or say which extra brings it.

    Raises:
        MissingExtra: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise
        message = f"{module!r} is not installed; run: pip install 'gasp-env[{extra}]'"
        raise MissingExtra(message) from error


def require_version(package: str, *, at_least: str, below: str, extra: str) -> str:
    """Check that an installed package is one that this adapter was tested with; returns its version.

    Raises:
        MissingExtra: it is absent, older than ``at_least``, or not older than ``below``.
    """
    fix = f"run: pip install 'gasp-env[{extra}]'"
    try:
        found = metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(f"{package!r} is not installed; {fix}") from error
    if not _numbers(at_least) <= _numbers(found) < _numbers(below):
        raise MissingExtra(f"{package} {found} is installed; gasp-env works with {at_least} up to below {below}; {fix}")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:3])
