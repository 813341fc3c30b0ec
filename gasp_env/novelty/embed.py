"""Embeddings of questions for the similarity check (paper: cosine of question text and code, 0.95 refuses).

The paper does not name its model. Built in: hashed word and character n-grams, which need no model. With the extra
``embed``: any sentence-transformers model.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gasp_env._optional import require
from gasp_env.errors import ConfigError
from gasp_env.novelty.canonical import canonical_code
from gasp_env.types import Question

__all__ = ("Embedder", "HashingEmbedder", "SentenceEmbedder", "make_embedder", "question_text")

_WORD = re.compile(r"\w+|[^\w\s]")
_CAP = 20_000


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text, shape (len(texts), dim)."""
        ...


def question_text(question: Question) -> str:
    """What is embedded: the message and the canonical code."""
    return f"{question.message}\n{canonical_code(question.program) or question.program}"


class HashingEmbedder:
    """Hashed words, word pairs and character trigrams, damped by the square root of their counts."""

    def __init__(self, dim: int = 512) -> None:
        """Set the width of the vectors."""
        self.dim, self.name = dim, f"hashing-{dim}"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text; equal texts have equal vectors on every machine."""
        return np.stack([self._embed(text[:_CAP]) for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _embed(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.dim, dtype=np.float32)
        for gram, count in Counter(_grams(text)).items():
            mark = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
            vector[mark % self.dim] += (1 if mark >> 31 else -1) * count**0.5
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector


class SentenceEmbedder:
    """A sentence-transformers model, by name or folder."""

    def __init__(self, model: str) -> None:
        """Load the model.

        Raises:
            MissingExtra: sentence-transformers is not installed.
        """
        package = require("sentence_transformers", extra="embed")
        self._model: Any = package.SentenceTransformer(model, device="cpu")
        self.name = f"sentence-transformers:{model}"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text."""
        found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)


def make_embedder(spec: str = "hashing") -> Embedder:
    """Build an embedder from ``hashing`` or ``sentence-transformers:NAME_OR_FOLDER``.

    Raises:
        ConfigError: another word.
        MissingExtra: the extra ``embed`` is needed.
    """
    kind, _, model = spec.partition(":")
    if kind == "hashing":
        return HashingEmbedder()
    if kind == "sentence-transformers" and model:
        return SentenceEmbedder(model)
    raise ConfigError(f"embedder: unknown {spec!r}; use 'hashing' or 'sentence-transformers:NAME_OR_FOLDER'")


def _grams(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    marked = [f"_{word}_" for word in words]
    trigrams = [word[at : at + 3] for word in marked for at in range(len(word) - 2)]
    return words + pairs + trigrams
