"""Behaviour on shared probes: programs that act alike on the same inputs are alike, however they are written."""

from collections.abc import Sequence
from hashlib import sha256

from gasp_env.types import TestOutcome, Verdict

__all__ = ("behaviour_hash", "probe_inputs")

_VALUES = (
    "0",
    "1",
    "-7",
    "12",
    "[]",
    "[3, 1, 2]",
    "[5, 5, -1, 0, 8, 2]",
    "[1, 2, 3, 4, 5, 6, 7, 8]",
    "''",
    "'a'",
    "'hello world'",
    "'3 1 2'",
    "[[1, 2], [3, 4]]",
    "['b', 'a', 'c', 'a']",
    "{'a': 1, 'b': 2}",
    "True",
    "2.5",
    "(1, 2)",
)
_SHIFTS = (0, 1, 5)


def probe_inputs(arity: int) -> tuple[str, ...]:
    """Fixed literal arguments for a function of ``arity`` parameters: numbers, texts, lists, empty and nested ones."""
    if arity < 1:
        return ("",)
    size = len(_VALUES)
    rows = (
        ", ".join(_VALUES[(at + shift * place) % size] for place in range(arity))
        for shift in (_SHIFTS if arity > 1 else (0,))
        for at in range(size)
    )
    return tuple(dict.fromkeys(rows))


def behaviour_hash(outcomes: Sequence[TestOutcome]) -> str | None:
    """Hash of what came back for each probe (errors by their type); None unless three probes gave values."""
    if sum(one.verdict is Verdict.OK for one in outcomes) < 3:
        return None
    shown = (one.value if one.verdict is Verdict.OK else f"!{one.verdict}:{one.error}" for one in outcomes)
    return sha256("\0".join(text or "" for text in shown).encode()).hexdigest()[:20]
