"""Jobs to JSON and outcomes back. What comes back is from a machine that ran hostile programs, so it is checked in full."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from gasp_env.sandbox.local.claims import ClaimChecker, ClaimError
from gasp_env.sandbox.local.frames import safe_text
from gasp_env.types import InputStyle, Job, JobOutcome, Limits, TestOutcome, Verdict

__all__ = ("WireError", "dump_jobs", "dump_outcome", "load_jobs", "load_outcomes")

_NUMBERS = ("cpu_s", "wall_s", "max_rss_mb")


class WireError(Exception):
    """The far end answered with something else than outcomes; the message says what."""


def dump_jobs(jobs: Sequence[Job]) -> str:
    """Jobs as JSON."""
    return json.dumps([asdict(job) for job in jobs])


def load_jobs(text: str) -> list[Job]:
    """Jobs from `dump_jobs`; read at the far end, of a text that is trusted."""
    return [
        Job(
            **(
                one
                | {
                    "inputs": tuple(one["inputs"]),
                    "style": InputStyle(one["style"]),
                    "limits": Limits(**one["limits"]),
                }
            )
        )
        for one in json.loads(text)
    ]


def dump_outcome(place: int, outcome: JobOutcome) -> str:
    """One outcome as a line of ASCII."""
    return json.dumps({"place": place} | asdict(outcome))


def load_outcomes(text: str, jobs: Sequence[Job]) -> list[JobOutcome]:
    """Outcomes from lines of `dump_outcome`, aligned with ``jobs``.

    Raises:
        WireError: one is missing, twice there, or not what its job can have.
    """
    found: dict[int, JobOutcome] = {}
    for line in text.splitlines():
        facts = _object(line)
        place = facts.get("place")
        if type(place) is not int or not 0 <= place < len(jobs) or place in found:
            raise WireError("an outcome of no job")
        found[place] = _outcome(facts, jobs[place])
    if len(found) != len(jobs):
        raise WireError(f"{len(found)} outcomes for {len(jobs)} jobs")
    return [found[place] for place in range(len(jobs))]


def _object(line: str) -> dict[str, Any]:
    try:
        facts: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError("a line that is not JSON") from None
    if not isinstance(facts, dict):
        raise WireError("a line that is not an object")
    return cast("dict[str, Any]", facts)


def _outcome(facts: dict[str, Any], job: Job) -> JobOutcome:
    tests = cast("list[Any]", facts.get("tests"))
    if type(tests) is not list or len(tests) != len(job.inputs):
        raise WireError("tests that are not the job's")
    checker = ClaimChecker()
    numbers = {name: _number(facts.get(name)) for name in _NUMBERS}
    return JobOutcome(
        tests=tuple(_test(one, job, checker) for one in tests),
        level=safe_text(facts.get("level"), 8),
        python=safe_text(facts.get("python"), 40),
        **numbers,
    )


def _number(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= cast("float", value) < 1e9:
        raise WireError("a measure that is none")
    return float(cast("float", value))


def _test(facts: object, job: Job, checker: ClaimChecker) -> TestOutcome:
    if not isinstance(facts, dict):
        raise WireError("a test that is not an object")
    named = cast("dict[str, Any]", facts)
    if named.get("verdict") not in list(Verdict) or named["verdict"] == Verdict.WRONG:
        raise WireError("a verdict that the far end can't give")
    line = named.get("line")
    return TestOutcome(
        verdict=Verdict(named["verdict"]),
        value=_value(named.get("value"), job, checker),
        stdout=_stdout(named.get("stdout"), job),
        error=safe_text(named.get("error"), 80),
        message=safe_text(named.get("message"), 200),
        line=line if type(line) is int and 0 < line < 1 << 31 else None,
    )


def _value(text: object, job: Job, checker: ClaimChecker) -> str | None:
    if text is None:
        return None
    if type(text) is not str or job.style is InputStyle.STDIN or len(text) > job.limits.output_bytes:
        raise WireError("a value where none can be")
    try:
        checker.check(text)
    except ClaimError as error:
        raise WireError(f"a value is not canonical: {error}") from None
    return text


def _stdout(text: object, job: Job) -> str | None:
    if text is None:
        return None
    if type(text) is not str or job.style is not InputStyle.STDIN or len(text) > job.limits.output_bytes:
        raise WireError("standard output where none can be")
    return text.encode("utf-8", "replace").decode("utf-8")
