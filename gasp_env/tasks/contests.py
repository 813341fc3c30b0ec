"""Contest data sets: APPS and TACO, CodeContests, DeepCoder and its relatives, SandboxFusion's samples.

Rows that need a checker, talk with a judge or are for another language are refused with a word.
"""

import ast
from typing import Any, cast

from gasp_env.tasks.cells import CellError, decode_cell
from gasp_env.tasks.problem import Problem, Refusal, Refused
from gasp_env.tasks.rows import Row, plain
from gasp_env.tasks.testcells import call_case, cases, columns
from gasp_env.types import InputStyle, TestCase

__all__ = ("apps", "codecontests", "deepcoder", "sandboxfusion", "verification")

_INTERACTIVE = ("this is an interactive problem", "this is interactive problem", "interaction protocol")


def apps(row: Row) -> Problem | Refused:
    """APPS and TACO: ``input_output`` is JSON text of ``{inputs, outputs, fn_name?}``; empty text means no tests.

    Raises:
        DataError: names file, row and field.
    """
    name = next((row.text(field) for field in ("id", "problem_id", "task_id", "url") if row.has(field)), row.where)
    if not row.text("input_output", "").strip():
        return Refused(where=row.where, id=name, reason=Refusal.NO_TESTS)
    pairs = row.json("input_output")
    if not isinstance(pairs, dict):
        raise row.fail("input_output", f"expected a JSON object, got {type(pairs).__name__}")
    found = cast("dict[str, Any]", pairs)
    entry = str(found.get("fn_name") or "")
    tests = columns(row, "input_output", found, entry=entry)
    statement = row.filled("question")
    return _refused(row, name, statement, tests) or Problem(
        id=name,
        statement=statement,
        style=InputStyle.JSON if entry else InputStyle.STDIN,
        hidden=tests,
        entry=entry,
        starter_code=row.text("starter_code", ""),
        platform=row.text("source", ""),
        date=row.date("date"),
        difficulty=row.text("difficulty", "") or None,
        source="apps" if "skill_types" not in row.values else "taco",
        tags=_tags(row, "tags"),
        preamble=True,
    )


def _tags(row: Row, field: str) -> tuple[str, ...]:
    """A list, or its Python text as in TACO (its card says eval; a literal is all that it needs)."""
    value: object = plain(row.values.get(field))
    if isinstance(value, str) and value.strip():
        value = _literal(row, field, value)
    if value is None or value == "":
        return ()
    if not isinstance(value, list):
        raise row.fail(field, f"expected a list of texts, got {type(value).__name__}")
    return tuple(str(one) for one in cast("list[object]", value))


