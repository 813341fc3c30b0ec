"""Append-only files of JSON lines that survive a kill at any byte.

The law of this module: a batch is on the disk when `Lines.append` returns; a last line without its newline was cut off
by a kill and is dropped, both when reading and when writing goes on.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from gasp_env.errors import DataError, StoreError

__all__ = ("Lines", "write_atomic")

T = TypeVar("T")


class Lines(Generic[T]):
    """One file of JSON lines of one type.

    Args:
        path: the file; need not exist.
        kind: the type of a line, read and written with ``msgspec``.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        """Name the file; nothing is opened."""
        self.path, self._decoder = path, msgspec.json.Decoder(kind)

    def append(self, rows: Iterable[T]) -> None:
        """Write rows and wait until they are on the disk.

        Raises:
            StoreError: the disk is full or the file can't be written; what was whole before stays whole.
        """
        data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        if not data:
            return
        try:
            with self.path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path}: can't be written ({error.strerror}); free space or mend the folder, then go on with --resume"
            ) from error

    def keep(self, wanted: Callable[[T], bool]) -> list[T]:
        """Cut the file off before the first line that is not wanted, or is not whole; returns what stays.

        Raises:
            DataError: a whole line is not what it should be; nothing is cut then.
            StoreError: the file can't be written.
        """
        kept, end = list[T](), 0
        for row, size in self._sized():
            if not wanted(row):
                break
            kept.append(row)
            end += size
        try:
            if self.path.exists() and end < self.path.stat().st_size:
                os.truncate(self.path, end)
        except OSError as error:
            raise StoreError(f"{self.path}: can't be written ({error.strerror}); mend the folder") from error
        return kept

    def __iter__(self) -> Iterator[T]:
        """Whole lines, in order.

        Raises:
            DataError: a whole line is not what it should be; names the line.
        """
        return (row for row, _ in self._sized())

    def _sized(self) -> Iterator[tuple[T, int]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield self._decoder.decode(line), len(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise DataError(
                        f"{self.path}, line {number}: {error}; the file was changed by something else"
                    ) from None


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new.

    Raises:
        StoreError: the disk is full or the folder can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: can't be written ({error.strerror}); free space or mend the folder") from error
