"""Reads the frames of a child in the trusted process: streaming, bounded, and suspicious.

The law of this module: nothing of a frame is trusted but its claim of a value. A length, an index or a kind that can't
be makes the whole job a protocol error; nothing is allocated on the word of a header.
"""

import json
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gasp_env.types import Job, TestOutcome, Verdict

__all__ = ("Frames", "State")

_HEADER = struct.Struct("<IIB")
_MAX_WORDS = 4096
"""Bytes of an error or set-up frame."""


class State(StrEnum):
    """How far a child has come."""

    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    FAILED = "failed"
    """The set-up failed before the program ran: ours."""
    BROKEN = "broken"
    """It broke the protocol."""


@dataclass(slots=True)
class Frames:
    """Parser of one child's frames."""

    job: Job
    first: int
    """Index of the first test that this child runs."""
    found: dict[int, TestOutcome] = field(default_factory=dict[int, TestOutcome])
    state: State = State.STARTING
    why: str = ""
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> int:
        """Take what came in; returns how many tests it completed."""
        before = len(self.found)
        self._buffer += data
        while self.state not in (State.BROKEN, State.FAILED) and self._frame():
            pass
        return len(self.found) - before

    def _frame(self) -> bool:
        buffer = self._buffer
        if self.state is State.DONE and buffer:
            return self._break("bytes after the end")
        if len(buffer) < _HEADER.size:
            return False
        size, index, code = _HEADER.unpack_from(buffer)
        kind = chr(code)
        if kind not in "rvoeuxsd" or size > (self.job.limits.output_bytes if kind in "vo" else _MAX_WORDS):
            return self._break("a header that can't be")
        if len(buffer) < _HEADER.size + size:
            return False
        body = bytes(buffer[_HEADER.size : _HEADER.size + size])
        del buffer[: _HEADER.size + size]
        return self._take(kind, index, body)

    def _take(self, kind: str, index: int, body: bytes) -> bool:
        if self.state is State.STARTING:
            self.state = {"r": State.READY, "s": State.FAILED}.get(kind, State.BROKEN)
            self.why = body.decode("utf-8", "replace") if kind == "s" else "no start"
            return self.state is State.READY
        if kind == "d":
            self.state = State.DONE
            return True
        expected = self.first + len(self.found)
        if kind in "rs" or index != expected or index >= len(self.job.inputs):
            return self._break("a frame out of order")
        outcome = _outcome(kind, body)
        if outcome is None:
            return self._break("a body that can't be")
        self.found[index] = outcome
        return True

    def _break(self, why: str) -> bool:
        self.state, self.why = State.BROKEN, why
        return False


def _outcome(kind: str, body: bytes) -> TestOutcome | None:
    if kind == "o":
        return TestOutcome(verdict=Verdict.OK, stdout=body.decode("utf-8", "replace"))
    if kind == "v":
        return TestOutcome(verdict=Verdict.OK, value=body.decode("ascii")) if body.isascii() else None
    if kind == "u":
        return TestOutcome(verdict=Verdict.UNENCODABLE, error=body.decode("utf-8", "replace")[:100])
    if kind == "x":
        return TestOutcome(verdict=Verdict.OUTPUT_LIMIT, error="output too large")
    return _error(body)


def _words(raw: Any) -> tuple[str, str, int | None] | None:  # noqa: ANN401 - any JSON
    if not isinstance(raw, list) or len(raw) != 3:  # pyright: ignore[reportUnknownArgumentType]
        return None
    name, message, line = raw  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(name, str) or not isinstance(message, str):
        return None
    return name, message, line if type(line) is int else None  # pyright: ignore[reportUnknownArgumentType]


def _error(body: bytes) -> TestOutcome | None:
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    words = _words(raw)
    if words is None:
        return None
    name, message, line = words
    verdict = Verdict.MEMORY if name == "MemoryError" else Verdict.RUNTIME_ERROR
    return TestOutcome(verdict=verdict, error=name[:100], message=message[:200], line=line)
