"""The small frozen records that events and state are made of."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gasp_env.errors import StoreError
from gasp_env.types import Axis, Goalpost, Question, SolveKind, Stage, Ticket

__all__ = (
    "Accepted",
    "Draw",
    "Fingerprint",
    "FingerprintLike",
    "Goal",
    "GoalpostState",
    "Lease",
    "Nearest",
    "Running",
    "Settlement",
    "Vector",
    "pack",
    "unpack",
)

Vector = NDArray[np.float32]


class GoalpostState(StrEnum):
    """Where a goalpost stands; only active ones are drawn."""

    ACTIVE = "active"
    STALLED = "stalled"
    REACHED = "reached"
    RETIRED = "retired"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What a ticket resolved to, by reference."""

    stage: Stage
    """What is played; differs from the ticket's where it had to fall back."""
    goalpost_id: str | None = None
    axis: Axis | None = None
    question_id: str | None = None
    """Parent of a lift, or the question to solve."""
    kind: SolveKind | None = None
    index: int = 0
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A ticket that is being played."""

    ticket: Ticket
    number: int
    expires_at: float
    holder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goalpost with its state."""

    goalpost: Goalpost
    state: GoalpostState
    changes: int = 0
    solved: int = 0
    tries: int = 0
    """Training attempts at the goalpost itself (real-data RL)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted question with its measured difficulty."""

    question: Question
    solved: int
    tries: int
    """Probes and every later student attempt."""
    policy_version: str = ""
    """Of the policy whose proposal it was."""


@dataclass(frozen=True, slots=True)
class Running:
    """Running mean and spread (Welford)."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    """Sum of squared deviations from the mean."""

    def add(self, value: float) -> "Running":
        """With one more value."""
        count = self.count + 1
        delta = value - self.mean
        mean = self.mean + delta / count
        return Running(count, mean, self.m2 + delta * (value - mean))

    @property
    def std(self) -> float:
        """Population standard deviation; 0 for fewer than two values."""
        return (self.m2 / self.count) ** 0.5 if self.count > 1 else 0.0


class FingerprintLike(Protocol):
    """What the novelty layers compare; any object of this shape."""

    @property
    def vector(self) -> "Sequence[float] | Vector":
        """Embedding of message and program."""
        ...

    @property
    def code_hash(self) -> str:
        """Hash of the alpha-renamed program."""
        ...

    @property
    def behaviour_hash(self) -> str | None:
        """Hash of the outputs on shared probes, if they were run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The fingerprint of a question."""

    vector: tuple[float, ...]
    code_hash: str
    behaviour_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The nearest accepted question by each novelty layer."""

    cosine: float
    """Highest cosine similarity, -1 where nothing was accepted yet."""
    nearest_id: str | None = None
    same_code_id: str | None = None
    same_behaviour_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What settling an episode did."""

    stored: bool
    """False: the episode was settled before, or belongs to the eval split."""
    accepted: bool
    duplicate_of: str | None = None
    """The question accepted first, where a near-duplicate lost the race."""


def pack(vector: "Sequence[float] | Vector") -> str:
    """Base64 of a vector as little-endian float32; empty for an empty vector."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def unpack(text: str) -> Vector:
    """Read a packed vector.

    Raises:
        StoreError: the text is no packed vector.
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise StoreError(f"an embedding in the store can't be read ({error}); the store is damaged") from error