def _literal(row: Row, field: str, text: str) -> object:
    try:
        return cast("object", ast.literal_eval(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise row.fail(field, f"{text[:60]!r} is no list of texts") from None


def _refused(row: Row, name: str, statement: str, tests: tuple[TestCase, ...]) -> Refused | None:
    if row.has("generated_checker") or row.has("checker"):
        return Refused(where=row.where, id=name, reason=Refusal.CHECKER)
    if any(mark in statement.lower() for mark in _INTERACTIVE):
        return Refused(where=row.where, id=name, reason=Refusal.INTERACTIVE)
    return None if tests else Refused(where=row.where, id=name, reason=Refusal.NO_TESTS)


def codecontests(row: Row) -> Problem | Refused:
    """CodeContests: structs of lists; private and generated tests are hidden. Special judges show by their statement.

    Raises:
        DataError: names file, row and field.
    """
    name, statement = row.filled("name"), row.filled("description")
    hidden = (*_struct(row, "private_tests"), *_struct(row, "generated_tests"))
    visible = _struct(row, "public_tests")
    if row.text("input_file", "") or row.text("output_file", ""):
        return Refused(where=row.where, id=name, reason=Refusal.CHECKER, detail="reads or writes named files")
    if _any_answer(statement):
        return Refused(where=row.where, id=name, reason=Refusal.CHECKER, detail="its statement allows many answers")
    return _refused(row, name, statement, visible + hidden) or Problem(
        id=name,
        title=name,
        statement=statement,
        style=InputStyle.STDIN,
        visible=visible,
        hidden=hidden,
        difficulty=row.text("difficulty", "") or None,
        source="codecontests",
        tags=_tags(row, "cf_tags"),
        time_s=_seconds(row),
        preamble=True,
    )


def _any_answer(statement: str) -> bool:
    return any(mark in statement.lower() for mark in ("any of them", "multiple answers", "several answers"))


def _struct(row: Row, field: str) -> tuple[TestCase, ...]:
    if not row.has(field):
        return ()
    pairs = row.json(field)
    if not isinstance(pairs, dict):
        raise row.fail(field, f"expected {{input: [...], output: [...]}}, got {type(pairs).__name__}")
    found = cast("dict[str, Any]", pairs)
    return columns(row, field, {"inputs": found.get("input"), "outputs": found.get("output")}, entry="")


def _seconds(row: Row) -> float | None:
    limit = row.values.get("time_limit")
    if not isinstance(limit, dict):
        return None
    found = cast("dict[str, float]", limit)
    return float(found.get("seconds") or 0) + float(found.get("nanos") or 0) / 1e9 or None


def deepcoder(row: Row) -> Problem | Refused:
    """DeepCoder: ``tests`` is JSON text, a list of ``{input, output, testtype, fn_name?}`` or ``{inputs, outputs}``.

    Raises:
        DataError: names file, row and field.
    """
    return _with_tests(row, row.filled("problem"), row.json("tests"), "tests")


def verification(row: Row) -> Problem | Refused:
    """PrimeIntellect, SYNTHETIC-2, open-r1: ``verification_info`` with a language and ``test_cases``.

    Raises:
        DataError: names file, row and field.
    """
    info = row.json("verification_info")
    if not isinstance(info, dict):
        raise row.fail("verification_info", f"expected an object, got {type(info).__name__}")
    found = cast("dict[str, Any]", info)
    language = str(found.get("language") or "python")
    if language.lower() not in ("python", "python3"):
        return Refused(where=row.where, id=_name(row), reason=Refusal.LANGUAGE, detail=language)
    statement = row.filled("prompt" if "prompt" in row.values else "problem")
    return _with_tests(row, statement, found.get("test_cases"), "verification_info.test_cases")


def _name(row: Row) -> str:
    named = ("id", "problem_id", "question_id", "task_id", "name")
    return next((row.text(field) for field in named if row.has(field)), row.where)


def _with_tests(row: Row, statement: str, tests: object, field: str) -> Problem | Refused:
    entry = _function(row, tests)
    if isinstance(tests, dict):
        found = columns(row, field, cast("dict[str, Any]", tests), entry=entry)
    elif entry and _calls(tests):
        found = tuple(
            call_case(row, f"{field}[{at}]", one.get("input"), one.get("output"))
            for at, one in enumerate(cast("list[dict[str, Any]]", tests))
        )
    else:
        found = cases(row, field, tests, style=InputStyle.JSON if entry else InputStyle.STDIN)
    return _refused(row, _name(row), statement, found) or Problem(
        id=_name(row),
        statement=statement,
        style=InputStyle.JSON if entry else InputStyle.STDIN,
        hidden=found,
        entry=entry,
        starter_code=row.text("starter_code", ""),
        source="deepcoder" if field == "tests" else "verification",
        preamble=True,
    )


def _calls(tests: object) -> bool:
    """True if the inputs are argument lists, not text with a JSON value a line."""
    if not isinstance(tests, list):
        return False
    listed = cast("list[object]", tests)
    dicts = [cast("dict[str, object]", test) for test in listed if isinstance(test, dict)]
    return len(dicts) == len(listed) and all(isinstance(one.get("input"), list) for one in dicts)


def _function(row: Row, tests: object) -> str:
    if row.has("metadata"):
        metadata = row.json("metadata")
        named = cast("dict[str, Any]", metadata).get("func_name") if isinstance(metadata, dict) else None
        if named:
            return str(named)
    if isinstance(tests, list) and tests:
        tests = cast("list[object]", tests)[0]
    return str(cast("dict[str, Any]", tests).get("fn_name") or "") if isinstance(tests, dict) else ""


def sandboxfusion(row: Row) -> Problem | Refused:
    """SandboxFusion's samples: ``content`` and ``test``, a list of pairs or a packed ``{"input_output": ...}``.

    Raises:
        DataError: names file, row and field.
    """
    name, cell = row.text("id"), row.text("test")
    try:
        value: object = decode_cell(cell)
    except CellError as error:
        raise row.fail("test", f"holds no tests: {error}") from None
    entry = ""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        entry = str(found.get("fn_name") or "")
        value = _pairs(row, found)
    tests = cases(row, "test", value, style=InputStyle.JSON if entry else InputStyle.STDIN)
    return _refused(row, name, row.filled("content"), tests) or Problem(
        id=name,
        statement=row.filled("content"),
        style=InputStyle.JSON if entry else InputStyle.STDIN,
        hidden=tests,
        entry=entry,
        source="sandboxfusion",
        preamble=True,
    )


def _pairs(row: Row, found: dict[str, Any]) -> list[object]:
    inputs, outputs = (found.get(name) for name in ("inputs", "outputs"))
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise row.fail("test", "expected lists `inputs` and `outputs`")
    pairs = list(zip(cast("list[object]", inputs), cast("list[object]", outputs), strict=False))
    return [{"input": given, "output": wanted} for given, wanted in pairs]
