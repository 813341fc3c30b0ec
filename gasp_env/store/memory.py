"""The store in memory: for tests and short runs of one process."""

import threading
import time
from dataclasses import dataclass, field

from gasp_env.curriculum import Decide, Restored, StoredEvent, Update

__all__ = ("MemoryStore",)


@dataclass(slots=True)
class _Log:
    lock: threading.RLock = field(default_factory=threading.RLock)
    live: list[StoredEvent] = field(default_factory=list[StoredEvent])
    dead: list[StoredEvent] = field(default_factory=list[StoredEvent])
    keys: set[str] = field(default_factory=set[str])
    written_at: dict[int, float] = field(default_factory=dict[int, float])
    last: int = 0
    generation: int = 0


_named: dict[str, _Log] = {}
_named_lock = threading.Lock()


class MemoryStore:
    """A log in this process; stores of one name share it, one without a name is private."""

    def __init__(self, name: str = "") -> None:
        """Open the log called ``name``."""
        self.url = f"memory://{name}"
        with _named_lock:
            self._log = _named.setdefault(name, _Log()) if name else _Log()

    def read(self, after: int, generation: int) -> Update:
        """See `EventStore.read`."""
        log = self._log
        with log.lock:
            start = after if generation == log.generation else 0
            return Update(generation=log.generation, read=_after(log.live, start))

    def update(self, after: int, generation: int, decide: Decide) -> Update:
        """See `EventStore.update`."""
        log = self._log
        with log.lock:
            found = self.read(after, generation)
            appended: list[StoredEvent] = []
            for event in decide(found):
                if isinstance(event, Restored):
                    _roll_back(log, event)
                if event.key not in log.keys:
                    log.last += 1
                    log.keys.add(event.key)
                    log.written_at[log.last] = time.time()
                    appended.append(StoredEvent(seq=log.last, event=event))
                    log.live.append(appended[-1])
            return Update(generation=log.generation, read=found.read, appended=tuple(appended))

    def place_at(self, when: float) -> int:
        """See `EventStore.place_at`."""
        log = self._log
        with log.lock:
            return max((one.seq for one in log.live if log.written_at[one.seq] <= when), default=0)

    def close(self) -> None:
        """Nothing to free."""


def _after(events: list[StoredEvent], seq: int) -> tuple[StoredEvent, ...]:
    """The tail after ``seq``, walking from the end: callers are nearly up to date."""
    start = len(events)
    while start and events[start - 1].seq > seq:
        start -= 1
    return tuple(events[start:])


def _roll_back(log: _Log, event: Restored) -> None:
    log.dead += _after(log.live, event.to_seq)
    log.live[:] = [one for one in log.live if one.seq <= event.to_seq]
    log.keys = {one.event.key for one in log.live}
    log.generation = event.generation
