"""The evidence of a mining run: one line for each batch of answers; the state is a fold of it. Pure but for the types.

An item is solved for good at its first right answer. Masked answers (infrastructure faults) count neither way.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ("Evidence", "Tally", "fold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One batch of answers to one item."""

    id: str
    checkpoint: str
    """``ROUND:NAME``."""
    first: int
    """Number of the batch's first answer."""
    asked: int
    n: int
    """Answers that were graded."""
    solved: int
    verdicts: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Tally:
    """What is known of one item."""

    asked: dict[str, int] = field(default_factory=dict[str, int])
    """By checkpoint: answers asked for, masked ones too."""
    n: dict[str, int] = field(default_factory=dict[str, int])
    """By checkpoint: graded answers."""
    solved_by: str | None = None
    """Checkpoint of the first right answer."""

    def add(self, one: Evidence) -> None:
        """Take one batch."""
        self.asked[one.checkpoint] = max(self.asked.get(one.checkpoint, 0), one.first + one.asked)
        self.n[one.checkpoint] = self.n.get(one.checkpoint, 0) + one.n
        if one.solved and self.solved_by is None:
            self.solved_by = one.checkpoint


def fold(rows: Iterable[Evidence]) -> dict[str, Tally]:
    """State of every item that was ever asked about."""
    found: dict[str, Tally] = {}
    for one in rows:
        found.setdefault(one.id, Tally()).add(one)
    return found
