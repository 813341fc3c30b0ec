"""Checks that a claimed value is canonical text, without ever doing more work than its length allows.

What a hostile process sends is parsed in the trusted process, so this parser is linear: it refuses sets and dicts whose
items share hashes (building those takes quadratic time) before it builds them, and it counts nodes over a whole job.
After it, `gasp_env.values.decode` is safe on the text.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from gasp_env.values.canonical import MAX_DEPTH, MAX_NODES

__all__ = ("MAX_JOB_NODES", "ClaimChecker", "ClaimError")

MAX_JOB_NODES = 2_000_000
"""Values in all results of one job, a list of n counting n + 1."""
_SAME_HASH = 8
"""More items of one set or dict with equal hashes are an attack."""
_INT = "i(?:0|-?[1-9a-f][0-9a-f]*+);"
_SIMPLE = f'(?:[NTF]|{_INT}|s"[ !#-\\[\\]-~]*+")'
_QUICK = re.compile(rf"{_SIMPLE}|\[(?:{_SIMPLE}(?:,{_SIMPLE})*+)?\]|\((?:{_SIMPLE}(?:,{_SIMPLE})*+)?\)")
_QUICK_CHARS = 1 << 14
_ATOM = re.compile(
    rf'[NTF]|{_INT}|d[^;,]{{1,40}}+;|c[^;,]{{1,40}}+,[^;,]{{1,40}}+;|s"(?:[^"\\]++|\\.)*+"|b"(?:[0-9a-f]{{2}})*+"'
)
_OPEN = re.compile(r"\[|\(|\{|#?<")
_BUILD: dict[str, tuple[str, Callable[[Iterable[Any]], Any]]] = {
    "[": ("]", list),
    "(": (")", tuple),
    "<": (">", set),
    "#<": (">", frozenset),
    "{": ("}", dict),
}


class ClaimError(Exception):
    """Not canonical text, or too much of it."""


class ClaimChecker:
    """Checks the values of one job."""

    def __init__(self, nodes: int = MAX_JOB_NODES) -> None:
        """Start with a budget of values."""
        self._nodes = nodes
        self._least = 0
        """What the value under check must leave of the budget."""
        self._text = ""
        self._at = 0

    def check(self, text: str) -> None:
        """Check one value.

        Raises:
            ClaimError: `gasp_env.values.encode` can't have written the text, or the job's values are too many.
        """
        if len(text) <= _QUICK_CHARS and _QUICK.fullmatch(text):
            self._nodes -= text.count(",") + 1
        else:
            self._text, self._at, self._least = text, 0, max(0, self._nodes - MAX_NODES)
            self._value(0)
            if self._at != len(text):
                raise ClaimError("trailing text")
        if self._nodes < 0:
            raise ClaimError("too many values in one job")

    def _value(self, depth: int) -> Any:  # noqa: ANN401 - any plain value
        self._nodes -= 1
        if depth > MAX_DEPTH or self._nodes < self._least:
            raise ClaimError("too deep or too large")
        atom = _ATOM.match(self._text, self._at)
        if atom is not None:
            self._at = atom.end()
            return _atom(atom[0])
        opened = _OPEN.match(self._text, self._at)
        if opened is None:
            raise ClaimError("no value")
        self._at = opened.end()
        after, build = _BUILD[opened[0]]
        items, texts = self._items(after, depth + 1, pairs=build is dict)
        if not texts:
            return build(items)
        _check_order(texts)
        _check_hashes([item[0] for item in items] if build is dict else items)
        built = build(items)
        if len(built) != len(items):
            raise ClaimError("equal items in a set or dict")
        return built

    def _items(self, after: str, depth: int, *, pairs: bool) -> tuple[list[Any], list[str]]:
        """Items up to the closing mark, and their texts where order counts."""
        items: list[Any] = []
        texts: list[str] = []
        while not self._take(after):
            if items and not self._take(","):
                raise ClaimError("no comma")
            began = self._at
            item = self._value(depth)
            if pairs:
                if not self._take(":"):
                    raise ClaimError("no colon")
                item = (item, self._value(depth))
            items.append(item)
            if after in "}>":
                texts.append(self._text[began : self._at])
        return items, texts

    def _take(self, mark: str) -> bool:
        found = self._text.startswith(mark, self._at)
        self._at += found
        return found


def _check_order(texts: Sequence[str]) -> None:
    if any(one >= other for one, other in pairwise(texts)):
        raise ClaimError("items of a set or dict out of order")


def _check_hashes(keys: Sequence[Any]) -> None:
    """Refuse what takes quadratic time to put into a hash table."""
    try:
        hashes = sorted(map(hash, keys))
    except TypeError:
        raise ClaimError("an unhashable key or item") from None
    if any(one == other for one, other in zip(hashes, hashes[_SAME_HASH:], strict=False)):
        raise ClaimError("too many equal hashes")


def _atom(text: str) -> Any:  # noqa: ANN401 - any plain value
    head, body = text[0], text[1:-1]
    if head in "NTF":
        return {"N": None, "T": True, "F": False}[head]
    if head == "i":
        return int(body, 16)
    if head == "d":
        return _float(body)
    if head == "c":
        real, _, imaginary = body.partition(",")
        return complex(_float(real), _float(imaginary))
    return bytes.fromhex(body[1:]) if head == "b" else _string(text[1:])


def _float(text: str) -> float:
    if text == "nan":
        return float("nan")
    try:
        value = float.fromhex(text)
    except (ValueError, OverflowError):
        raise ClaimError("no number") from None
    if value.hex() != text:
        raise ClaimError("a number in another form")
    return value


def _string(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        raise ClaimError("no text") from None
    if json.dumps(value) != text:
        raise ClaimError("a text in another form")
    return str(value)
