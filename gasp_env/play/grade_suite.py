"""Grades programs on a problem's own tests: programs in the sandbox, comparison here, expected outputs never leave.

    async with await open_local() as sandbox:
        grader = Grader(sandbox, GradeSettings())
        graded = await grader.grade(problem, ["print(input()[::-1])"])

The default is what an ordinary interpreter does: real standard input, exit joins threads, a fresh object a call. A failure
after the first test of a process is confirmed in a process of its own, so nothing that an earlier test left behind fails a
program. ``mode="lcb"`` keeps the semantics of LiveCodeBench's official grader, quirks and all, for published numbers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gasp_env.errors import ConfigError
from gasp_env.game.grade import MODES
from gasp_env.play.grade_check import CheckGrader, CheckRun
from gasp_env.play.suite_guest import after, call_program, lcb_call, lcb_stdin, with_preamble
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.tasks import Problem
from gasp_env.types import InputStyle, Job, JobOutcome, Limits, TestCase, TestOutcome, Verdict
from gasp_env.values import CompareMode, equal

__all__ = ("GradeMode", "GradeSettings", "Graded", "Grader", "assembled", "same_output")

_CHUNKS = (4, 12, 48)
"""Tests of the first processes when grading stops at the first failure; wrong programs mostly fail early."""
_SPARE_BYTES = 4 << 20
_PART_BYTES = 64 << 20
"""Most bytes of tests that go to one process."""
_CONFIRMED = frozenset({Verdict.WRONG, Verdict.RUNTIME_ERROR, Verdict.MEMORY, Verdict.NO_RESULT, Verdict.UNENCODABLE})


class GradeMode(StrEnum):
    """Whose semantics."""

    DEFAULT = "default"
    """An ordinary interpreter."""
    LCB = "lcb"
    """LiveCodeBench's official grader, commit 28fef95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeSettings:
    """How programs are judged."""

    mode: GradeMode = GradeMode.DEFAULT
    float_tol: float = 0.0
    """Absolute and relative tolerance of numbers; 0 compares exactly, as LiveCodeBench does."""
    run_all: bool = False
    """Run every test; False stops at the first failure."""
    cpu_s: float = 6.0
    """CPU seconds a test (official: 6 s of wall time)."""
    memory_mb: int = 4096
    """Memory a program (the official grader names 4 GB and sets no limit)."""

    def __post_init__(self) -> None:
        """Refuse limits that nothing can meet; a mode given as text is looked up.

        Raises:
            ConfigError: names the field.
        """
        if self.mode not in tuple(GradeMode):
            raise ConfigError(f"mode: unknown {self.mode!r}; choose one of {', '.join(GradeMode)}")
        object.__setattr__(self, "mode", GradeMode(self.mode))
        if not self.cpu_s > 0:
            raise ConfigError(f"cpu_s: is {self.cpu_s}, must be above 0 seconds")
        if not self.float_tol >= 0:
            raise ConfigError(f"float_tol: is {self.float_tol}, must be at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What became of one program."""

    solved: bool | None
    """None: an infrastructure fault; counts neither for nor against."""
    verdicts: tuple[Verdict, ...]
    """A test each, `Verdict.SKIPPED` after the first failure unless every test is run."""
    error: str = ""
    """Type of the first failure's exception, or its cause."""
    joined: bool = False
    """Judged in the program's own process: weaker, see `gasp_env.play.grade_check`."""

    @property
    def failed(self) -> int | None:
        """Place of the first test that failed."""
        bad = (at for at, one in enumerate(self.verdicts) if one not in (Verdict.OK, Verdict.SKIPPED))
        return next(bad, None)

    @property
    def verdict(self) -> Verdict:
        """Of the first test that failed, else OK."""
        return Verdict.OK if self.failed is None else self.verdicts[self.failed]


@dataclass(slots=True, kw_only=True)
class _Run:
    """One program on its way through the tests."""

    program: str
    entry: str
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    error: str = ""
    open: bool = True
    """More tests are to be run."""


class Grader:
    """Grades programs; safe for many tasks of one event loop."""

    def __init__(self, sandbox: Sandbox, settings: GradeSettings | None = None) -> None:
        """Hold the sandbox; it is the caller's to close."""
        self._sandbox, self.settings = sandbox, settings or GradeSettings()
        self._checks = CheckGrader(sandbox)

    async def grade(self, problem: Problem, programs: Sequence[str]) -> list[Graded]:
        """Grade programs, side by side; equal ones run once.

        Args:
            problem: with tests or a check.
            programs: whole programs, or completions of the problem's prompt (HumanEval).

        Returns:
            One a program, in order.

        Raises:
            ConfigError: the problem has nothing to grade with.
        """
        if not problem.tests and not problem.check:
            raise ConfigError(f"problem {problem.id!r}: has no tests; nothing can be graded")
        different = list(dict.fromkeys(programs))
        if problem.check:
            wholes = [assembled(problem, one) for one in different]
            judged = [_of_check(one) for one in await self._checks.grade(problem, wholes, self._limits(problem))]
        else:
            judged = await self._on_tests(problem, different)
        found = dict(zip(different, judged, strict=True))
        return [found[one] for one in programs]

    async def _on_tests(self, problem: Problem, programs: Sequence[str]) -> list[Graded]:
        runs = [self._prepared(problem, program) for program in programs]
        for part in self._parts(problem.tests):
            at_work = [run for run in runs if run.open]
            if not at_work:
                break
            await self._advance(problem, at_work, part)
        return [_settled(run, len(problem.tests), run_all=self.settings.run_all) for run in runs]

    def _parts(self, tests: Sequence[TestCase]) -> Iterator[slice]:
        """Runs of tests for one process each: few first where the first failure ends it, and none too large to send."""
        sizes = iter(() if self.settings.run_all or self.settings.mode is GradeMode.LCB else _CHUNKS)
        start, most, held = 0, next(sizes, len(tests)), 0
        for at, test in enumerate(tests):
            size = len(test.input) + len(test.output)
            if at > start and (at - start >= most or held + size > _PART_BYTES):
                yield slice(start, at)
                start, most, held = at, next(sizes, len(tests)), 0
            held += size
        yield slice(start, len(tests))

    async def _advance(self, problem: Problem, runs: Sequence[_Run], part: slice) -> None:
        tests = problem.tests[part]
        if not tests:
            return
        outcomes = await self._sandbox.run([self._job(problem, run, tests) for run in runs])
        for run, outcome in zip(runs, outcomes, strict=True):
            self._take(problem, run, tests, outcome)
            await self._confirm(problem, run, part.start, tests)
            if not self.settings.run_all and any(one is not Verdict.OK for one in run.verdicts):
                run.open = False
            if outcome.failed_by_us:
                run.open = False

    def _take(self, problem: Problem, run: _Run, tests: Sequence[TestCase], outcome: JobOutcome) -> None:
        for test, result in zip(tests, outcome.tests, strict=True):
            verdict = self._verdict(problem, test, result)
            run.verdicts.append(verdict)
            if verdict not in (Verdict.OK, Verdict.SKIPPED) and not run.error:
                run.error = result.error or verdict.value

    async def _confirm(self, problem: Problem, run: _Run, start: int, tests: Sequence[TestCase]) -> None:
        """Run what failed after another test once more, in a process of its own."""
        if self.settings.mode is GradeMode.LCB:
            return
        doubted = [
            at
            for at in range(1, len(tests))
            if at + start < len(run.verdicts) and run.verdicts[at + start] in _CONFIRMED
        ]
        for at in doubted if self.settings.run_all else doubted[:1]:
            (outcome,) = await self._sandbox.run([self._job(problem, run, tests[at : at + 1])])
            run.verdicts[at + start] = self._verdict(problem, tests[at], outcome.tests[0])
            if run.verdicts[at + start] is Verdict.OK and not self.settings.run_all:
                del run.verdicts[at + start + 1 :]
                await self._rest(problem, run, tests[at + 1 :])

    async def _rest(self, problem: Problem, run: _Run, tests: Sequence[TestCase]) -> None:
        """The tests after one that an earlier test had spoiled: each in a process of its own."""
        run.error = ""
        for test in tests:
            if run.verdicts[-1] is not Verdict.OK:
                run.verdicts.append(Verdict.SKIPPED)
                continue
            (outcome,) = await self._sandbox.run([self._job(problem, run, (test,))])
            self._take(problem, run, (test,), outcome)

    def _verdict(self, problem: Problem, test: TestCase, result: TestOutcome) -> Verdict:
        if result.error == "LcbTimeout":
            return Verdict.TIMEOUT
        if result.verdict is not Verdict.OK:
            return result.verdict
        mode = MODES[problem.style]
        got = result.stdout if mode is CompareMode.STDOUT else result.value
        return (
            Verdict.OK
            if got is not None and same_output(got, test.output, mode, self.settings.float_tol)
            else Verdict.WRONG
        )

    def _prepared(self, problem: Problem, program: str) -> _Run:
        lcb = self.settings.mode is GradeMode.LCB
        if problem.style is InputStyle.STDIN:
            return _Run(program=lcb_stdin(program) if lcb else assembled(problem, program), entry="f")
        body, entry = (
            lcb_call(program, problem.entry) if lcb else call_program(assembled(problem, program), problem.entry)
        )
        return _Run(program=body, entry=entry)

    def _job(self, problem: Problem, run: _Run, tests: Sequence[TestCase]) -> Job:
        longest = max(len(test.output) for test in tests)
        limits = self._limits(problem)
        limits = replace(
            limits,
            job_cpu_s=limits.cpu_s * len(tests) + 5,
            output_bytes=max(_SPARE_BYTES, 4 * longest, sum(len(test.output) for test in tests) // 4),
        )
        return Job(
            program=run.program,
            inputs=tuple(test.input for test in tests),
            style=problem.style,
            entry=run.entry,
            limits=limits,
            stop_early=not self.settings.run_all,
        )

    def _limits(self, problem: Problem) -> Limits:
        """The data set's own time limit where it is longer."""
        cpu_s = max(self.settings.cpu_s, problem.time_s or 0.0)
        return Limits(cpu_s=cpu_s, job_cpu_s=cpu_s * 10, memory_mb=self.settings.memory_mb)


def assembled(problem: Problem, program: str) -> str:
    """The whole program: a completion is joined to its prompt, and the data set's preamble put before."""
    if problem.prompt_code and problem.source == "humaneval":
        whole = f"def {problem.entry}" in program
        return after(f"{problem.prompt_code}\n    pass\n", program) if whole else problem.prompt_code + program
    return with_preamble(program) if problem.preamble else program


def same_output(got: str, want: str, mode: CompareMode, tolerance: float) -> bool:
    """Compare as `gasp_env.values.equal` does; numbers within the tolerance count too."""
    if equal(got, want, mode=mode):
        return True
    if not tolerance:
        return False
    if mode is not CompareMode.STDOUT:
        return equal(got, want, mode=CompareMode.CLOSE, rel=tolerance, abs_=tolerance)
    mine, other = (text.strip().split("\n") for text in (got, want))
    return len(mine) == len(other) and all(_close(a, b, tolerance) for a, b in zip(mine, other, strict=True))


def _close(got: str, want: str, tolerance: float) -> bool:
    mine, other = got.split(), want.split()
    return len(mine) == len(other) and all(_near(a, b, tolerance) for a, b in zip(mine, other, strict=True))


def _near(got: str, want: str, tolerance: float) -> bool:
    try:
        return got == want or math.isclose(float(got), float(want), rel_tol=tolerance, abs_tol=tolerance)
    except ValueError:
        return False


def _settled(run: _Run, tests: int, *, run_all: bool) -> Graded:
    verdicts = run.verdicts
    first = next((at for at, one in enumerate(verdicts) if one is not Verdict.OK), tests)
    shown = tuple(verdicts if run_all else verdicts[: first + 1])
    solved: bool | None = len(verdicts) == tests and first == tests
    if Verdict.SANDBOX_FAILURE in verdicts:
        solved = None
    return Graded(solved=solved, verdicts=shown + (Verdict.SKIPPED,) * (tests - len(shown)), error=run.error)


def _of_check(run: CheckRun) -> Graded:
    return Graded(solved=run.solved, verdicts=run.verdicts, error=run.error, joined=run.joined)
