"""The chain of checks on a proposal, in the paper's order (section 1.4); the first refusal wins.

    format > safety > executes > deterministic > (well-posed) > similarity > solve-rate band

Every function returns a `Rejection` or what the next one needs. The band is checked by `gasp_env.game.teacher`, after
the probes; similarity is checked here, before any rollout is spent.
"""

from dataclasses import dataclass
from hashlib import sha256

from gasp_env.config import Rules
from gasp_env.game.moves import Move, execute, novelty
from gasp_env.game.parse import ParseError, Proposal, proposal
from gasp_env.types import (
    Axis,
    FreeTask,
    Job,
    JobOutcome,
    LemmaTask,
    LiftTask,
    Limits,
    Question,
    Rejection,
    RejectReason,
    SolveKind,
    Stage,
    Verdict,
)
from gasp_env.values import contains_nan

__all__ = (
    "IDENTITY",
    "Fault",
    "TeacherTask",
    "job",
    "parse_proposal",
    "question_id",
    "run_proposal",
    "similarity",
    "well_posed",
)

IDENTITY = "def f(*args):\n    return args[0] if len(args) == 1 else args"
"""Reads a literal inside the sandbox: what it returns is the value."""
LEAK_RUN = 30
"""A message that holds this many characters of the program in a row leaks it."""

TeacherTask = LemmaTask | LiftTask | FreeTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The infrastructure failed: the episode is masked."""

    why: str


def question_id(program: str, message: str, inputs: tuple[str, ...]) -> str:
    """Content hash of a question."""
    return sha256("\0".join((program, message, *inputs)).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def job(program: str, inputs: tuple[str, ...], rules: Rules, *, hash_seed: int = 0, stop_early: bool = True) -> Job:
    """A call job under the rules' limits."""
    limits = Limits(cpu_s=rules.cpu_s, job_cpu_s=rules.cpu_s * 2, memory_mb=rules.memory_mb)
    return Job(program=program, inputs=inputs, limits=limits, hash_seed=hash_seed, stop_early=stop_early)


def parse_proposal(text: str, task: TeacherTask, rules: Rules) -> Proposal | Rejection:
    """Format: cut the completion into program, inputs and message."""
    free_kind = task.kind if isinstance(task, FreeTask) else SolveKind.INDUCTION
    induction = free_kind is SolveKind.INDUCTION
    given = task.references[0].program if isinstance(task, FreeTask) and induction else None
    parsed = proposal(text, inputs=rules.inputs if induction else 1, given_program=given, needs_message=induction)
    if isinstance(parsed, ParseError):
        return Rejection(reason=RejectReason.FORMAT, detail=parsed.why)
    return parsed


def run_proposal(proposed: Proposal, task: TeacherTask, rules: Rules) -> Move[Question | Rejection | Fault]:
    """Safety, execution and determinism: two fresh processes with different hash seeds, the second in reverse order.

    The reversed order catches state kept between calls (checklist line 12).
    """
    forth = job(proposed.program, proposed.inputs, rules)
    back = job(proposed.program, proposed.inputs[::-1], rules, hash_seed=1)
    first, second = yield from execute(forth, back)
    if first.failed_by_us or second.failed_by_us:
        return Fault(why="sandbox")
    refused = _ran(first, rules) or _ran(second, rules)
    if refused is not None:
        return refused
    outputs = tuple(test.value or "" for test in first.tests)
    if outputs != tuple(test.value or "" for test in reversed(second.tests)):
        return Rejection(reason=RejectReason.NONDETERMINISTIC, detail="outputs differ between two processes")
    return _question(proposed, outputs, task)


def well_posed(question: Question, rules: Rules) -> Move[Rejection | Fault | None]:
    """Extension (``reject_trivial``): a constant, an echo or a look-up of visible pairs must not solve the question."""
    if not rules.reject_trivial or question.kind not in (None, SolveKind.INDUCTION):
        return None
    plain = _plainly_trivial(question, rules)
    if plain:
        return _ill_posed(plain)
    (echo,) = yield from execute(job(IDENTITY, question.inputs, rules))
    if echo.failed_by_us:
        return Fault(why="sandbox")
    if tuple(test.value for test in echo.tests) == question.outputs:
        return _ill_posed("echo: every output is its input")
    return None


def similarity(question: Question, rules: Rules) -> Move[Rejection | None]:
    """Refuse near-duplicates of anything accepted, before any rollout is spent."""
    found = yield from novelty(question)
    if found.cosine >= rules.similarity_threshold:
        return Rejection(reason=RejectReason.SIMILARITY, detail=f"cosine: {found.cosine:.3f} to {found.nearest_id}")
    if rules.reject_same_code and found.same_code_id is not None:
        return Rejection(reason=RejectReason.SIMILARITY, detail=f"same code: {found.same_code_id}")
    if rules.reject_same_behaviour and found.same_behaviour_id is not None:
        return Rejection(reason=RejectReason.SIMILARITY, detail=f"same behaviour: {found.same_behaviour_id}")
    return None


def _ran(outcome: JobOutcome, rules: Rules) -> Rejection | None:
    for test in outcome.tests:
        if test.verdict is Verdict.FORBIDDEN:
            return Rejection(reason=RejectReason.SAFETY, detail=f"forbidden: {test.error}")
        if test.verdict is not Verdict.OK:
            return Rejection(reason=RejectReason.EXECUTION, detail=f"{test.verdict}: {test.error}".rstrip(": "))
        value = test.value or ""
        if contains_nan(value):
            return Rejection(reason=RejectReason.EXECUTION, detail="nan: an output holds NaN, which equals nothing")
        if len(value) > rules.max_value_chars:
            return Rejection(reason=RejectReason.EXECUTION, detail=f"long output: {len(value)} characters")
    return None


def _question(proposed: Proposal, outputs: tuple[str, ...], task: TeacherTask) -> Question:
    stage, depth, axis, goalpost_id, parent_id, kind = _lineage(task)
    return Question(
        id=question_id(proposed.program, proposed.message, proposed.inputs),
        program=proposed.program,
        message=proposed.message,
        inputs=proposed.inputs,
        outputs=outputs,
        stage=stage,
        depth=depth,
        axis=axis,
        goalpost_id=goalpost_id,
        parent_id=parent_id,
        kind=kind,
    )


def _lineage(task: TeacherTask) -> tuple[Stage, int, Axis | None, str | None, str | None, SolveKind | None]:
    match task:
        case LemmaTask():
            return Stage.LEMMA, 1, task.axis, task.goalpost.id, None, None
        case LiftTask():
            return Stage.LIFT, task.parent.depth + 1, task.axis, task.parent.goalpost_id, task.parent.id, None
        case FreeTask():
            return Stage.FREE, 0, None, None, None, task.kind


def _ill_posed(detail: str) -> Rejection:
    return Rejection(reason=RejectReason.ILL_POSED, detail=detail)


def _plainly_trivial(question: Question, rules: Rules) -> str:
    if len(set(question.outputs)) == 1:
        return "constant: every output is the same"
    if set(question.inputs[rules.visible :]) <= set(question.inputs[: rules.visible]):
        return "lookup: every hidden input is visible"
    return "leak: the message quotes the program" if _leaks(question) else ""


def _leaks(question: Question) -> bool:
    program, message = " ".join(question.program.split()), " ".join(question.message.split())
    return any(program[at : at + LEAK_RUN] in message for at in range(max(1, len(program) - LEAK_RUN + 1)))
