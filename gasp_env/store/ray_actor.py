"""The curriculum's log inside a Ray cluster: a named detached actor hosts it, every worker reaches it by its address.

    ray://gasp                       the log in the actor's memory; ends with the cluster
    ray://gasp/shared/run.db         the actor keeps it in that SQLite file, on its own node

The law of this module: what an event says is decided by the caller on what it has seen; the actor appends only if nothing
newer was written meanwhile, and otherwise shows it and lets the caller decide again.
"""

import time
from collections.abc import Sequence
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import Decide, Event, EventStore, Update
from gasp_env.errors import StoreError
from gasp_env.store.memory import MemoryStore
from gasp_env.store.sql import SqlStore

__all__ = ("NAMESPACE", "Host", "RayStore")

NAMESPACE = "gasp"
"""Ray namespace of the actors."""
_WAIT_S = 60.0
"""An answer takes a millisecond; this long means that the actor is gone."""
_MOST_TRIES = 1000
_RESTART_TRIES, _RESTART_PAUSE_S = 60, 0.5


class Host:
    """Runs inside the actor: one log, one caller at a time."""

    def __init__(self, file: str) -> None:
        """Open the log; empty ``file`` keeps it in memory."""
        self._store: EventStore = SqlStore(f"sqlite:///{file}") if file else MemoryStore()

    def read(self, after: int, generation: int) -> Update:
        """See `EventStore.read`."""
        return self._store.read(after, generation)

    def place_at(self, when: float) -> int:
        """See `EventStore.place_at`."""
        return self._store.place_at(when)

    def append(self, after: int, generation: int, seen: tuple[int, int], events: Sequence[Event]) -> Update | None:
        """Append what was decided on the state ``seen``; None if something newer is there."""
        stale = False

        def decide(found: Update) -> Sequence[Event]:
            nonlocal stale
            stale = _mark(found, after) != seen
            return () if stale else events

        done = self._store.update(after, generation, decide)
        return None if stale else done


class RayStore:
    """A handle of the actor; as many as you like, in any process of the cluster."""

    def __init__(self, url: str) -> None:
        """Find the actor, or start it.

        Raises:
            StoreError: the address names no actor, or no Ray cluster can be reached.
            MissingExtra: Ray is not installed, or another version.
        """
        self.url = url
        name, slash, file = url.removeprefix("ray://").partition("/")
        if not name:
            raise StoreError(f"{url!r} names no actor; use ray://NAME or ray://NAME/path/run.db")
        require_version("ray", at_least="2.55", below="3", extra="ray")
        self._ray: Any = require("ray", extra="ray")
        try:
            if not self._ray.is_initialized():
                self._ray.init(address="auto", log_to_driver=False)
            options = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
            host: Any = self._ray.remote(Host).options(num_cpus=0, max_restarts=-1 if file else 0, **options)
            self._actor: Any = host.remote(f"{slash}{file}" if file else "")
            self._ask(self._actor.read, 0, -1)
        except (ConnectionError, self._ray.exceptions.RayError) as error:
            raise StoreError(
                f"{url}: no Ray cluster, or its actor can't start ({error}); run: ray start --head"
            ) from error

    def read(self, after: int, generation: int) -> Update:
        """See `EventStore.read`."""
        found: Update = self._ask(self._actor.read, after, generation)
        return found

    def update(self, after: int, generation: int, decide: Decide) -> Update:
        """See `EventStore.update`; decides again as often as others were quicker."""
        for _ in range(_MOST_TRIES):
            found = self.read(after, generation)
            events = tuple(decide(found))
            done: Update | None = self._ask(self._actor.append, after, generation, _mark(found, after), events)
            if done is not None:
                return done
        raise StoreError(
            f"{self.url}: others wrote first {_MOST_TRIES} times in a row; use fewer writers or PostgreSQL"
        )

    def place_at(self, when: float) -> int:
        """See `EventStore.place_at`."""
        found: int = self._ask(self._actor.place_at, when)
        return found

    def close(self) -> None:
        """The actor lives on for the others; ``ray.kill`` ends it."""

    def _ask(self, method: Any, *args: Any) -> Any:  # noqa: ANN401
        errors: Any = self._ray.exceptions
        for left in reversed(range(_RESTART_TRIES)):
            try:
                return self._ray.get(method.remote(*args), timeout=_WAIT_S)
            except errors.RayTaskError as error:
                raise StoreError(f"{self.url}: {error.cause}") from error
            except errors.RayError as error:
                # It is being restarted. Asking again is safe: what was written is seen, and keys are unique.
                if left and isinstance(error, errors.ActorUnavailableError):
                    time.sleep(_RESTART_PAUSE_S)
                    continue
                raise StoreError(f"{self.url}: the actor does not answer ({error})") from error
        raise StoreError(f"{self.url}: the actor does not come back")


def _mark(found: Update, after: int) -> tuple[int, int]:
    """Names the state that an update was decided on: generation and last event."""
    return found.generation, found.read[-1].seq if found.read else after
