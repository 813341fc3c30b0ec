"""Canonical text of plain Python values: typed, exact, ASCII; compared as text and never evaluated.

    None N    True T    False F    int i-1f;    float d0x1.8p+1;    complex c0x1p+0,nan;
    str s"..." (JSON escapes)    bytes b"00ff"    list [a,b]    tuple (a,b)    set <a,b>    frozenset #<a,b>    dict {k:v,k:v}

Items of sets and dicts are sorted by their own text, so equal values have equal text whatever their order was.
NaN has one form, -0.0 differs from 0.0, and types count: ``True``, ``1`` and ``1.0`` have three texts.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

__all__ = (
    "MAX_DEPTH",
    "MAX_NODES",
    "CanonicalError",
    "contains_nan",
    "decode",
    "encode",
    "is_canonical",
    "kind_of",
)

MAX_DEPTH = 100
MAX_NODES = 1_000_000


class CanonicalError(ValueError):
    """The value is not plain data, or the text is not canonical."""


def encode(value: object) -> str:
    """Canonical text of a value.

    Raises:
        CanonicalError: not plain data (a subclass is another type), a cycle, too deep or too large.
    """
    return _Writer().write(value, 0)


def decode(text: str) -> Any:  # noqa: ANN401 - any plain value
    """The value of a canonical text.

    Raises:
        CanonicalError: the text is not what `encode` writes.
    """
    reader = _Reader(text)
    value = reader.value(0)
    if reader.at != len(text):
        raise CanonicalError(f"trailing text at {reader.at}")
    return value


def is_canonical(text: str) -> bool:
    """True if `encode` could have written the text."""
    try:
        return encode(decode(text)) == text
    except CanonicalError:
        return False


def kind_of(value: object) -> type[object]:
    """Exact type; ``isinstance`` would accept subclasses and spoofed ``__class__``."""
    return type(value)


def contains_nan(text: str) -> bool:
    """True if the value holds NaN, which equals nothing in Python."""
    return "nan" in _QUOTED.sub("", text)


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class _Writer:
    def __init__(self) -> None:
        self.nodes = 0

    def write(self, value: Any, depth: int) -> str:  # noqa: ANN401
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise CanonicalError("too deep or too large")
        kind = kind_of(value)
        atom = _ATOMS.get(kind)
        if atom is not None:
            return atom(value)
        if kind is dict:
            pairs = sorted(f"{self.write(k, depth + 1)}:{self.write(v, depth + 1)}" for k, v in value.items())
            return "{" + ",".join(pairs) + "}"
        if kind not in _BRACKETS:
            raise CanonicalError(f"not plain data: {kind.__name__}")
        items: Iterable[str] = (self.write(item, depth + 1) for item in value)
        before, after, ordered = _BRACKETS[kind]
        return before + ",".join(sorted(items) if ordered else items) + after


def _float(value: float) -> str:
    return "nan" if math.isnan(value) else value.hex()


_ATOMS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "N",
    bool: lambda v: "T" if v else "F",
    int: lambda v: f"i{v:x};",
    float: lambda v: f"d{_float(v)};",
    complex: lambda v: f"c{_float(v.real)},{_float(v.imag)};",
    str: lambda v: "s" + json.dumps(v),
    bytes: lambda v: f'b"{v.hex()}"',
}
_BRACKETS: dict[type, tuple[str, str, bool]] = {
    list: ("[", "]", False),
    tuple: ("(", ")", False),
    set: ("<", ">", True),
    frozenset: ("#<", ">", True),
}
_NUMBER = re.compile(r"(i-?[0-9a-f]+|d(?:nan|-?inf|-?0x[0-9a-fp.+-]+)|c[^,;]+,[^,;]+);")


class _Reader:
    """Recursive descent, bounded by `MAX_DEPTH`."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.nodes = text, 0, 0

    def value(self, depth: int) -> Any:  # noqa: ANN401
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise CanonicalError("too deep or too large")
        head = self.text[self.at : self.at + 1]
        if head in ("N", "T", "F"):
            self.at += 1
            return {"N": None, "T": True, "F": False}[head]
        if head and head in "idc":
            return self._number()
        if head and head in "sb":
            return self._quoted()
        return self._container(depth)

    def _number(self) -> int | float | complex:
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise CanonicalError(f"no number at {self.at}")
        self.at = found.end()
        kind, body = found[1][0], found[1][1:]
        try:
            if kind == "i":
                return int(body, 16)
            parts = [float.fromhex(part) for part in body.split(",")]
        except (ValueError, OverflowError) as error:
            raise CanonicalError(f"no number at {found.start()}") from error
        return parts[0] if kind == "d" else complex(*parts)

    def _quoted(self) -> str | bytes:
        found = _QUOTED.match(self.text, self.at + 1)
        if found is None:
            raise CanonicalError(f"no text at {self.at}")
        kind, self.at = self.text[self.at], found.end()
        try:
            return str(json.loads(found[0])) if kind == "s" else bytes.fromhex(found[0][1:-1])
        except ValueError as error:
            raise CanonicalError(f"no text at {found.start()}") from error

    def _container(self, depth: int) -> Any:  # noqa: ANN401
        for before, after, build in _BUILDERS:
            if self.text.startswith(before, self.at):
                self.at += len(before)
                return self._build(build, self._items(after, depth, pairs=before == "{"))
        raise CanonicalError(f"no value at {self.at}")

    def _build(self, build: Callable[[list[Any]], Any], items: list[Any]) -> Any:  # noqa: ANN401
        try:
            return build(items)
        except TypeError as error:
            raise CanonicalError("an unhashable key or item") from error

    def _items(self, after: str, depth: int, *, pairs: bool) -> list[Any]:
        items: list[Any] = []
        while not self._take(after):
            if items:
                self._expect(",")
            item = self.value(depth + 1)
            if pairs:
                self._expect(":")
                item = (item, self.value(depth + 1))
            items.append(item)
        return items

    def _take(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) * found
        return found

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise CanonicalError(f"expected {mark!r} at {self.at}")


_BUILDERS: tuple[tuple[str, str, Callable[[list[Any]], Any]], ...] = (
    ("[", "]", list),
    ("(", ")", tuple),
    ("#<", ">", frozenset),
    ("<", ">", set),
    ("{", "}", dict),
)
