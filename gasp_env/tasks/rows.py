"""Rows of data files, one at a time: JSON lines (also gzipped), a JSON list, Parquet, and names of the Hugging Face hub.

The law of this module: memory holds one row of a JSON lines file; whatever is wrong is one `DataError` that names file,
row and field.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs

import msgspec

from gasp_env._optional import require
from gasp_env.errors import DataError, MissingExtra
from gasp_env.values import load_json

__all__ = ("ROW_BYTES", "Row", "plain", "read_rows")

ROW_BYTES = 256 << 20
"""Longest line that is read (LiveCodeBench: up to some tens of MB)."""
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row with its place; the methods below read a field or say what is wrong with it."""

    where: str
    """``FILE, row N``."""
    values: Mapping[str, Any]

    def fail(self, field: str, what: str) -> DataError:
        """The error that names file, row and field; to be raised."""
        return DataError(f"{self.where}, field `{field}`: {what}")

    def has(self, *fields: str) -> bool:
        """True if every field is there and is not null."""
        return all(self.values.get(field) is not None for field in fields)

    def text(self, field: str, default: str | None = None) -> str:
        """A text field (numbers are written out: ids are integers in some dumps).

        Raises:
            DataError: missing, or another type.
        """
        value = self.values.get(field, default)
        if value is None and default is not None:
            return default
        if type(value) is int:
            return str(value)
        if not isinstance(value, str):
            raise self._wrong(field, "text")
        return value

    def filled(self, field: str) -> str:
        """A text field that is not blank.

        Raises:
            DataError: missing, another type or blank.
        """
        value = self.text(field)
        if not value.strip():
            raise self.fail(field, "is empty; expected text")
        return value

    def items(self, field: str) -> list[Any]:
        """A list field; JSON text of a list counts.

        Raises:
            DataError: missing, or no list.
        """
        value = self.json(field)
        if not isinstance(value, list):
            raise self.fail(field, f"expected a list, got {type(value).__name__}")
        return cast("list[object]", value)

    def json(self, field: str) -> Any:  # noqa: ANN401 - any JSON value
        """A field that is data, or JSON text of it.

        Raises:
            DataError: missing, or text that is not JSON.
        """
        value = self.values.get(field)
        if value is None:
            raise self._wrong(field, "JSON")
        if not isinstance(value, str):
            return plain(value)
        try:
            return load_json(value)
        except (ValueError, RecursionError) as error:
            raise self.fail(field, f"is not JSON ({error})") from None

    def date(self, field: str) -> str | None:
        """A date as ISO text, None where there is none; a date object (the ``datasets`` JSON builder makes them) counts.

        Raises:
            DataError: in another format.
        """
        value = self.values.get(field)
        if value is None or value == "":
            return None
        if isinstance(value, datetime):
            return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()
        if isinstance(value, date):
            return f"{value.isoformat()}T00:00:00"
        try:
            return self._iso(str(value))
        except ValueError:
            raise self.fail(field, f"{value!r} is no ISO date; expected e.g. 2023-08-21T00:00:00") from None

    @staticmethod
    def _iso(text: str) -> str:
        found = datetime.fromisoformat(text.strip())
        return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None).isoformat()

    def _wrong(self, field: str, wanted: str) -> DataError:
        if field not in self.values:
            return self.fail(field, f"missing; the row has {', '.join(list(self.values)[:12]) or 'no fields'}")
        return self.fail(field, f"expected {wanted}, got {type(self.values[field]).__name__}")


def plain(value: Any) -> Any:  # noqa: ANN401
    """Parquet's arrays as lists."""
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, tuple):
        return [plain(item) for item in cast("tuple[object, ...]", value)]
    return value


def read_rows(source: str | Path, *, row_bytes: int = ROW_BYTES) -> Iterator[Row]:
    """Rows of a file, of every data file in a folder, or of ``hf://datasets/OWNER/NAME[/FILE][?config=C&split=S]``.

    Args:
        source: where.
        row_bytes: longest line that is read.

    Raises:
        DataError: unreadable, not a data file, or a row that can't be read.
        MissingExtra: Parquet or the hub without the packages for it.
    """
    if str(source).startswith("hf://"):
        yield from _numbered(str(source), _hub(str(source)))
        return
    for path in _files(Path(source)):
        if path.name.endswith(".parquet"):
            yield from _numbered(str(path), _parquet(path))
        elif path.name.removesuffix(".gz").endswith(".json"):
            yield from _json_file(path, row_bytes)
        else:
            yield from _json_lines(path, row_bytes)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.name.endswith(_SUFFIXES))
    if not found:
        raise DataError(f"{path}: holds no data file; expected {', '.join(_SUFFIXES)}")
    return found


