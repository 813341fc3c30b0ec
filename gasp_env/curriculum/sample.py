"""Draws: what the i-th ticket of a run is, and what a ticket resolves to.

The law of this module: pure functions of their arguments. Every draw comes from a generator seeded by a hash of the
ticket, never from global randomness, so that a group, another process or a resumed run draws the same.
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from gasp_env.config import Config
from gasp_env.curriculum.records import Draw
from gasp_env.curriculum.state import State
from gasp_env.errors import ConfigError, StoreError
from gasp_env.types import (
    Axis,
    FreeTask,
    Goalpost,
    LemmaTask,
    LiftTask,
    Question,
    RealTask,
    SolveKind,
    SolveTask,
    Stage,
    Task,
    Ticket,
)

__all__ = ("KINDS", "SEED_QUESTION", "deal", "draw", "rebuild")

T = TypeVar("T")

KINDS = (SolveKind.INDUCTION, SolveKind.DEDUCTION, SolveKind.ABDUCTION)
"""The three ways to put a question (paper section 1.3)."""

SEED_QUESTION = Question(
    id="seed:identity",
    program="def f(x):\n    return x",
    message="Return the argument as it is.",
    inputs=("'Hello World'",),
    outputs=('s"Hello World"',),
    stage=Stage.FREE,
    depth=0,
)
"""The identity function, from which the unguided buffer starts (AZR); shown as a reference, never solved."""


def deal(config: Config, index: int) -> Ticket:
    """The ``index``-th ticket of the run's schedule.

    Raises:
        ConfigError: no stage of the mix has a weight.
    """
    mix = config.mix
    weights = {
        Stage.LEMMA: mix.lemma,
        Stage.LIFT: mix.lift,
        Stage.FREE: mix.free,
        Stage.SOLVE: mix.solve,
        Stage.REAL: mix.real,
    }
    if min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise ConfigError(f"mix: weights must be at least 0 and one above it, got {mix}")
    rng = _rng(f"deal:{config.seed}:{index}")
    stage = rng.choices(tuple(weights), tuple(weights.values()))[0]
    return Ticket(stage=stage, draw_seed=rng.getrandbits(63))


def draw(state: State, ticket: Ticket, config: Config) -> Draw:
    """Resolve a ticket by reference.

    Falls back to a teacher stage where the asked one has nothing to work on yet.

    Raises:
        StoreError: no goalpost to draw, or the pinned one is unknown.
    """
    rng = _rng(f"draw:{ticket.draw_seed}")
    return _DRAWS[ticket.stage](state, ticket, config, rng)


def rebuild(state: State, drawn: Draw) -> Task:
    """The task that a draw refers to."""
    match drawn.stage:
        case Stage.LEMMA:
            return LemmaTask(goalpost=_goalpost(state, drawn.goalpost_id), axis=_need(drawn.axis))
        case Stage.REAL:
            return RealTask(problem=_goalpost(state, drawn.goalpost_id))
        case Stage.LIFT:
            return LiftTask(parent=_question(state, drawn.question_id), axis=_need(drawn.axis))
        case Stage.SOLVE:
            question = _question(state, drawn.question_id)
            return SolveTask(question=question, kind=_need(drawn.kind), index=drawn.index)
        case Stage.FREE:
            references = tuple(_question(state, reference) for reference in drawn.references)
            return FreeTask(kind=_need(drawn.kind), references=references)


def _lemma(state: State, ticket: Ticket, _config: Config, rng: random.Random) -> Draw:
    goalpost_id = _pick_goalpost(state, ticket, rng)
    return Draw(stage=Stage.LEMMA, goalpost_id=goalpost_id, axis=rng.choice(tuple(Axis)))


def _real(state: State, ticket: Ticket, _config: Config, rng: random.Random) -> Draw:
    return Draw(stage=Stage.REAL, goalpost_id=_pick_goalpost(state, ticket, rng))


def _lift(state: State, ticket: Ticket, config: Config, rng: random.Random) -> Draw:
    parents = _liftable(state, ticket.goalpost_id, config.rules.max_depth)
    if not parents:
        return _teach(state, ticket, config, rng)
    parent = state.question(rng.choice(parents))
    return Draw(stage=Stage.LIFT, goalpost_id=parent.goalpost_id, axis=parent.axis, question_id=parent.id)


def _free(state: State, _ticket: Ticket, config: Config, rng: random.Random) -> Draw:
    kind = rng.choice(KINDS)
    buffer = (SEED_QUESTION.id, *state.pool)
    wanted = 1 if kind is SolveKind.INDUCTION else config.references
    return Draw(stage=Stage.FREE, kind=kind, references=tuple(rng.sample(buffer, min(wanted, len(buffer)))))


def _solve(state: State, ticket: Ticket, config: Config, rng: random.Random) -> Draw:
    known = tuple(state.pool) if ticket.goalpost_id is None else _ladder(state, ticket.goalpost_id)
    if not known:
        return _teach(state, ticket, config, rng)
    question = state.question(rng.choice(known))
    kind = rng.choice(KINDS)
    return Draw(
        stage=Stage.SOLVE,
        goalpost_id=question.goalpost_id,
        question_id=question.id,
        kind=question.kind or kind,
        index=rng.randrange(max(1, len(question.inputs))),
    )


def _teach(state: State, ticket: Ticket, config: Config, rng: random.Random) -> Draw:
    """Fall back to the teacher: unguided only where the mix has no lemma."""
    unguided = config.mix.lemma <= 0 < config.mix.free
    return (_free if unguided else _lemma)(state, ticket, config, rng)


_DRAWS: Mapping[Stage, Callable[[State, Ticket, Config, random.Random], Draw]] = {
    Stage.LEMMA: _lemma,
    Stage.LIFT: _lift,
    Stage.FREE: _free,
    Stage.SOLVE: _solve,
    Stage.REAL: _real,
}


def _pick_goalpost(state: State, ticket: Ticket, rng: random.Random) -> str:
    if ticket.goalpost_id is not None:
        return _goalpost(state, ticket.goalpost_id).id
    if not state.active:
        raise StoreError(
            f"ticket {ticket.id} needs a goalpost and none is active; add goalposts to the curriculum first"
        )
    return rng.choice(tuple(state.active))


def _liftable(state: State, goalpost_id: str | None, max_depth: int) -> Sequence[str]:
    """Parents of equal rank: without an accepted lift before with one, low rungs before high."""
    for rungs in (state.fresh, state.lifted):
        for depth in sorted(depth for depth in rungs if depth < max_depth):
            found = tuple(rungs[depth])
            if goalpost_id is not None:
                found = tuple(one for one in found if state.question(one).goalpost_id == goalpost_id)
            if found:
                return found
    return ()


def _ladder(state: State, goalpost_id: str) -> tuple[str, ...]:
    return tuple(one for one in state.ladders.get(goalpost_id, ()) if one in state.pool)


def _goalpost(state: State, goalpost_id: str | None) -> Goalpost:
    goal = state.goals.get(goalpost_id or "")
    if goal is None:
        raise StoreError(f"goalpost {goalpost_id!r} is not in the curriculum; add it first")
    return goal.goalpost


def _question(state: State, question_id: str | None) -> Question:
    if question_id == SEED_QUESTION.id:
        return SEED_QUESTION
    known = state.questions.get(question_id or "")
    if known is None:
        raise StoreError(f"question {question_id!r} is not in the curriculum; the store is damaged")
    return known.question


def _need(value: T | None) -> T:
    if value is None:
        raise StoreError("a stored draw lacks its axis or kind; the store is damaged")
    return value


def _rng(text: str) -> random.Random:
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))  # noqa: S311
