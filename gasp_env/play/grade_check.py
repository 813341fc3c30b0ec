"""Grades programs against assertions (HumanEval, MBPP) without letting them see or touch the assertions.

Three steps, each a sandboxed process of its own: the data set's reference runs under the check and every call is written
down; the judged program answers those calls; the check runs again on the answers, next to no judged code. A program
that patches ``==``, exits early or reads its surroundings gains nothing. Where the arguments are no plain data (two MBPP
problems pass objects, some references return what is no plain data) the check runs in the program's own process, and
the result says so (``joined``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gasp_env.play.suite_guest import JUDGE, PREAMBLE, SPY, joined_program, replay_program
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.tasks import Problem
from gasp_env.types import Job, JobOutcome, Limits, TestOutcome, Verdict
from gasp_env.values import decode, display

__all__ = ("CheckGrader", "CheckRun")

_OUTPUT_BYTES = 16 << 20
_SETUP_S = 30.0
_JOINED_VERDICTS = {"AssertionError": Verdict.WRONG}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """What became of one program."""

    solved: bool | None
    verdicts: tuple[Verdict, ...]
    """A call each, or one for the whole check."""
    error: str = ""
    joined: bool = False


class CheckGrader:
    """Knows the calls of each check that it has seen."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Hold the sandbox."""
        self._sandbox = sandbox
        self._known: dict[tuple[str, str], tuple[str, ...] | None] = {}

    async def grade(self, problem: Problem, programs: Sequence[str], limits: Limits) -> list[CheckRun]:
        """Grade whole programs on ``problem.check``."""
        calls = await self._calls(problem)
        if not calls:
            return await self._joined(problem, programs, limits)
        jobs = [_answer_job(problem, program, calls, limits) for program in programs]
        answered = await self._sandbox.run(jobs)
        judged = await self._sandbox.run([_judge_job(problem, outcome) for outcome in answered])
        return [_settled(one, verdict, len(calls)) for one, verdict in zip(answered, judged, strict=True)]

    async def _calls(self, problem: Problem) -> tuple[str, ...] | None:
        """Arguments of each call as Python text, None where they are no plain data or the reference fails on replay."""
        key = (problem.id, problem.check)
        if key not in self._known:
            found = await self._recorded(problem) if problem.reference else None
            holds = False if found is None else await self._holds(problem, found)
            if holds is None:
                return None  # a fault of ours: look again next time
            self._known[key] = found if holds else None
        return self._known[key]

    async def _recorded(self, problem: Problem) -> tuple[str, ...] | None:
        arguments = tuple(repr(one) for one in (problem.reference, problem.entry, problem.check, _stars(problem)))
        job = Job(program=SPY, inputs=(", ".join(arguments),), entry="__gasp_spy", limits=_setup_limits())
        (outcome,) = await self._sandbox.run([job])
        value = outcome.tests[0].value
        if outcome.tests[0].verdict is not Verdict.OK or value is None:
            return None
        return tuple(cast("list[str]", decode(value)))

    async def _holds(self, problem: Problem, calls: tuple[str, ...]) -> bool | None:
        (answered,) = await self._sandbox.run([_answer_job(problem, problem.reference or "", calls, _setup_limits())])
        (judged,) = await self._sandbox.run([_judge_job(problem, answered)])
        return _settled(answered, judged, len(calls)).solved

    async def _joined(self, problem: Problem, programs: Sequence[str], limits: Limits) -> list[CheckRun]:
        jobs: list[Job] = []
        for program in programs:
            body, entry = joined_program(_stars(problem) + program, problem.check)
            jobs.append(Job(program=body, inputs=("",), entry=entry, limits=limits))
        return [_of_joined(outcome.tests[0]) for outcome in await self._sandbox.run(jobs)]


def _setup_limits() -> Limits:
    return Limits(cpu_s=_SETUP_S, job_cpu_s=2 * _SETUP_S, output_bytes=_OUTPUT_BYTES)


def _stars(problem: Problem) -> str:
    return PREAMBLE if problem.preamble else ""


def _answer_job(problem: Problem, program: str, calls: tuple[str, ...], limits: Limits) -> Job:
    body, entry = replay_program(_stars(problem) + program if problem.preamble else program, problem.entry)
    room = replace(limits, job_cpu_s=max(limits.job_cpu_s, limits.cpu_s * 4), output_bytes=_OUTPUT_BYTES)
    return Job(program=body, inputs=tuple(repr(one) for one in calls), entry=entry, limits=room)


def _judge_job(problem: Problem, answered: JobOutcome) -> Job:
    told = f"[{', '.join(_answer(test) for test in answered.tests)}]"
    texts = (problem.reference, problem.entry, problem.check, _stars(problem), told)
    inputs = (", ".join(repr(one) for one in texts),)
    return Job(program=JUDGE, inputs=inputs, entry="__gasp_judge", limits=_setup_limits())


def _answer(test: TestOutcome) -> str:
    if test.verdict is Verdict.OK and test.value is not None:
        return f"('value', {display(test.value)})"
    return repr(("error", test.error or test.verdict.value))


def _settled(answered: JobOutcome, judged: JobOutcome, calls: int) -> CheckRun:
    said = judged.tests[0]
    if answered.failed_by_us or judged.failed_by_us:
        return CheckRun(solved=None, verdicts=(Verdict.SANDBOX_FAILURE,) * calls, error="sandbox")
    if said.verdict is not Verdict.OK or said.value is None:
        return CheckRun(solved=False, verdicts=(Verdict.WRONG,) * calls, error=said.error)
    place, error = cast("list[Any]", decode(said.value))
    if not error:
        return CheckRun(solved=True, verdicts=(Verdict.OK,) * calls)
    at = max(0, min(int(place), calls) - 1)
    own = answered.tests[at]
    verdict = Verdict.WRONG if own.verdict is Verdict.OK else own.verdict
    verdicts = (*((Verdict.OK,) * at), verdict, *((Verdict.SKIPPED,) * (calls - at - 1)))
    return CheckRun(solved=False, verdicts=verdicts, error=own.error or str(error))


def _of_joined(test: TestOutcome) -> CheckRun:
    verdict = _JOINED_VERDICTS.get(test.error, test.verdict)
    if verdict is Verdict.SANDBOX_FAILURE:
        return CheckRun(solved=None, verdicts=(verdict,), error=test.error, joined=True)
    return CheckRun(solved=verdict is Verdict.OK, verdicts=(verdict,), error=test.error, joined=True)
