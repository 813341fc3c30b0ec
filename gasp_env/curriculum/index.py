"""The novelty index: embeddings and hashes of every question ever accepted.

The law of this module: it only grows; a copy shares the rows until either side appends.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gasp_env.curriculum.records import Nearest, Vector
from gasp_env.errors import StoreError

__all__ = ("Index",)


class Index:
    """Cosine over unit rows, and exact look-ups of hashes."""

    __slots__ = ("_codes", "_deeds", "_ids", "_rows", "_shared")

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._ids: list[str] = []
        self._codes: dict[str, str] = {}
        self._deeds: dict[str, str] = {}
        self._shared = False

    def __len__(self) -> int:
        return len(self._ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Index):
            return NotImplemented
        same = (self._ids, self._codes, self._deeds) == (other._ids, other._codes, other._deeds)
        return same and np.array_equal(self._rows[: len(self)], other._rows[: len(other)])

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> "Index":
        """An independent index; the rows are copied when one of the two grows."""
        twin = Index()
        twin._rows, twin._ids = self._rows, self._ids.copy()
        twin._codes, twin._deeds = self._codes.copy(), self._deeds.copy()
        twin._shared = self._shared = True
        return twin

    def add(self, question_id: str, vector: Vector, code_hash: str, behaviour_hash: str | None) -> None:
        """Add one question; an empty vector leaves the cosine layer out.

        Raises:
            StoreError: the vector's length differs from the earlier ones.
        """
        if vector.size:
            self._append(question_id, _unit(vector))
        if code_hash:
            self._codes.setdefault(code_hash, question_id)
        if behaviour_hash:
            self._deeds.setdefault(behaviour_hash, question_id)

    def nearest(self, vector: Vector, code_hash: str, behaviour_hash: str | None) -> Nearest:
        """The nearest question by each layer."""
        cosine, nearest_id = -1.0, None
        if self._ids and vector.size:
            self._check(vector)
            scores = self._rows[: len(self._ids)] @ _unit(vector)
            place = int(scores.argmax())
            # Six digits: float32 noise must not decide whether an equal vector reaches a threshold of 1.
            cosine, nearest_id = round(float(scores[place]), 6), self._ids[place]
        return Nearest(
            cosine=cosine,
            nearest_id=nearest_id,
            same_code_id=self._codes.get(code_hash),
            same_behaviour_id=self._deeds.get(behaviour_hash) if behaviour_hash else None,
        )

    def _append(self, question_id: str, unit: Vector) -> None:
        used = len(self._ids)
        if used:
            self._check(unit)
        if self._shared or used == len(self._rows):
            grown = np.zeros((max(16, 2 * used), unit.size), dtype=np.float32)
            if used:
                grown[:used] = self._rows[:used]
            self._rows, self._shared = grown, False
        self._rows[used] = unit
        self._ids.append(question_id)

    def _check(self, vector: Vector) -> None:
        if vector.size != self._rows.shape[1]:
            raise StoreError(
                f"an embedding has {vector.size} numbers, the curriculum's have {self._rows.shape[1]}; "
                "use the embedder that the run began with"
            )


def _unit(vector: Vector) -> Vector:
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise StoreError("an embedding must be one row of finite numbers; check the embedder")
    length = math.sqrt(float(vector @ vector))
    return vector / np.float32(length) if length else vector
