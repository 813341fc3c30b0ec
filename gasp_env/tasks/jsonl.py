"""Goalpost files: JSON lines, one `gasp_env.types.Goalpost` a line.

    {"id": "two-sum", "statement": "...", "style": "literal",
     "visible": [{"input": "[1, 2], 3", "output": "<canonical value>"}],
     "hidden":  [{"input": "[4, 4], 8", "output": "<canonical value>"}]}

Required: ``id``, ``statement``, ``style`` (``literal``, ``json`` or ``stdin``), ``visible``, ``hidden``. Optional:
``entry``, ``starter_code``, ``reference``, ``source``, ``date``, ``difficulty``, ``tags``. Outputs are canonical values
(`gasp_env.values.encode`) for ``literal`` and ``json``, plain text for ``stdin``. Blank lines are skipped.

The law of this module: a row is whole or refused; an error names the file, the line and the field.
"""

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import msgspec

from gasp_env.errors import DataError
from gasp_env.types import Goalpost, InputStyle
from gasp_env.values import decode

__all__ = ("GoalpostFile", "check_goalpost", "dump_goalposts", "goalposts_hash", "load_goalposts", "read_goalposts")

logger = logging.getLogger(__name__)
FIELDS = tuple(field.name for field in dataclasses.fields(Goalpost))
_MAX_LINE = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalpostFile:
    """What a file holds: its good rows, and one sentence for each bad one."""

    goalposts: tuple[Goalpost, ...]
    errors: tuple[str, ...]


def load_goalposts(path: Path | str, *, skip_bad: bool = False) -> tuple[Goalpost, ...]:
    """Read a goalpost file.

    Args:
        path: the file.
        skip_bad: load the good rows and log a warning for each bad one, instead of refusing the file.

    Raises:
        DataError: unreadable, without a single good row, or (unless ``skip_bad``) with a bad row; names line and field.
    """
    found = read_goalposts(path)
    first, *others = found.errors or ("",)
    if first and not skip_bad:
        more = f" (and {len(others)} more bad row{'s' * (len(others) > 1)})" if others else ""
        raise DataError(f"{first}{more}; mend it, or load the other rows with --skip-bad-rows")
    for error in found.errors:
        logger.warning("skipped: %s", error)
    if not found.goalposts:
        raise DataError(f"{path}: holds no goalpost; expected one JSON object a line")
    return found.goalposts


def read_goalposts(path: Path | str) -> GoalpostFile:
    """Read a goalpost file, bad rows and all.

    Raises:
        DataError: the file can't be read at all.
    """
    goalposts: dict[str, Goalpost] = {}
    lines: dict[str, int] = {}
    errors: list[str] = []
    for number, line in enumerate(_lines(Path(path)), start=1):
        if not line.strip():
            continue
        try:
            row = _row(line, lines)
        except DataError as error:
            errors.append(f"{path}, line {number}, {error}")
            continue
        goalposts[row.id], lines[row.id] = row, number
    return GoalpostFile(goalposts=tuple(goalposts.values()), errors=tuple(errors))


def dump_goalposts(goalposts: Iterable[Goalpost]) -> bytes:
    """The content of a goalpost file."""
    return b"".join(msgspec.json.encode(goalpost) + b"\n" for goalpost in goalposts)


def goalposts_hash(goalposts: Iterable[Goalpost]) -> str:
    """Content hash of a set of goalposts in its order, for the run manifest."""
    return sha256(dump_goalposts(goalposts)).hexdigest()[:16]


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); expected a file of JSON lines") from None


def _row(line: bytes, taken: Mapping[str, int]) -> Goalpost:
    if len(line) > _MAX_LINE:
        raise DataError(f"field `$`: the row has {len(line)} bytes; at most {_MAX_LINE} are read")
    try:
        raw: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"field `$`: not a JSON object ({error}); is the line cut off?") from None
    if not isinstance(raw, dict):
        raise DataError(f"field `$`: expected a JSON object, got {type(raw).__name__}")
    unknown = [key for key in cast("dict[str, object]", raw) if key not in FIELDS]
    if unknown:
        raise DataError(f"field `{unknown[0]}`: unknown; known fields are {', '.join(FIELDS)}")
    try:
        goalpost = msgspec.convert(raw, Goalpost)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise DataError(f"field {where.replace('$.', '') or '`$`'}: {what}") from None
    check_goalpost(goalpost)
    if goalpost.id in taken:
        raise DataError(f"field `id`: {goalpost.id!r} is taken by line {taken[goalpost.id]}; ids must be unique")
    return goalpost


def check_goalpost(goalpost: Goalpost) -> None:
    """Refuse what can't be played.

    Raises:
        DataError: names the field.
    """
    if not goalpost.id.strip():
        raise DataError("field `id`: is empty; give each goalpost a name")
    if not goalpost.statement.strip():
        raise DataError("field `statement`: is empty; it is what the teacher reads")
    if not goalpost.hidden:
        where = "hidden" if goalpost.visible else "visible"
        raise DataError(f"field `{where}`: no tests; a goalpost needs hidden tests, or nothing can be graded")
    if goalpost.style is not InputStyle.STDIN:
        _check_outputs(goalpost)


def _check_outputs(goalpost: Goalpost) -> None:
    for name in ("visible", "hidden"):
        for place, test in enumerate(getattr(goalpost, name)):
            try:
                decode(test.output)
            except ValueError:
                raise DataError(
                    f"field `{name}[{place}].output`: {test.output[:40]!r} is not a canonical value; "
                    "make it with gasp_env.values.encode"
                ) from None
