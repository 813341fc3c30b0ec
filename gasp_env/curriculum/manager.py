"""The curriculum manager: the only shared mutable object of a run.

The law of this module: every write is one `EventStore.update` whose decision sees what all other processes wrote before;
the manager's own state is only a cache of the fold. It is used from one thread at a time; many managers, in many
processes, share one store.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import msgspec
import numpy as np

from gasp_env.config import Config
from gasp_env.curriculum import measure
from gasp_env.curriculum.events import (
    Event,
    GoalpostsAdded,
    GoalpostStateChanged,
    Issued,
    LeaseReturned,
    Restored,
    Snapshotted,
)
from gasp_env.curriculum.fold import advance
from gasp_env.curriculum.portable import dump, load
from gasp_env.curriculum.protocol import EventStore, StoredEvent, Update
from gasp_env.curriculum.records import (
    FingerprintLike,
    GoalpostState,
    Nearest,
    Settlement,
    Vector,
)
from gasp_env.curriculum.sample import draw, rebuild
from gasp_env.curriculum.settle import settled_event
from gasp_env.curriculum.state import DEFAULT_CAP, State
from gasp_env.errors import DataError, StoreError
from gasp_env.types import EpisodeResult, Goalpost, Question, Task, Ticket

__all__ = ("Curriculum",)


class Curriculum:
    """Goalposts, accepted questions, leases and statistics of one run, over a store."""

    def __init__(
        self, store: EventStore, config: Config, clock: Callable[[], float], *, cap: int = DEFAULT_CAP
    ) -> None:
        """Read the store.

        Args:
            store: the event log.
            config: mix, rules and lease time in force.
            clock: seconds, shared by all processes of the run (``time.time``).
            cap: questions that stay drawable; the newest are kept.
        """
        self.config = config
        self._store, self._clock, self._cap = store, clock, cap
        self._state = State(cap=cap)
        self._seq = 0
        self._generation = -1
        self._snapshots: dict[int, int] = {}
        self.refresh()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    @property
    def state(self) -> State:
        """A copy of the newest state."""
        self.refresh()
        return self._state.copy()

    def refresh(self) -> None:
        """Take over what other processes wrote."""
        self._absorb(self._store.read(self._seq, self._generation))

    def add_goalposts(self, goalposts: Iterable[Goalpost], state: GoalpostState = GoalpostState.ACTIVE) -> int:
        """Add goalposts; those already known are left as they are.

        Returns:
            How many were new.

        Raises:
            DataError: an id is known with another content.
        """
        wanted = tuple(goalposts)

        def decide() -> Sequence[Event]:
            new: dict[str, Goalpost] = {}
            for goalpost in wanted:
                known = self._state.goals.get(goalpost.id)
                before = known.goalpost if known else new.get(goalpost.id)
                if before is not None and before != goalpost:
                    raise DataError(f"goalpost {goalpost.id!r}: the id is taken by another problem; rename one of them")
                if before is None:
                    new[goalpost.id] = goalpost
            return [GoalpostsAdded(goalposts=tuple(new.values()), state=state)] if new else []

        return sum(len(one.event.goalposts) for one in self._update(decide) if isinstance(one.event, GoalpostsAdded))

    def set_goalpost_state(self, goalpost_id: str, state: GoalpostState, why: str = "") -> None:
        """Move a goalpost between states.

        Raises:
            StoreError: the goalpost is unknown.
        """

        def decide() -> Sequence[Event]:
            goal = self._state.goals.get(goalpost_id)
            if goal is None:
                raise StoreError(f"goalpost {goalpost_id!r} is not in the curriculum; add it first")
            if goal.state is state:
                return []
            change = goal.changes + 1
            return [GoalpostStateChanged(goalpost_id=goalpost_id, state=state, change=change, why=why)]

        self._update(decide)

    def resolve(self, ticket: Ticket, holder: str = "") -> Task:
        """What a ticket asks for: the same task for every caller, in every process.

        The first call draws it and opens a lease. An eval ticket writes nothing.

        Raises:
            StoreError: there is no goalpost to draw, or the storage failed.
        """
        if ticket.split == "eval":
            self.refresh()
            return rebuild(self._state, draw(self._state, ticket, self.config))
        if ticket.id in self._state.draws:
            self.refresh()
        if ticket.id not in self._state.draws or ticket.id in self._state.returned:
            self._update(lambda: self._issue(ticket, holder))
        return rebuild(self._state, self._state.draws[ticket.id])

    def novelty(self, question: Question, vector: Vector, code_hash: str, behaviour_hash: str | None) -> Nearest:
        """Compare a proposal with every question accepted so far; an exact repeat has cosine 1."""
        self.refresh()
        found = self._state.index.nearest(np.asarray(vector, dtype=np.float32), code_hash, behaviour_hash)
        if question.id in self._state.questions:
            return replace(found, cosine=1.0, nearest_id=question.id)
        return found

    def settle(
        self,
        result: EpisodeResult,
        *,
        episode_id: str,
        fingerprint: FingerprintLike | None,
        policy_version: str = "",
    ) -> Settlement:
        """Record how an episode ended, once per ``episode_id``; release its lease.

        Acceptance is checked again against what was accepted since the episode's own check, so that of two concurrent
        near-duplicates one enters. An eval result writes nothing.

        Raises:
            StoreError: the storage failed; nothing was written and the call may be repeated.
        """
        if result.ticket.split == "eval":
            return Settlement(stored=False, accepted=False)

        def decide() -> Sequence[Event]:
            if episode_id in self._state.settled:
                return []
            event = settled_event(self._state, result, fingerprint, self.config.rules)
            return [msgspec.structs.replace(event, episode_id=episode_id, policy_version=policy_version)]

        stored = bool(self._update(decide))
        accepted, duplicate_of = self._state.settled[episode_id]
        return Settlement(stored=stored, accepted=accepted, duplicate_of=duplicate_of)

    def expired(self) -> tuple[Ticket, ...]:
        """Take back leases that ran out; each is returned to one caller, once.

        Returns:
            The tickets to play again; they resolve to the same task.
        """
        found: list[Ticket] = []

        def decide() -> Sequence[Event]:
            now = self._clock()
            late = [(key, lease) for key, lease in self._state.leases.items() if lease.expires_at <= now]
            found[:] = [lease.ticket for _, lease in late]
            return [LeaseReturned(ticket_id=key, lease=lease.number) for key, lease in late]

        self._update(decide)
        return tuple(found)

    def snapshot(self, step: int) -> None:
        """Mark this place of the log as the trainer's checkpoint ``step``."""
        self._update(lambda: [Snapshotted(step=step, after=self._seq)])

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Steps that `restore` can go back to, in order."""
        self.refresh()
        return tuple(sorted(self._snapshots))

    def restore(self, step: int) -> None:
        """Go back to the snapshot of ``step``; later events are rolled back, for every process.

        Raises:
            StoreError: no such snapshot.
        """

        def decide() -> Sequence[Event]:
            if step not in self._snapshots:
                known = ", ".join(map(str, sorted(self._snapshots))) or "none"
                raise StoreError(f"{self._store.url} holds no snapshot of step {step}; known steps: {known}")
            to_seq = self._snapshots[step]
            return [Restored(step=step, to_seq=to_seq, generation=self._generation + 1)]

        self._update(decide)
        self.refresh()

    def clear(self) -> None:
        """Begin again with nothing; all events so far are rolled back, for every process."""
        self._update(lambda: [Restored(step=None, to_seq=0, generation=self._generation + 1)])
        self.refresh()

    def rewind(self, when: float) -> int:
        """Go back to a time, such as that of a trainer's checkpoint; later events are rolled back, for every process.

        For trainers that tell an environment neither their step nor of checkpoints (see `restore` for the others).

        Args:
            when: Unix seconds.

        Returns:
            How many events were rolled back.

        Raises:
            StoreError: nothing was written by then.
        """
        place = self._store.place_at(when)
        if not place:
            raise StoreError(f"{self._store.url} was begun later than the time to go back to; start a new run instead")
        live = self._store.read(0, -1).read
        dropped = sum(one.seq > place and not isinstance(one.event, Restored) for one in live)
        if dropped:
            self._update(lambda: [Restored(step=None, to_seq=place, generation=self._generation + 1)])
            self.refresh()
        return dropped

    def state_dict(self) -> dict[str, Any]:
        """The whole curriculum as JSON-able data, to travel inside a trainer's checkpoint."""
        return dump(self._store.read(0, -1).read)

    def load_state_dict(self, data: Mapping[str, Any]) -> None:
        """Put a saved curriculum in the place of this one, for every process.

        Raises:
            StoreError: the data are not a saved curriculum of this version; nothing was changed.
        """
        events = load(data)
        self._update(lambda: [Restored(step=None, to_seq=0, generation=self._generation + 1), *events])
        self.refresh()

    def metrics(self) -> dict[str, float]:
        """Flat figures for a trainer's log."""
        self.refresh()
        return measure.metrics(self._state)

    def standardise(self, key: str, reward: float) -> float:
        """``(reward - mean) / std`` of the running statistics of one advantage group; 0 where they have no spread."""
        return measure.standardise(self._state, key, reward)

    def _issue(self, ticket: Ticket, holder: str) -> Sequence[Event]:
        known = self._state.draws.get(ticket.id)
        before = self._state.returned.get(ticket.id, 0)
        if known is not None and not before:
            return []
        drawn = known or draw(self._state, ticket, self.config)
        until = self._clock() + self.config.lease_s
        return [Issued(ticket=ticket, draw=drawn, expires_at=until, holder=holder, lease=before + 1)]

    def _update(self, decide: Callable[[], Sequence[Event]]) -> tuple[StoredEvent, ...]:
        """Decide on the newest state and append; returns what was written."""

        def on_newest(found: Update) -> Sequence[Event]:
            self._absorb(found)
            return decide()

        done = self._store.update(self._seq, self._generation, on_newest)
        if done.generation == self._generation:
            self._take(done.appended)
        return done.appended

    def _absorb(self, found: Update) -> None:
        if found.generation != self._generation:
            self._reset()
            self._generation = found.generation
        self._take(found.read)

    def _take(self, events: Sequence[StoredEvent]) -> None:
        for one in events:
            if one.seq <= self._seq:
                continue  # a store that retries its transaction shows events again
            advance(self._state, (one.event,))
            self._seq = one.seq
            if isinstance(one.event, Snapshotted):
                self._snapshots[one.event.step] = one.seq

    def _reset(self) -> None:
        self._state, self._seq, self._snapshots = State(cap=self._cap), 0, {}
