"""The state of a curriculum: a value that only `gasp_env.curriculum.fold` makes.

Containers are dictionaries in the order of arrival. Treat a state as read-only: `fold` copies before it writes, and only
the manager, sole owner of its state, advances one in place.
"""

from dataclasses import dataclass, field, fields

from gasp_env.curriculum.index import Index
from gasp_env.curriculum.records import Accepted, Draw, Goal, GoalpostState, Lease, Running
from gasp_env.types import Question

__all__ = ("DEFAULT_CAP", "Outcome", "State")

DEFAULT_CAP = 16384
"""Questions that stay drawable (AZR's buffer); the newest are kept."""

Outcome = tuple[bool, str | None]
"""Of a settled episode: accepted, duplicate of."""


@dataclass(slots=True, kw_only=True)
class State:
    """All that a curriculum knows."""

    cap: int = DEFAULT_CAP
    goals: dict[str, Goal] = field(default_factory=dict[str, Goal])
    active: dict[str, None] = field(default_factory=dict[str, None])
    """Ids of the active goalposts."""
    questions: dict[str, Accepted] = field(default_factory=dict[str, Accepted])
    """Every question ever accepted."""
    pool: dict[str, None] = field(default_factory=dict[str, None])
    """Ids of the questions that may be drawn: the newest ``cap``."""
    fresh: dict[int, dict[str, None]] = field(default_factory=dict[int, dict[str, None]])
    """Drawable questions with an axis and no accepted lift, by depth."""
    lifted: dict[int, dict[str, None]] = field(default_factory=dict[int, dict[str, None]])
    """Drawable questions with an accepted lift, by depth."""
    lifts: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Question -> accepted lifts made from it."""
    ladders: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Goalpost -> accepted questions that descend from it, oldest first."""
    index: Index = field(default_factory=Index)
    draws: dict[str, Draw] = field(default_factory=dict[str, Draw])
    """Ticket -> what it resolved to, for good."""
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    """Ticket -> lease that runs."""
    returned: dict[str, int] = field(default_factory=dict[str, int])
    """Ticket -> number of the lease that was returned and not handed out again."""
    settled: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    """Episode -> outcome."""
    baselines: dict[str, Running] = field(default_factory=dict[str, Running])
    """Advantage group -> running reward statistics."""
    rates: dict[str, Running] = field(default_factory=dict[str, Running])
    """Stage -> running solve rate: of proposals (teacher) or of tries (student)."""
    accepted: dict[str, int] = field(default_factory=dict[str, int])
    """Stage -> questions accepted."""
    rejected: dict[str, int] = field(default_factory=dict[str, int])
    """``stage/reason`` -> proposals refused."""
    masked: dict[str, int] = field(default_factory=dict[str, int])
    """Stage -> episodes masked."""

    def copy(self) -> "State":
        """An independent state."""
        twin = State(cap=self.cap)
        for name in _DICTS:
            setattr(twin, name, getattr(self, name).copy())
        twin.fresh = {depth: ids.copy() for depth, ids in self.fresh.items()}
        twin.lifted = {depth: ids.copy() for depth, ids in self.lifted.items()}
        twin.index = self.index.copy()
        return twin

    def question(self, question_id: str) -> Question:
        """An accepted question.

        Raises:
            KeyError: it was never accepted.
        """
        return self.questions[question_id].question

    def goalposts_by_state(self) -> dict[GoalpostState, int]:
        """How many goalposts stand where."""
        counts = dict.fromkeys(GoalpostState, 0)
        for goal in self.goals.values():
            counts[goal.state] += 1
        return counts


_DICTS = tuple(f.name for f in fields(State) if f.name not in ("cap", "fresh", "lifted", "index"))
