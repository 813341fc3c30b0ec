"""Tests as the data sets write them: lists of pairs, or two lists."""

from collections.abc import Mapping
from typing import Any, cast

from gasp_env.tasks.rows import Row, plain
from gasp_env.types import InputStyle, TestCase
from gasp_env.values import CanonicalError, dump_json, encode, load_json

__all__ = ("call_case", "canonical", "cases", "columns")


def cases(row: Row, field: str, value: object, *, style: InputStyle) -> tuple[TestCase, ...]:
    """A list of ``{input, output}``; functional texts are JSON values, an argument a line.

    Raises:
        DataError: names the test and what is wrong with it.
    """
    if not isinstance(value, list):
        raise row.fail(field, f"expected a list of tests, got {type(value).__name__}")
    return tuple(_case(row, f"{field}[{at}]", one, style) for at, one in enumerate(cast("list[object]", value)))


def _case(row: Row, field: str, test: object, style: InputStyle) -> TestCase:
    if not isinstance(test, dict):
        raise row.fail(field, f"expected an object with input and output, got {type(test).__name__}")
    pair = cast("dict[str, Any]", test)
    given, wanted = (_part(row, field, pair, name) for name in ("input", "output"))
    if style is InputStyle.STDIN:
        return TestCase(input=given, output=wanted)
    for line in given.split("\n"):
        if line.strip():
            _loads(row, f"{field}.input", line)
    return TestCase(input=given, output=canonical(row, f"{field}.output", _loads(row, f"{field}.output", wanted)))


def _part(row: Row, field: str, pair: Mapping[str, Any], name: str) -> str:
    value: object = pair.get(name)
    if isinstance(value, dict):  # {"input": {"stdin": ...}, "output": {"stdout": ...}}
        value = next(iter(cast("dict[str, Any]", value).values()), None)
    if isinstance(value, str):
        return value
    lines = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [line for line in lines if isinstance(line, str)]
    if len(texts) < len(lines):
        raise row.fail(f"{field}.{name}", "expected text")
    return "\n".join(texts)


def _loads(row: Row, field: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        raise row.fail(field, f"{text[:60]!r} is not JSON ({error})") from None


def canonical(row: Row, field: str, value: object) -> str:
    """Canonical text of an expected value.

    Raises:
        DataError: too large or too deep.
    """
    try:
        return encode(value)
    except CanonicalError as error:
        raise row.fail(field, f"can't be an expected value: {error}") from None


def columns(row: Row, field: str, pairs: Mapping[str, Any], *, entry: str) -> tuple[TestCase, ...]:
    """``{"inputs": [...], "outputs": [...]}`` as of APPS: text or lines for standard input, argument lists for a function.

    Raises:
        DataError: missing lists, different lengths, or an item of another type.
    """
    lists = [plain(pairs.get(name)) for name in ("inputs", "outputs")]
    for name, found in zip(("inputs", "outputs"), lists, strict=True):
        if not isinstance(found, list):
            raise row.fail(f"{field}.{name}", f"expected a list, got {type(found).__name__}")
    inputs, outputs = (cast("list[Any]", found) for found in lists)
    if len(inputs) != len(outputs):
        raise row.fail(field, f"{len(inputs)} inputs but {len(outputs)} outputs")
    pairs_of = zip(inputs, outputs, strict=True)
    if not entry:
        return tuple(
            TestCase(input=_lines(row, f"{field}.inputs[{at}]", a), output=_lines(row, f"{field}.outputs[{at}]", b))
            for at, (a, b) in enumerate(pairs_of)
        )
    return tuple(call_case(row, f"{field}[{at}]", a, b) for at, (a, b) in enumerate(pairs_of))


def call_case(row: Row, field: str, arguments: object, wanted: object) -> TestCase:
    """A call: a list of arguments, and its value, which APPS wraps into a list of one.

    Raises:
        DataError: the arguments are no list.
    """
    if not isinstance(arguments, list):
        raise row.fail(f"{field}.input", f"expected a list of arguments, got {type(arguments).__name__}")
    found = cast("list[object]", arguments)
    return TestCase(
        input="\n".join(dump_json(one) for one in found), output=canonical(row, f"{field}.output", _unwrapped(wanted))
    )


def _unwrapped(wanted: object) -> object:
    if not isinstance(wanted, list):
        return wanted
    found = cast("list[object]", wanted)
    return found[0] if len(found) == 1 else found


def _lines(row: Row, field: str, value: object) -> str:
    if isinstance(value, list):
        return "\n".join(str(line) for line in cast("list[object]", value))
    if not isinstance(value, str):
        raise row.fail(field, f"expected text, got {type(value).__name__}")
    return value
