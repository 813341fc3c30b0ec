"""LiveCodeBench rows: the raw ``test*.jsonl``, its Parquet mirrors, and dumps that hold statement tests only.

All cells of a row are text; the private tests are decoded by `gasp_env.tasks.cells`. A problem is functional where its
metadata name a function, as in the official grader.
"""

from typing import Any, cast

from gasp_env.tasks.cells import CellError, decode_cell
from gasp_env.tasks.errata import INTERACTIVE, is_erratum
from gasp_env.tasks.problem import Flag, Problem
from gasp_env.tasks.rows import Row
from gasp_env.tasks.testcells import cases
from gasp_env.types import InputStyle, TestCase

__all__ = ("livecodebench",)


def livecodebench(row: Row) -> Problem:
    """Read one row.

    Raises:
        DataError: names file, row and field.
    """
    name, title = row.text("question_id"), row.text("question_title", "")
    entry = _entry(row)
    visible, hidden = _tests(row, "public_test_cases", entry), _tests(row, "private_test_cases", entry)
    starter = row.text("starter_code", "")
    if entry and not starter.strip():
        raise row.fail("starter_code", f"is empty, though the tests call {entry}; expected the signature")
    if "statement_tests" in row.values:
        visible += _tests(row, "statement_tests", entry)
    return Problem(
        id=name,
        title=title,
        statement=row.filled("question_content"),
        style=InputStyle.JSON if entry else InputStyle.STDIN,
        visible=visible,
        hidden=hidden,
        entry=entry,
        starter_code=starter,
        platform=row.text("platform", ""),
        date=row.date("contest_date"),
        difficulty=row.text("difficulty", "") or None,
        source="livecodebench",
        flags=_flags(name, title, listed=row.values.get("errata") is True),
        preamble=True,
    )


def _flags(name: str, title: str, *, listed: bool) -> tuple[Flag, ...]:
    known = (Flag.ERRATA,) if listed or is_erratum(name, title) else ()
    return (*known, Flag.INTERACTIVE) if name in INTERACTIVE else known


def _entry(row: Row) -> str:
    """Name of the function; where the metadata are left out, the starter code tells."""
    if row.has("metadata"):
        metadata = row.json("metadata")
        if not isinstance(metadata, dict):
            raise row.fail("metadata", f"expected a JSON object, got {type(metadata).__name__}")
        return str(cast("dict[str, Any]", metadata).get("func_name") or "")
    if row.has("public_test_cases"):
        raise row.fail("metadata", "missing; it says whether a function is tested")
    return _last_function(row.text("starter_code", ""))


def _last_function(starter: str) -> str:
    lines = [line.strip() for line in starter.splitlines() if line.strip().startswith("def ")]
    return lines[-1].removeprefix("def ").partition("(")[0].strip() if lines else ""


def _tests(row: Row, field: str, entry: str) -> tuple[TestCase, ...]:
    if field not in row.values and "statement_tests" in row.values:
        return ()
    value = row.values.get(field)
    if isinstance(value, str):
        try:
            value = decode_cell(value)
        except CellError as error:
            raise row.fail(field, f"holds no tests: {error}") from None
    if value is None:
        raise row.fail(field, "missing; expected a list of {input, output, testtype}")
    return cases(row, field, value, style=InputStyle.JSON if entry else InputStyle.STDIN)