def _numbered(where: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, values in enumerate(rows, start=1):
        yield Row(where=f"{where}, row {number}", values=values)


def _open(path: Path) -> BinaryIO:
    try:
        return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); expected a data file") from None


def _lines(path: Path, row_bytes: int) -> Iterator[tuple[int, bytes]]:
    with _open(path) as stream:
        number = 0
        while True:
            try:
                line = stream.readline(row_bytes + 1)
            except (OSError, EOFError) as error:
                raise DataError(f"{path}, row {number + 1}, field `$`: can't be read ({error})") from None
            if not line:
                return
            number += 1
            if len(line) > row_bytes:
                raise DataError(f"{path}, row {number}, field `$`: longer than {row_bytes} bytes")
            if line.strip():
                yield number, line


def _json_lines(path: Path, row_bytes: int) -> Iterator[Row]:
    for number, line in _lines(path, row_bytes):
        if number == 1:
            _check_kind(path, line)
        yield Row(where=f"{path}, row {number}", values=_object(path, number, line))


def _check_kind(path: Path, line: bytes) -> None:
    head = line.lstrip(b"\xef\xbb\xbf \t")[:200].lower()
    if head.startswith(b"<"):
        raise DataError(f"{path}, row 1, field `$`: is HTML or XML, not JSON lines; was a web page saved in its place?")
    if head.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}, row 1, field `$`: is a Git LFS pointer; fetch the file itself with `git lfs pull`")
    if head.startswith(b"par1"):
        raise DataError(f"{path}, row 1, field `$`: is Parquet; name it with the suffix .parquet")


def _object(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    where = f"{path}, row {number}, field `$`"
    value = _decoded(where, line)
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, got {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _decoded(where: str, data: bytes) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # the slow reader takes NaN and numbers of any length, and says better what is wrong
        return load_json(data)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: is not UTF-8 ({error.reason} at byte {error.start}); convert the file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not JSON ({error}); is the line cut off?") from None


def _json_file(path: Path, row_bytes: int) -> Iterator[Row]:
    """A file of one JSON list or object of rows; a file of JSON lines with the wrong suffix is read too."""
    with _open(path) as stream:
        head = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"["):
        yield from _json_lines(path, row_bytes)
        return
    with _open(path) as stream:
        data = stream.read(row_bytes + 1)
    if len(data) > row_bytes:
        raise DataError(
            f"{path}, row 1, field `$`: a JSON list of more than {row_bytes} bytes; convert it to JSON lines"
        )
    for number, value in enumerate(_decoded(f"{path}, row 1, field `$`", data), start=1):
        if not isinstance(value, dict):
            raise DataError(f"{path}, row {number}, field `$`: expected a JSON object, got {type(value).__name__}")
        yield Row(where=f"{path}, row {number}", values=cast("dict[str, Any]", value))


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    arrow: Any = require("pyarrow.parquet", extra="datasets")
    try:
        with arrow.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1):
                yield from batch.to_pylist()
    except (OSError, ValueError) as error:  # Arrow's own errors derive from ValueError and OSError
        raise DataError(f"{path}, row 1, field `$`: is no Parquet file ({str(error).splitlines()[0]})") from None


def _hub(source: str) -> Iterator[Mapping[str, Any]]:
    try:
        datasets: Any = require("datasets", extra="datasets")
    except MissingExtra as error:
        raise MissingExtra(f"{source}: {error}") from None
    place, _, query = source.partition("?")
    options = {key: found[-1] for key, found in parse_qs(query).items()}
    owner, _, rest = place.removeprefix("hf://").removeprefix("datasets/").partition("/")
    name, _, file = rest.partition("/")
    split = options.get("split", "test")
    try:
        if file:
            kind = "parquet" if file.endswith(".parquet") else "json"
            yield from datasets.load_dataset(kind, data_files={split: [place]}, split=split, streaming=True)
        else:
            yield from datasets.load_dataset(f"{owner}/{name}", options.get("config"), split=split, streaming=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{source}: can't be loaded ({str(error).splitlines()[0][:300]})") from None
