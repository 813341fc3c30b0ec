"""What a driver needs from the curriculum: any object of this shape plays; the real one is `gasp_env.curriculum`."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gasp_env.curriculum import FingerprintLike, Nearest, Settlement
from gasp_env.types import EpisodeResult, Question, Task, Ticket

__all__ = ("Ledger",)


class Ledger(Protocol):
    """The curriculum, as a driver sees it. Calls are quick (a few ms) and made from one thread."""

    def resolve(self, ticket: Ticket) -> Task:
        """What a ticket asks for; equal tickets get equal tasks."""
        ...

    def novelty(
        self, question: Question, vector: NDArray[np.float32], code_hash: str, behaviour_hash: str | None
    ) -> Nearest:
        """The nearest accepted questions."""
        ...

    def settle(
        self,
        result: EpisodeResult,
        *,
        episode_id: str,
        fingerprint: FingerprintLike | None,
        policy_version: str = "",
    ) -> Settlement:
        """Write what an episode produced; once per episode id."""
        ...
