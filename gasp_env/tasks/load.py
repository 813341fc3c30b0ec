"""Problems of any known data set: the format is found by its fields, rows stream, defects are flagged.

    for problem in Source(path="test5.jsonl", window=Window.parse("2024-08-01..")): ...

The law of this module: one row in memory at a time; a bad row is one error, or is counted as refused where asked for.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from gasp_env.errors import ConfigError, DataError
from gasp_env.tasks.assertion_sets import humaneval, leetcode, mbpp
from gasp_env.tasks.contests import apps, codecontests, deepcoder, sandboxfusion, verification
from gasp_env.tasks.jsonl import check_goalpost
from gasp_env.tasks.livecodebench import livecodebench
from gasp_env.tasks.problem import Flag, Problem, Refusal, Refused, statement_hash
from gasp_env.tasks.rows import ROW_BYTES, Row, read_rows
from gasp_env.tasks.windows import Window
from gasp_env.types import Goalpost, InputStyle

__all__ = ("FORMATS", "Source", "find_format", "flagged", "goalpost_row", "load_problems")

logger = logging.getLogger(__name__)
Reader = Callable[[Row], Problem | Refused]
_FEW = 3


def goalpost_row(row: Row) -> Problem:
    """A row in gasp-env's own form."""
    try:
        found = msgspec.convert(dict(row.values), Goalpost)
        check_goalpost(found)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise row.fail(where.strip("`").removeprefix("$.") or "$", what) from None
    except DataError as error:
        raise DataError(f"{row.where}, {error}") from None
    return Problem(
        id=found.id,
        statement=found.statement,
        style=found.style,
        visible=found.visible,
        hidden=found.hidden,
        entry="" if found.style is InputStyle.STDIN else found.entry.rpartition(".")[2],
        starter_code=found.starter_code,
        date=row.date("date"),
        difficulty=found.difficulty,
        source=found.source or "goalposts",
        tags=found.tags,
        reference=found.reference,
        flags=tuple(flag for flag in Flag if flag.value in found.tags),
    )


FORMATS: dict[str, tuple[Reader, tuple[tuple[str, ...], ...]]] = {
    "livecodebench": (livecodebench, (("question_id", "question_content"), ("question_id", "public_test_cases"))),
    "humaneval": (humaneval, (("task_id", "entry_point", "canonical_solution", "test"),)),
    "mbpp": (mbpp, (("task_id", "test_list"), ("task_id", "assertion"))),
    "leetcode": (leetcode, (("task_id", "entry_point", "query", "test"),)),
    "codecontests": (codecontests, (("description", "public_tests"),)),
    "apps": (apps, (("question", "input_output"),)),
    "deepcoder": (deepcoder, (("problem", "tests"),)),
    "verification": (verification, (("verification_info",),)),
    "sandboxfusion": (sandboxfusion, (("content", "test"),)),
    "goalposts": (goalpost_row, (("id", "statement", "style"),)),
}
"""Reader of each format, and the sets of fields that show it."""


def find_format(row: Row) -> str:
    """Name of the row's format.

    Raises:
        DataError: none of the known ones.
    """
    for name, (_, marks) in FORMATS.items():
        if any(all(field in row.values for field in mark) for mark in marks):
            return name
    raise DataError(
        f"{row.where}, field `$`: no known data set has the fields {', '.join(list(row.values)[:12])}; "
        f"known are {', '.join(FORMATS)}"
    )


@dataclass(slots=True, kw_only=True)
class Source:
    """A data set that can be read again and again, and what came of the last reading."""

    path: str | Path
    """File, folder or ``hf://`` name."""
    format: str | None = None
    """Name in `FORMATS`; None: found by the fields of each row."""
    window: Window = field(default_factory=Window)
    skip_bad: bool = False
    """Count bad rows as refused instead of ending with their error."""
    drop_duplicates: bool = False
    """Refuse a problem with the title and statement of an earlier one, instead of flagging it."""
    row_bytes: int = ROW_BYTES
    refused: list[Refused] = field(default_factory=list[Refused])
    """Rows of the last reading that were not used, in order."""
    outside: int = 0
    """Rows of the last reading outside the window."""

    def __post_init__(self) -> None:
        """Refuse an unknown format.

        Raises:
            ConfigError: names the known ones.
        """
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(f"format: unknown {self.format!r}; choose one of {', '.join(FORMATS)}")

    def __iter__(self) -> Iterator[Problem]:
        """Read from the start.

        Raises:
            DataError: a row is bad (unless ``skip_bad``) or the file can't be read; names file, row and field.
        """
        self.refused, self.outside = [], 0
        titles, names = dict[str, str](), set[str]()
        for row in read_rows(self.path, row_bytes=self.row_bytes):
            found = self._read(row)
            if isinstance(found, Refused):
                self.refused.append(found)
            elif not self.window.holds(found.date):
                self.outside += 1
            elif found.id in names:
                self.refused.append(self._bad(row, row.fail("id", f"{found.id!r} is taken; ids must be unique")))
            else:
                names.add(found.id)
                twin = titles.setdefault(statement_hash(found.title, found.statement), found.id)
                if twin == found.id or not self.drop_duplicates:
                    yield flagged(found, duplicate=twin != found.id)
                else:
                    detail = f"same title and statement as {twin}"
                    self.refused.append(Refused(where=row.where, id=found.id, reason=Refusal.DUPLICATE, detail=detail))

    def _read(self, row: Row) -> Problem | Refused:
        try:
            return FORMATS[self.format or find_format(row)][0](row)
        except DataError as error:
            return self._bad(row, error)

    def _bad(self, row: Row, error: DataError) -> Refused:
        if not self.skip_bad:
            raise error
        logger.warning("skipped: %s", error)
        return Refused(where=row.where, id="", reason=Refusal.BAD_ROW, detail=str(error))


def flagged(problem: Problem, *, duplicate: bool) -> Problem:
    """The problem with the flags that its tests call for."""
    flags = dict.fromkeys(problem.flags)
    if duplicate:
        flags[Flag.DUPLICATE] = None
    tests = problem.tests
    if not tests and not problem.check:
        flags[Flag.NO_TESTS] = None
    elif not problem.check and len(tests) < _FEW:
        flags[Flag.FEW_TESTS] = None
    if any(_has_fraction(problem.style, test.output) for test in tests):
        flags[Flag.FLOATS] = None
    return replace(problem, flags=tuple(flags))


def _has_fraction(style: InputStyle, output: str) -> bool:
    if style is not InputStyle.STDIN:
        return "d0x" in output or "d-0x" in output
    return any(mark.isdigit() and after.isdigit() for mark, after in _around_points(output))


def _around_points(text: str) -> Iterator[tuple[str, str]]:
    at = text.find(".")
    while at >= 0:
        yield text[at - 1 : at], text[at + 1 : at + 2]
        at = text.find(".", at + 1)


def load_problems(path: str | Path, **options: object) -> tuple[Problem, ...]:
    """Every problem of a small data set.

    Args:
        path: file, folder or ``hf://`` name.
        options: of `Source`.

    Raises:
        DataError: a bad row, or no problem at all.
    """
    source = Source(path=path, **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    found = tuple(source)
    if not found:
        raise DataError(
            f"{path}: holds no problem ({len(source.refused)} refused, {source.outside} outside the window)"
        )
    return found
