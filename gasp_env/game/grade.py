"""Turns job outcomes into graded attempts, by comparison in the trusted process."""

from collections.abc import Sequence

from gasp_env.types import Attempt, InputStyle, JobOutcome, TestOutcome, Verdict
from gasp_env.values import CompareMode, equal

__all__ = ("MODES", "attempt", "malformed", "masked")

MODES = {
    InputStyle.LITERAL: CompareMode.EXACT,
    InputStyle.JSON: CompareMode.LCB_CALL,
    InputStyle.STDIN: CompareMode.STDOUT,
}
"""How a problem's outputs are compared, by the style of its inputs."""


def attempt(outcome: JobOutcome, expected: Sequence[str], *, mode: CompareMode) -> Attempt:
    """Grade one program on all its tests: solved only if every one is right (checklist line 17)."""
    if outcome.failed_by_us:
        return masked("sandbox")
    for index, (test, want) in enumerate(zip(outcome.tests, expected, strict=True)):
        verdict = _verdict(test, want, mode)
        if verdict is not Verdict.OK:
            return Attempt(solved=False, well_formed=True, verdict=verdict, detail=_detail(index, test))
    return Attempt(solved=True, well_formed=True, verdict=Verdict.OK)


def malformed(why: str) -> Attempt:
    """An attempt whose completion had not the asked form."""
    return Attempt(solved=False, well_formed=False, verdict=Verdict.NO_RESULT, detail=why)


def masked(why: str) -> Attempt:
    """An attempt that an infrastructure fault spoiled: counts neither for nor against."""
    return Attempt(solved=None, well_formed=True, verdict=Verdict.SANDBOX_FAILURE, detail=why)


def _verdict(test: TestOutcome, want: str, mode: CompareMode) -> Verdict:
    if test.verdict is not Verdict.OK:
        return test.verdict
    got = test.stdout if mode is CompareMode.STDOUT else test.value
    return Verdict.OK if got is not None and equal(got, want, mode=mode) else Verdict.WRONG


def _detail(index: int, test: TestOutcome) -> str:
    return f"test {index + 1}" + (f": {test.error}" if test.error else "")
