"""LiveCodeBench's own list of defective problems (its ERRATA.md), by question id or LeetCode title.

A miner of unsolved problems picks these up: no program solves a wrong test.
"""

import re

__all__ = ("INTERACTIVE", "is_erratum")

_MANY_ANSWERS = (
    "abc311_c", "abc326_d", "abc327_b", "abc333_e", "abc343_e", "abc362_c", "abc343_a", "arc185_c",
    "find-words-containing-character", "find-the-peaks", "generate-binary-strings-without-adjacent-zeros",
)  # fmt: skip
_WRONG_TESTS = ("abc350_c", "arc189_a", "apply-operations-to-make-string-empty", "most-frequent-ids")
INTERACTIVE = ("abc337_e", "abc355_e")
"""Problems that talk with a judge."""
_LISTED = frozenset(_MANY_ANSWERS + _WRONG_TESTS + INTERACTIVE)
_GAP = re.compile(r"[^a-z0-9_]+")


def is_erratum(question_id: str, title: str) -> bool:
    """True if the problem is on the list."""
    return question_id in _LISTED or _GAP.sub("-", title.lower()).strip("-") in _LISTED
