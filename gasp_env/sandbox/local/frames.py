"""Reads what a child wrote, as claims of a hostile process: bounded, in order, each test once, nothing evaluated."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, cast

from gasp_env.sandbox.guest.wire import FRAME, FrameKind
from gasp_env.sandbox.local.claims import ClaimChecker, ClaimError
from gasp_env.types import TestOutcome, Verdict

__all__ = ("ERROR_BYTES", "FrameError", "FrameReader", "safe_text")

ERROR_BYTES = 4096
"""Most bytes of an error frame."""
JOB_FACTOR = 16
"""A job may report this many times the limit of one test."""
AT_ONCE_BYTES = 1 << 14
"""Longer values are checked later, off the event loop (`FrameReader.check_rest`)."""
_CLAIMS = {
    "runtime_error": Verdict.RUNTIME_ERROR,
    "memory": Verdict.MEMORY,
    "output_limit": Verdict.OUTPUT_LIMIT,
    "unencodable": Verdict.UNENCODABLE,
}


_KINDS = {int(kind): kind for kind in FrameKind}
_REPORTS = (FrameKind.VALUE, FrameKind.STDOUT, FrameKind.ERROR)
_UNSAFE = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Control codes, and halves of characters that no file or terminal takes."""


class FrameError(Exception):
    """The child wrote something else than reports, or too much; ``verdict`` says which."""

    def __init__(self, verdict: Verdict, what: str) -> None:
        super().__init__(what)
        self.verdict = verdict
        self.what = what


@dataclass(slots=True, kw_only=True)
class FrameReader:
    """Streaming parser of one child's output."""

    tests: int
    """Tests that the child was given."""
    output_bytes: int
    outcomes: list[TestOutcome] = field(default_factory=list[TestOutcome])
    """Of the tests reported so far, in order."""
    setup: bool = False
    """Every layer was in force."""
    ready: bool = False
    """The program was loaded."""
    done: bool = False
    unchecked: list[str] = field(default_factory=list[str])
    """Long values; nothing is to be believed before `check_rest`."""
    buffer: bytearray = field(default_factory=bytearray)
    total: int = 0
    checker: ClaimChecker = field(default_factory=ClaimChecker)

    def feed(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            FrameError: a frame is out of order, unknown, malformed or too long; nothing after it may be trusted.
        """
        self.total += len(data)
        if self.total > JOB_FACTOR * self.output_bytes + ERROR_BYTES * (self.tests + 4):
            raise FrameError(Verdict.OUTPUT_LIMIT, "the job reports too much")
        self.buffer += data
        at = 0
        while len(self.buffer) - at >= FRAME.size:
            length, index, number = FRAME.unpack_from(self.buffer, at)
            kind = self._admit(length, index, number)
            end = at + FRAME.size + length
            if end > len(self.buffer):
                break
            self._take(kind, bytes(self.buffer[at + FRAME.size : end]))
            at = end
        del self.buffer[:at]
        if self.done and self.buffer:
            raise _broken("bytes after the end")

    def check_rest(self) -> None:
        """Check the long values; takes up to seconds.

        Raises:
            FrameError: one is not canonical.
        """
        while self.unchecked:
            self._check(self.unchecked.pop())

    def _admit(self, length: int, index: int, number: int) -> FrameKind:
        """Judge a header before its body is waited for."""
        kind = _KINDS.get(number)
        if kind is None:
            raise _broken("unknown kind of frame")
        reports = kind in _REPORTS
        if length > (ERROR_BYTES if kind is FrameKind.ERROR else self.output_bytes if reports else 0):
            raise _broken("a frame is too long")
        if self.done or index != (len(self.outcomes) if reports else 0) or (reports and index >= self.tests):
            raise _broken("a frame is out of order")
        if kind is not FrameKind.SETUP and not self.setup:
            raise _broken("a frame before set-up")
        return kind

    def _take(self, kind: FrameKind, body: bytes) -> None:
        match kind:
            case FrameKind.SETUP:
                self._once("setup")
            case FrameKind.READY:
                self._once("ready")
            case FrameKind.DONE:
                self._once("done")
            case FrameKind.ERROR:
                self.outcomes.append(_error(body))
            case FrameKind.VALUE:
                self.outcomes.append(TestOutcome(verdict=Verdict.OK, value=self._value(body)))
            case FrameKind.STDOUT:
                self.outcomes.append(TestOutcome(verdict=Verdict.OK, stdout=body.decode("utf-8", "replace")))

    def _value(self, body: bytes) -> str:
        if not body.isascii():
            raise _broken("a value is not ASCII")
        text = body.decode("ascii")
        if len(text) > AT_ONCE_BYTES:
            self.unchecked.append(text)
        else:
            self._check(text)
        return text

    def _check(self, text: str) -> None:
        try:
            self.checker.check(text)
        except ClaimError as error:
            raise _broken(f"a value is not canonical: {error}") from None

    def _once(self, name: str) -> None:
        if getattr(self, name):
            raise _broken(f"{name} twice")
        setattr(self, name, True)


def _broken(what: str) -> FrameError:
    return FrameError(Verdict.PROTOCOL_ERROR, what)


def _error(body: bytes) -> TestOutcome:
    try:
        facts: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise _broken("an error is not JSON") from None
    if not isinstance(facts, dict):
        raise _broken("an error is not an object")
    named = cast("dict[str, Any]", facts)
    verdict = _CLAIMS.get(str(named.get("verdict")))
    if verdict is None:
        raise _broken("an error without a verdict")
    line = named.get("line")
    return TestOutcome(
        verdict=verdict,
        error=safe_text(named.get("type"), 80),
        message=safe_text(named.get("message"), 200),
        line=line if type(line) is int and 0 < line < 1 << 31 else None,
    )


def safe_text(text: object, most: int) -> str:
    """A claimed text, cut to ``most`` characters, that any file and any terminal takes; empty for anything else."""
    return _UNSAFE.sub("?", text[:most]) if isinstance(text, str) else ""
