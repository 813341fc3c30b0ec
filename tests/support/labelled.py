"""Programs with known verdicts, read from the folder that GASP_ENV_DATA names; their texts are not part of this repository."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from gasp_env.tasks import Problem
from gasp_env.types import InputStyle, TestCase, Verdict
from gasp_env.values import encode

CLASSES = {
    -2: {Verdict.WRONG},
    -3: {Verdict.TIMEOUT},
    -4: {Verdict.RUNTIME_ERROR, Verdict.MEMORY, Verdict.NO_RESULT},
}
"""Our verdicts by official error code."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One program with its label."""

    id: str
    problem: Problem
    program: str
    label: str
    expected: frozenset[Verdict]
    """Verdicts that agree with the label."""


def data_folder():
    """The folder, or None."""
    named = os.environ.get("GASP_ENV_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def livecodebench(folder, *, mode="default"):
    """Programs of lcb_labelled that a test can judge; for the failing ones that test alone."""
    failing = frozenset(Verdict) - {Verdict.OK, Verdict.SKIPPED, Verdict.SANDBOX_FAILURE}
    for row in _rows(folder / "lcb_labelled" / "dev.jsonl"):
        if row["category"] in ("pass_no_test", "fail_no_test"):
            continue
        tests, expected = row["tests"], {Verdict.OK}
        if row["category"] != "pass_all":
            tests = [tests[row["failing_test_index"]]]
            expected = CLASSES.get(row["official_error_code"], failing)
        if row["category"] == "fail_grader_artifact" and mode == "default":
            expected = {Verdict.OK}
        yield Labelled(
            id=f"{row['question_id']} {row['model'].split('-2024')[0]}",
            problem=_problem(row, tests),
            program=row["code"],
            label=row["category"],
            expected=frozenset(expected),
        )


def _problem(row, tests):
    functional = row["testtype"] == "functional"
    cases = tuple(
        TestCase(input=one["input"], output=encode(json.loads(one["output"])) if functional else one["output"])
        for one in tests
    )
    return Problem(
        id=row["question_id"],
        statement="?",
        style=InputStyle.JSON if functional else InputStyle.STDIN,
        hidden=cases,
        entry=row["func_name"] or "",
        preamble=True,
    )


def reflexion(folder):
    """Programs of reflexion_labelled: HumanEval and MBPP tasks with a published verdict."""
    failing = frozenset(Verdict) - {Verdict.OK, Verdict.SKIPPED, Verdict.SANDBOX_FAILURE}
    for name in ("humaneval", "mbpp"):
        for row in _rows(folder / "reflexion_labelled" / f"{name}.dev.jsonl"):
            whole = f"def {row['entry_point']}" in row["solution"]
            program = row["prompt"] + ("\n    pass\n\n" if whole else "") + row["solution"]
            yield Labelled(
                id=row["id"],
                problem=Problem(
                    id=row["id"],
                    statement="?",
                    style=InputStyle.LITERAL,
                    entry=row["entry_point"],
                    check=f"{row['test']}\ncheck({row['entry_point']})\n",
                ),
                program=program,
                label=f"reflexion {'solved' if row['published_is_solved'] else 'unsolved'}",
                expected=frozenset({Verdict.OK} if row["published_is_solved"] else failing),
            )


def _rows(path):
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
