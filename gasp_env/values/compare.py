"""Comparison of canonical values and of standard output, in the trusted process.

| mode | equal if | for |
|---|---|---|
| exact | same canonical text: types count, NaN is itself | proposed questions (AZR tasks) |
| python_eq | Python's ``==`` on plain data: ``True == 1 == 1.0``, NaN equals nothing | parity with AZR |
| lcb_call | a top-level tuple counts as a list, then ``==`` | LiveCodeBench, functional |
| close | same shape; floats within 1e-9 relative or 1e-6 absolute | float tolerance, by choice |
| stdout | same lines after stripping, or the same decimals on a line | LiveCodeBench, stdin |
"""

import math
import re
from decimal import Decimal
from enum import StrEnum
from typing import Any

from gasp_env.values.canonical import CanonicalError, decode, kind_of

__all__ = ("CompareMode", "equal")


class CompareMode(StrEnum):
    """How a result is compared with what was expected."""

    EXACT = "exact"
    PYTHON_EQ = "python_eq"
    LCB_CALL = "lcb_call"
    CLOSE = "close"
    STDOUT = "stdout"


def equal(got: str, want: str, *, mode: CompareMode, rel: float = 1e-9, abs_: float = 1e-6) -> bool:
    """True if ``got`` counts as ``want``.

    Args:
        got: canonical text, or standard output for ``STDOUT``; written by the program, so untrusted.
        want: the expected one.
        mode: the rule.
        rel: relative tolerance of ``CLOSE``.
        abs_: absolute tolerance of ``CLOSE``.
    """
    if mode is CompareMode.STDOUT:
        return _same_output(got, want)
    if got == want and mode is CompareMode.EXACT:
        return True
    if mode is CompareMode.EXACT:
        return False
    try:
        left, right = decode(got), decode(want)
    except CanonicalError:
        return False
    if mode is CompareMode.CLOSE:
        return _close(left, right, rel, abs_)
    if mode is CompareMode.LCB_CALL:
        left, right = _listed(left), _listed(right)
    return bool(left == right)


def _listed(value: Any) -> Any:  # noqa: ANN401
    return list(value) if kind_of(value) is tuple else value


def _close(left: Any, right: Any, rel: float, abs_: float) -> bool:  # noqa: ANN401
    kinds = (kind_of(left), kind_of(right))
    if float in kinds and set(kinds) <= {int, float}:
        return math.isclose(left, right, rel_tol=rel, abs_tol=abs_)
    if kinds[0] is not kinds[1]:
        return False
    if kinds[0] in (list, tuple):
        return len(left) == len(right) and all(_close(a, b, rel, abs_) for a, b in zip(left, right, strict=True))
    if kinds[0] is dict:
        return left.keys() == right.keys() and all(_close(left[key], right[key], rel, abs_) for key in left)
    return bool(left == right)


_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


def _same_output(got: str, want: str) -> bool:
    mine, other = (text.strip().split("\n") for text in (got, want))
    return len(mine) == len(other) and all(_same_line(a.strip(), b.strip()) for a, b in zip(mine, other, strict=True))


def _same_line(got: str, want: str) -> bool:
    if got == want:
        return True
    mine, other = got.split(), want.split()
    if len(mine) != len(other) or not all(_DECIMAL.fullmatch(token) for token in mine + other):
        return False
    return all(Decimal(a) == Decimal(b) for a, b in zip(mine, other, strict=True))
