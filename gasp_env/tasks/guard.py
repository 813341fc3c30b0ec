"""Contamination guard: nothing of an evaluation set in goalposts, prompts or buffers; no goalpost text in lifts. Pure.

Three layers for near copies: a hash of the text without case and space, shared runs of words (shingles), and, where the
caller gives one, an embedding. For lifts: no run of 30 characters of the goalpost that the lemma does not hold itself.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from gasp_env.tasks.problem import Problem, statement_hash

__all__ = ("LEAK_RUN", "Guard", "Layer", "Match", "leaked_run")

LEAK_RUN = 30
"""Characters."""
_WORD = re.compile(r"[a-z0-9]+")


class Layer(StrEnum):
    """What found a near copy."""

    HASH = "hash"
    SHINGLES = "shingles"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A guarded item that a text is too near to."""

    id: str
    layer: Layer
    score: float
    """1 for equal texts; the share of shared runs; or the cosine."""


Embed = Callable[[str], Sequence[float]]


class Guard:
    """Knows the guarded texts; asks are quick (an inverted index of word runs)."""

    def __init__(self, *, words: int = 8, share: float = 0.3, embed: Embed | None = None, cosine: float = 0.95) -> None:
        """Set the thresholds.

        Args:
            words: length of a run of words.
            share: of the shorter text's runs, from which on it counts as a copy.
            embed: vector of a text; None leaves that layer out.
            cosine: from which on vectors count as copies.
        """
        self._words, self._share, self._embed, self._cosine = words, share, embed, cosine
        self._hashes: dict[str, str] = {}
        self._runs: defaultdict[int, set[str]] = defaultdict(set)
        self._sizes: dict[str, int] = {}
        self._vectors: dict[str, tuple[float, ...]] = {}

    def add(self, name: str, text: str) -> None:
        """Guard a text."""
        self._hashes[statement_hash("", text)] = name
        runs = self._shingles(text)
        self._sizes[name] = len(runs)
        for run in runs:
            self._runs[run].add(name)
        if self._embed is not None:
            self._vectors[name] = tuple(self._embed(text))

    def add_all(self, problems: Iterable[Problem]) -> int:
        """Guard the statements of problems; returns how many."""
        before = len(self._sizes)
        for problem in problems:
            self.add(problem.id, problem.statement)
        return len(self._sizes) - before

    def near(self, text: str) -> Match | None:
        """The guarded item that ``text`` copies, if any."""
        same = self._hashes.get(statement_hash("", text))
        if same is not None:
            return Match(id=same, layer=Layer.HASH, score=1.0)
        return self._by_runs(text) or self._by_vector(text)

    def _by_runs(self, text: str) -> Match | None:
        runs = self._shingles(text)
        shared = Counter(name for run in runs for name in self._runs.get(run, ()))
        for name, count in shared.most_common(1):
            score = count / min(len(runs), self._sizes[name])
            if score >= self._share:
                return Match(id=name, layer=Layer.SHINGLES, score=score)
        return None

    def _by_vector(self, text: str) -> Match | None:
        if self._embed is None or not self._vectors:
            return None
        vector = self._embed(text)
        score, name = max((_cosine(vector, other), name) for name, other in self._vectors.items())
        return Match(id=name, layer=Layer.EMBEDDING, score=score) if score >= self._cosine else None

    def _shingles(self, text: str) -> set[int]:
        words = _WORD.findall(text.lower())
        return {hash(tuple(words[at : at + self._words])) for at in range(len(words) - self._words + 1)}


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    size = sqrt(sum(a * a for a in left)) * sqrt(sum(b * b for b in right))
    return dot / size if size else 0.0


def leaked_run(goalpost: str, lift: str, *, lemma: str = "", run: int = LEAK_RUN) -> str | None:
    """A run of the goalpost's characters that a lift holds and its lemma does not (checklist line 4).

    Args:
        goalpost: statement of the goalpost.
        lift: text of the lift, or of its prompt.
        lemma: text of the lemma; what it holds may be used.
        run: characters.
    """
    known = {lemma[at : at + run] for at in range(len(lemma) - run + 1)}
    held = {lift[at : at + run] for at in range(len(lift) - run + 1)}
    for at in range(len(goalpost) - run + 1):
        part = goalpost[at : at + run]
        if part in held and part not in known and part.strip():
            return part
    return None
