"""The one internal row that every data set is read into, and how it becomes a goalpost.

The law of this module: expected outputs are data (canonical values or text), or a check program that the grader runs
away from the judged program; nothing of a row is ever evaluated here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from gasp_env.errors import DataError
from gasp_env.types import Goalpost, InputStyle, TestCase

__all__ = ("Flag", "Problem", "Refusal", "Refused", "statement_hash", "to_goalpost")

GOALPOST_BYTES = 8 << 20
"""Most bytes of hidden tests that a goalpost file carries for one problem."""


class Flag(StrEnum):
    """What a reader should know about a problem; a flag refuses nothing by itself."""

    ERRATA = "errata"
    """On LiveCodeBench's list of wrong or many-answer problems: unsolved may mean unsolvable."""
    DUPLICATE = "duplicate"
    """Same title and statement as an earlier problem."""
    INTERACTIVE = "interactive"
    """Talks with a judge; kept so that counts agree with the published ones, refused by the miner."""
    NO_TESTS = "no_tests"
    """Nothing to grade with."""
    FEW_TESTS = "few_tests"
    """Fewer than three tests: a wrong program passes easily."""
    FLOATS = "floats"
    """An expected output holds a fraction: exact comparison may refuse right programs."""
    CAPPED = "capped"
    """Some tests were left out for size."""
    EVALUATION = "evaluation"
    """Inside the evaluation window: not for mining."""


class Refusal(StrEnum):
    """Why a row is not used, in a word."""

    CHECKER = "checker"
    """Many right answers: needs a checker program."""
    INTERACTIVE = "interactive"
    NO_TESTS = "no_tests"
    LANGUAGE = "language"
    """Not a Python problem."""
    DUPLICATE = "duplicate"
    BAD_ROW = "bad_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that is not used."""

    where: str
    """File and row."""
    id: str
    reason: Refusal
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One real problem of any data set."""

    id: str
    statement: str
    style: InputStyle
    title: str = ""
    visible: tuple[TestCase, ...] = ()
    """Tests that a prompt may show."""
    hidden: tuple[TestCase, ...] = ()
    entry: str = ""
    """Name of the function (bare, without a class); empty for standard input."""
    starter_code: str = ""
    platform: str = ""
    date: str | None = None
    """ISO date and time of publication."""
    difficulty: str | None = None
    source: str = ""
    tags: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    reference: str | None = None
    """A whole program that solves it; never shown to a model."""
    prompt_code: str = ""
    """Code that a bare completion continues (HumanEval)."""
    check: str = ""
    """Python test program that calls ``entry``, where tests are assertions; graded away from the judged program."""
    preamble: bool = False
    """The programs of this data set count on star imports of the standard library (LiveCodeBench)."""
    time_s: float | None = None
    """Time limit that the data set states."""

    @property
    def tests(self) -> tuple[TestCase, ...]:
        """Visible, then hidden tests."""
        return self.visible + self.hidden


_SPACE = re.compile(r"\s+")


def statement_hash(title: str, statement: str) -> str:
    """Hash of title and statement without case and space: equal across re-formatted copies.

    Punctuation counts: HumanEval/56 and /61 differ in their brackets alone.
    """
    plain = (_SPACE.sub("", text.lower()) for text in (title, statement))
    return sha256("\0".join(plain).encode()).hexdigest()[:16]


def to_goalpost(problem: Problem, *, max_bytes: int = GOALPOST_BYTES) -> Goalpost:
    """The problem as a goalpost that `gasp-env play` reads.

    Args:
        problem: with input-output tests.
        max_bytes: hidden tests beyond this size are left out, from the largest on.

    Raises:
        DataError: it has no hidden tests that a goalpost file can hold.
    """
    visible, hidden = problem.visible, _within(problem.hidden, max_bytes)
    if not hidden and len(visible) > 1:
        visible, hidden = visible[:1], visible[1:]
    if not hidden:
        raise DataError(f"problem {problem.id!r}, field `tests`: no input-output test of at most {max_bytes} bytes")
    return Goalpost(
        id=problem.id,
        statement=problem.statement,
        style=problem.style,
        visible=visible,
        hidden=hidden,
        entry=_goalpost_entry(problem),
        starter_code=problem.starter_code,
        reference=problem.reference,
        source=problem.source,
        date=problem.date,
        difficulty=problem.difficulty,
        tags=(*problem.tags, *(flag.value for flag in problem.flags)),
    )


def _goalpost_entry(problem: Problem) -> str:
    if problem.style is InputStyle.STDIN:
        return "f"
    return f"Solution().{problem.entry}" if "class Solution" in problem.starter_code else problem.entry


def _within(tests: tuple[TestCase, ...], most: int) -> tuple[TestCase, ...]:
    sizes = sorted((len(test.input) + len(test.output), place) for place, test in enumerate(tests))
    kept, total = set[int](), 0
    for size, place in sizes:
        total += size
        if total > most:
            break
        kept.add(place)
    return tuple(test for place, test in enumerate(tests) if place in kept)
