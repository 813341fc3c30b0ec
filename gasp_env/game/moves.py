"""What an episode may ask for, and what it gets back.

An episode is a generator: it yields a `Request` and is sent the matching `Reply`. A driver (`gasp_env.play`) answers;
the rules never touch a model, a sandbox or a clock. The functions below are the only place where replies are narrowed.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from gasp_env.types import EpisodeResult, Job, JobOutcome, Message, Question, Role

__all__ = (
    "CheckNovelty",
    "Episode",
    "Execute",
    "Executed",
    "Generate",
    "Generated",
    "Move",
    "Novelty",
    "Reply",
    "Request",
    "execute",
    "generate",
    "novelty",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Sample ``n`` completions of one prompt; ``train`` marks the ones that a trainer learns from."""

    messages: tuple[Message, ...]
    n: int
    role: Role
    train: bool
    seed: int
    """For policies that can sample reproducibly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """``n`` texts, None where the infrastructure failed."""

    texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Run jobs in the sandbox."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """Outcomes, aligned with the jobs."""

    outcomes: tuple[JobOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNovelty:
    """Compare a proposal with every accepted question."""

    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """The nearest accepted question by each of the three layers."""

    cosine: float
    """Highest cosine similarity, -1 where nothing was accepted yet."""
    nearest_id: str | None = None
    same_code_id: str | None = None
    """An accepted question with the same canonical (alpha-renamed) program."""
    same_behaviour_id: str | None = None
    """An accepted question with the same outputs on the shared probes."""


Request = Generate | Execute | CheckNovelty
Reply = Generated | Executed | Novelty
R = TypeVar("R")
Move = Generator[Request, Reply, R]
Episode = Generator[Request, Reply, EpisodeResult]


def generate(request: Generate) -> Move[Generated]:
    """Ask the policy."""
    reply = yield request
    if not isinstance(reply, Generated) or len(reply.texts) != request.n:
        raise TypeError(f"a driver answered {request!r} with {reply!r}")
    return reply


def execute(*jobs: Job) -> Move[tuple[JobOutcome, ...]]:
    """Run jobs in the sandbox; no job, no request."""
    if not jobs:
        return ()
    reply = yield Execute(jobs=jobs)
    if not isinstance(reply, Executed) or len(reply.outcomes) != len(jobs):
        raise TypeError(f"a driver answered {len(jobs)} jobs with {reply!r}")
    return reply.outcomes


def novelty(question: Question) -> Move[Novelty]:
    """Compare with what was accepted so far."""
    reply = yield CheckNovelty(question=question)
    if not isinstance(reply, Novelty):
        raise TypeError(f"a driver answered a novelty check with {reply!r}")
    return reply
