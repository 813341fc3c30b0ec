"""Small goalposts, questions and results for tests of the curriculum and its stores."""

import math

from gasp_env.curriculum import Fingerprint
from gasp_env.types import (
    Attempt,
    Axis,
    EpisodeResult,
    Goalpost,
    InputStyle,
    Question,
    Rejection,
    RejectReason,
    Reward,
    SolveKind,
    SolveRate,
    Stage,
    TestCase,
    Ticket,
    Verdict,
)

__all__ = ("fingerprint", "goalpost", "lemma", "question", "refused", "student")


def goalpost(number: int) -> Goalpost:
    case = TestCase(input="1", output="i1;")
    return Goalpost(
        id=f"g{number}", statement=f"problem {number}", style=InputStyle.LITERAL, visible=(case,), hidden=(case,)
    )


def question(number: int, *, axis: Axis = Axis.IO, parent: Question | None = None, goal: str = "g0") -> Question:
    return Question(
        id=f"q{number}",
        program=f"def f(x):\n    return x + {number}",
        message="m",
        inputs=("1", "2", "3"),
        outputs=("2", "3", "4"),
        stage=Stage.LIFT if parent else Stage.LEMMA,
        depth=parent.depth + 1 if parent else 1,
        axis=parent.axis if parent else axis,
        goalpost_id=goal,
        parent_id=parent.id if parent else None,
    )


def fingerprint(number: int, dims: int = 64) -> Fingerprint:
    """Distinct numbers are far apart: cosine under 0.95."""
    vector = tuple(math.sin(1.0 + number * 7.31 + place * place * 0.37 * (number + 1)) for place in range(dims))
    return Fingerprint(vector=vector, code_hash=f"code{number}", behaviour_hash=f"deed{number}")


def lemma(number: int, *, seed: int | None = None, asked: Question | None = None, solved: int = 5) -> EpisodeResult:
    made = asked or question(number)
    return EpisodeResult(
        ticket=Ticket(stage=made.stage, draw_seed=number if seed is None else seed),
        stage=made.stage,
        reward=Reward(value=1.0),
        turns=(),
        goalpost_id=made.goalpost_id,
        question=made,
        accepted=True,
        solve_rate=SolveRate(solved=solved, n=10),
    )


def refused(number: int) -> EpisodeResult:
    return EpisodeResult(
        ticket=Ticket(stage=Stage.LEMMA, draw_seed=number),
        stage=Stage.LEMMA,
        reward=Reward(value=-1.0),
        turns=(),
        rejection=Rejection(reason=RejectReason.FORMAT, detail="no code"),
    )


def student(number: int, question_id: str, solved: bool | None) -> EpisodeResult:
    return EpisodeResult(
        ticket=Ticket(stage=Stage.SOLVE, draw_seed=number),
        stage=Stage.SOLVE,
        reward=Reward(value=None if solved is None else float(solved)),
        turns=(),
        question_id=question_id,
        kind=SolveKind.INDUCTION,
        attempts=(Attempt(solved=solved, well_formed=True, verdict=Verdict.OK if solved else Verdict.WRONG),),
    )
