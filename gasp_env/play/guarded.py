"""A curriculum behind a contamination guard.

    arena = Arena(GuardedLedger(curriculum, guard), sandbox, policy, embedder, config)

Proposals near an evaluation problem, and lifts that quote their goalpost, count as copies: refused before any rollout is
spent on them (checklist lines 4 and 28). The law of this module: it only ever makes a proposal look less novel; what is
settled passes through untouched.
"""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from gasp_env.curriculum import FingerprintLike, Nearest, Settlement
from gasp_env.play.ports import Ledger
from gasp_env.tasks import Guard, leaked_run
from gasp_env.types import EpisodeResult, Goalpost, LemmaTask, LiftTask, Question, Task, Ticket

__all__ = ("COPY", "GuardedLedger")

COPY = 2.0
"""Cosine that is reported for a guarded match: above every threshold that a configuration may set."""
_KEPT = 4096


class GuardedLedger:
    """A ledger that knows what must not be copied."""

    def __init__(self, ledger: Ledger, guard: Guard, goalposts: tuple[Goalpost, ...] = ()) -> None:
        """Wrap a ledger.

        Args:
            ledger: the curriculum.
            guard: of the evaluation set.
            goalposts: whose statements lifts must not quote; those that lemma tasks show are learnt too.
        """
        self._ledger, self._guard = ledger, guard
        self._statements = {one.id: one.statement for one in goalposts}
        self._parents: OrderedDict[str, str] = OrderedDict()

    def resolve(self, ticket: Ticket) -> Task:
        """What a ticket asks for."""
        task = self._ledger.resolve(ticket)
        if isinstance(task, LemmaTask):
            self._statements[task.goalpost.id] = task.goalpost.statement
        elif isinstance(task, LiftTask):
            self._parents[task.parent.id] = _text(task.parent)
            if len(self._parents) > _KEPT:
                self._parents.popitem(last=False)
        return task

    def novelty(
        self, question: Question, vector: NDArray[np.float32], code_hash: str, behaviour_hash: str | None
    ) -> Nearest:
        """The nearest accepted question, or the guarded text that the proposal copies."""
        why = self._copied(question)
        if why is not None:
            return Nearest(cosine=COPY, nearest_id=why)
        return self._ledger.novelty(question, vector, code_hash, behaviour_hash)

    def settle(
        self,
        result: EpisodeResult,
        *,
        episode_id: str,
        fingerprint: FingerprintLike | None,
        policy_version: str = "",
    ) -> Settlement:
        """Write what an episode produced."""
        return self._ledger.settle(
            result, episode_id=episode_id, fingerprint=fingerprint, policy_version=policy_version
        )

    def _copied(self, question: Question) -> str | None:
        match = self._guard.near(question.message)
        if match is not None:
            return f"evaluation problem {match.id} ({match.layer} {match.score:.2f})"
        statement = self._statements.get(question.goalpost_id or "")
        if statement is None or question.depth < 2:
            return None  # a lemma is made from the statement; only lifts must not hold it
        parent = self._parents.get(question.parent_id or "", "")
        leak = leaked_run(statement, _text(question), lemma=parent)
        return None if leak is None else f"text of goalpost {question.goalpost_id}: {leak!r}"


def _text(question: Question) -> str:
    return f"{question.message}\n{question.program}"
