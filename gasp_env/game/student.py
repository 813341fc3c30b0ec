"""Student episodes: induction, deduction, abduction and real problems; also the probes that measure a question.

Expected outputs stay in this process; the sandbox sees programs and inputs only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gasp_env.config import Rules
from gasp_env.game.grade import MODES, attempt, malformed, masked
from gasp_env.game.moves import Episode, Generate, Move, execute, generate
from gasp_env.game.parse import ParseError, answer, program
from gasp_env.game.prompts import follow_up, real_prompt, solve_prompt
from gasp_env.game.validate import IDENTITY, job
from gasp_env.rewards import solver_reward
from gasp_env.types import (
    Attempt,
    EpisodeResult,
    InputStyle,
    Job,
    Limits,
    Message,
    RealTask,
    Reward,
    Role,
    SolveKind,
    SolveTask,
    Stage,
    TestCase,
    Ticket,
    Turn,
    Verdict,
)
from gasp_env.values import CompareMode, display

__all__ = ("Grading", "grade_answers", "grading", "real_kind", "student_episode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """How an answer to one task is turned into a job, and what must come back."""

    job: Job
    expected: tuple[str, ...]
    mode: CompareMode


def real_kind(task: RealTask) -> SolveKind:
    """Kind of a real problem."""
    return SolveKind.STDIN if task.problem.style is InputStyle.STDIN else SolveKind.FUNCTIONAL


def grading(text: str, task: SolveTask | RealTask, rules: Rules, *, visible: bool = False) -> Grading | ParseError:
    """Read an answer and say how it is judged: on the hidden tests, or on the visible ones."""
    if isinstance(task, RealTask):
        return _real(text, task, rules, visible=visible)
    question, pair = task.question, slice(task.index, task.index + 1)
    if task.kind is SolveKind.DEDUCTION:
        return _literal(text, "output", IDENTITY, question.outputs[pair], rules)
    if task.kind is SolveKind.ABDUCTION:
        return _literal(text, "input", question.program, question.outputs[pair], rules)
    code = program(text)
    if isinstance(code, ParseError):
        return code
    part = slice(None, rules.visible) if visible else slice(rules.visible, None)
    return Grading(job=job(code, question.inputs[part], rules), expected=question.outputs[part], mode=CompareMode.EXACT)


def grade_answers(texts: Sequence[str | None], task: SolveTask | RealTask, rules: Rules) -> Move[tuple[Attempt, ...]]:
    """Grade answers to one task; equal programs run once."""
    judged = [None if text is None else grading(text, task, rules) for text in texts]
    jobs = list(dict.fromkeys(one.job for one in judged if isinstance(one, Grading)))
    outcomes = dict(zip(jobs, (yield from execute(*jobs)), strict=True))
    return tuple(
        masked("policy")
        if one is None
        else malformed(one.why)
        if isinstance(one, ParseError)
        else attempt(outcomes[one.job], one.expected, mode=one.mode)
        for one in judged
    )


def student_episode(ticket: Ticket, task: SolveTask | RealTask, rules: Rules, *, seed: int) -> Episode:
    """Answer one task, with ``rules.student_turns`` tries; the last one counts."""
    talk = solve_prompt(task, rules) if isinstance(task, SolveTask) else real_prompt(task, rules)
    turns: list[Turn] = []
    attempts: list[Attempt] = []
    while True:
        request = Generate(messages=talk, n=1, role=Role.STUDENT, train=True, seed=seed + len(turns))
        texts = (yield from generate(request)).texts
        turns.append(Turn(role=Role.STUDENT, messages=talk, completions=texts, train=True))
        problem = ""
        if texts[0] is not None and len(turns) < rules.student_turns:
            problem = yield from _visible_problem(texts[0], task, rules)
        if not problem:
            attempts.extend((yield from grade_answers(texts, task, rules)))
            return _result(ticket, task, rules, turns, attempts)
        attempts.append(Attempt(solved=False, well_formed=True, verdict=Verdict.WRONG, detail=problem))
        reply = Message(role="assistant", content=texts[0] or "")
        talk = (*talk, reply, *follow_up("retry", problem, rules))


def _visible_problem(text: str, task: SolveTask | RealTask, rules: Rules) -> Move[str]:
    """What the student is told about its first failing visible test; empty if none fails or none can be told."""
    judged = grading(text, task, rules, visible=True)
    if isinstance(judged, ParseError):
        return judged.why
    if isinstance(task, SolveTask) and task.kind is not SolveKind.INDUCTION:
        return ""  # the only pair is the hidden one
    (outcome,) = yield from execute(judged.job)
    for args, want, test in zip(judged.job.inputs, judged.expected, outcome.tests, strict=True):
        graded = attempt(replace(outcome, tests=(test,)), (want,), mode=judged.mode)
        if graded.solved is False:
            got = test.stdout if judged.mode is CompareMode.STDOUT else test.value and display(test.value)
            shown = want if judged.mode is CompareMode.STDOUT else display(want)
            return f"on input {args} it should give {shown}, but " + (f"gives {got}" if got else str(graded.verdict))
    return ""


def _literal(text: str, tag: str, runner: str, expected: tuple[str, ...], rules: Rules) -> Grading | ParseError:
    literal = answer(text, tag)
    if isinstance(literal, ParseError):
        return literal
    one_line = " ".join(literal.splitlines())
    return Grading(job=job(runner, (one_line,), rules), expected=expected, mode=CompareMode.EXACT)


def _real(text: str, task: RealTask, rules: Rules, *, visible: bool) -> Grading | ParseError:
    code = program(text)
    if isinstance(code, ParseError):
        return code
    problem = task.problem
    tests: tuple[TestCase, ...] = problem.visible if visible else problem.tests
    limits = Limits(cpu_s=rules.cpu_s, job_cpu_s=rules.cpu_s * 10, memory_mb=rules.memory_mb)
    inputs = tuple(test.input for test in tests)
    run = Job(program=code, inputs=inputs, style=problem.style, entry=problem.entry, limits=limits, stop_early=True)
    return Grading(job=run, expected=tuple(test.output for test in tests), mode=MODES[problem.style])


def _result(
    ticket: Ticket, task: SolveTask | RealTask, rules: Rules, turns: list[Turn], attempts: list[Attempt]
) -> EpisodeResult:
    last, real = attempts[-1], isinstance(task, RealTask)
    reward = Reward(value=None) if last.solved is None else solver_reward(last, rules)
    return EpisodeResult(
        ticket=ticket,
        stage=Stage.REAL if real else Stage.SOLVE,
        reward=reward,
        turns=tuple(turns),
        goalpost_id=task.problem.id if isinstance(task, RealTask) else task.question.goalpost_id,
        question_id=None if isinstance(task, RealTask) else task.question.id,
        kind=real_kind(task) if isinstance(task, RealTask) else task.kind,
        attempts=tuple(attempts),
        masked=last.detail if last.solved is None else "",
    )
