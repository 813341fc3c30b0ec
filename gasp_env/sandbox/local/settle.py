"""From frames and the kernel's report to outcomes: what each test of a run did, and where to go on after a death."""

import os
import signal
from dataclasses import dataclass

from gasp_env.sandbox.guest.wire import Cause, Report
from gasp_env.sandbox.local.frames import FrameError, FrameReader
from gasp_env.types import Limits, TestOutcome, Verdict

__all__ = ("SKIPPED", "Settled", "failure", "settle", "wall_limit")

SKIPPED = TestOutcome(verdict=Verdict.SKIPPED)
_NEAR_LIMIT = 0.9
"""Above this share of the memory limit, a death counts as its."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one fork did."""

    outcomes: tuple[TestOutcome, ...]
    """From the first test it was given; fewer than that if more forks are due."""
    by_us: bool = False
    """The sandbox itself failed: try on another worker."""


def wall_limit(cpu_s: float) -> float:
    """Seconds on the clock for so many of CPU time: generous, because a loaded machine must not make programs fail."""
    return 2 * cpu_s + 2


def failure(cause: str) -> TestOutcome:
    """A test that the sandbox failed to run."""
    return TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error=cause)


def settle(reader: FrameReader, report: Report, fault: FrameError | None, limits: Limits, *, stop: bool) -> Settled:
    """Judge one fork.

    Args:
        reader: what the child claimed.
        report: what the kernel says.
        fault: why reading ended early, if it did.
        limits: of the job.
        stop: skip what follows the first test that fails.
    """
    cause = Cause(report.cause)
    if cause is Cause.FAILED or not reader.setup:
        return Settled(outcomes=(failure("the child could not be set up"),) * reader.tests, by_us=True)
    if fault is not None and fault.verdict is Verdict.PROTOCOL_ERROR:
        broken = TestOutcome(verdict=Verdict.PROTOCOL_ERROR, error=fault.what)
        return Settled(outcomes=(broken,) * reader.tests)
    outcomes, missing = list(reader.outcomes), reader.tests - len(reader.outcomes)
    failed = any(test.verdict is not Verdict.OK for test in outcomes)
    if missing and not (stop and failed):
        death = _death(reader, report, fault, limits)
        hopeless = not reader.ready or fault is not None or death.verdict is Verdict.PROTOCOL_ERROR
        outcomes += [death] * (missing if hopeless and not stop else 1)
        if cause in (Cause.JOB_CPU, Cause.JOB_WALL) and not stop:
            outcomes += [SKIPPED] * (reader.tests - len(outcomes))
    if stop:
        outcomes = _stopped(outcomes, reader.tests)
    return Settled(outcomes=tuple(outcomes))


def _stopped(outcomes: list[TestOutcome], tests: int) -> list[TestOutcome]:
    first = next((at for at, test in enumerate(outcomes) if test.verdict is not Verdict.OK), tests)
    kept = outcomes[: first + 1]
    return kept + [SKIPPED] * (tests - len(kept))


def _death(reader: FrameReader, report: Report, fault: FrameError | None, limits: Limits) -> TestOutcome:
    """The first test without a report: what ended the child there."""
    cause = Cause(report.cause)
    if fault is not None:
        return TestOutcome(verdict=fault.verdict, error=fault.what)
    if cause in (Cause.CPU, Cause.WALL, Cause.JOB_CPU, Cause.JOB_WALL):
        return TestOutcome(verdict=Verdict.TIMEOUT, error=cause.name.lower())
    if reader.done:
        return TestOutcome(verdict=Verdict.PROTOCOL_ERROR, error="done before every test was reported")
    full = report.max_rss_mb >= _NEAR_LIMIT * limits.memory_mb
    code = os.waitstatus_to_exitcode(report.status)
    if code < 0:
        return _signalled(-code, report, limits, full=full)
    if full:
        return TestOutcome(verdict=Verdict.MEMORY, error=f"exit {code}")
    return TestOutcome(verdict=Verdict.NO_RESULT, error=f"exit {code}")


def _signalled(number: int, report: Report, limits: Limits, *, full: bool) -> TestOutcome:
    name = signal.Signals(number).name if number in signal.valid_signals() else str(number)
    verdict = Verdict.RUNTIME_ERROR
    if number == signal.SIGSYS:
        verdict = Verdict.FORBIDDEN
    elif number == signal.SIGXFSZ:
        verdict = Verdict.OUTPUT_LIMIT
    elif number in (signal.SIGXCPU, signal.SIGKILL) and report.cpu_s >= limits.job_cpu_s:
        verdict = Verdict.TIMEOUT
    elif full or number == signal.SIGKILL:
        verdict = Verdict.MEMORY
    return TestOutcome(verdict=verdict, error=name)
