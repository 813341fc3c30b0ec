"""Saved samples: what a model answered, so that it can be graded again without the model.

    {"task_id": "HumanEval/0", "completion": "..."}             one sample a line
    {"question_id": "abc301_a", "code_list": ["...", "..."]}    all samples of a problem (LiveCodeBench's eval_all.json too)

The law of this module: texts are data; a list of samples keeps its order, lines of one problem are joined in file order.
"""

from pathlib import Path
from typing import Any

from gasp_env.errors import DataError
from gasp_env.tasks.rows import Row, read_rows

__all__ = ("LIST_FIELDS", "NAME_FIELDS", "TEXT_FIELDS", "read_samples")

NAME_FIELDS = ("task_id", "question_id", "id")
TEXT_FIELDS = ("completion", "code", "solution", "output", "text")
LIST_FIELDS = ("completions", "code_list", "samples", "output_list")
"""The first field that a row has counts: programs before raw outputs."""


def read_samples(path: str | Path) -> dict[str, list[str | None]]:
    """Samples by problem id; None where one failed for infrastructure reasons.

    Raises:
        DataError: names file, row and field.
    """
    found: dict[str, list[str | None]] = {}
    for row in read_rows(path):
        found.setdefault(_name(row), []).extend(_texts(row))
    if not found:
        raise DataError(f"{path}: holds no samples; expected one JSON object a line")
    return found


def _name(row: Row) -> str:
    for field in NAME_FIELDS:
        if row.has(field):
            return row.text(field)
    raise row.fail(NAME_FIELDS[0], f"missing; a sample names its problem in one of {', '.join(NAME_FIELDS)}")


def _texts(row: Row) -> list[str | None]:
    for field in LIST_FIELDS:
        if row.has(field):
            return [_text(row, f"{field}[{at}]", one) for at, one in enumerate(row.items(field))]
    for field in TEXT_FIELDS:
        if field in row.values:
            return [_text(row, field, row.values[field])]
    raise row.fail(TEXT_FIELDS[0], f"missing; expected one of {', '.join((*TEXT_FIELDS, *LIST_FIELDS))}")


def _text(row: Row, field: str, value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if value is not None and not isinstance(value, str):
        raise row.fail(field, f"expected text, got {type(value).__name__}")
    return value
