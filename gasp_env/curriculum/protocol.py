"""What the curriculum needs of a store: an append-only log with exclusive transactions.

`gasp_env.store` implements it; any object of this shape works and can be checked with `gasp_env.store.selfcheck`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gasp_env.curriculum.events import Event

__all__ = ("Decide", "EventStore", "StoredEvent", "Update")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event at its place in the log."""

    seq: int
    """Rises along the log; may skip."""
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a read or an update found."""

    generation: int
    """Rises with every restore."""
    read: tuple[StoredEvent, ...]
    """Live events after the asked place; all of them where the asked generation is over."""
    appended: tuple[StoredEvent, ...] = ()
    """What this call wrote, less events whose key was there."""


Decide = Callable[[Update], Sequence[Event]]
"""What to append, given what others wrote meanwhile; pure, since it may be called again."""


class EventStore(Protocol):
    """An append-only event log, shared by processes."""

    @property
    def url(self) -> str:
        """Where it is, without a password; for messages."""
        ...

    def read(self, after: int, generation: int) -> Update:
        """Live events after ``after``, or all of them if ``generation`` is not the current one.

        Raises:
            StoreError: the storage can't be read.
        """
        ...

    def update(self, after: int, generation: int, decide: Decide) -> Update:
        """Read, decide and append in one exclusive transaction.

        Events whose key is live already are left out. A `Restored` event first takes every event after its
        ``to_seq`` out of the live log (nothing is deleted) and begins its generation.

        Raises:
            StoreError: the storage can't be read or written; then nothing was written.
        """
        ...

    def place_at(self, when: float) -> int:
        """Place of the last live event that was written at or before ``when`` (Unix seconds); 0 before the first.

        Raises:
            StoreError: the storage can't be read.
        """
        ...

    def close(self) -> None:
        """Free connections; twice is once."""
        ...
