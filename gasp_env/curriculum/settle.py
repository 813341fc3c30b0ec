"""From an episode's result to the event that records it; decides acceptance for the last time."""

import numpy as np

from gasp_env.config import Rules
from gasp_env.curriculum.events import Settled
from gasp_env.curriculum.records import FingerprintLike, pack
from gasp_env.curriculum.state import State
from gasp_env.types import EpisodeResult, Question, Rejection, RejectReason, Stage

__all__ = ("settled_event",)


def settled_event(state: State, result: EpisodeResult, fingerprint: FingerprintLike | None, rules: Rules) -> Settled:
    """The event of one episode against the newest state; the caller fills in the ids.

    A masked result carries no attempts, so that an infrastructure fault leaves no mark on any statistic.
    """
    question = result.question if result.accepted and result.reward.value is not None else None
    rival = _rival(state, question, fingerprint, rules) if question is not None else None
    if rival is not None:
        question = None
    prints = fingerprint if question is not None else None
    rejection = result.rejection if rival is None else _lost(rival)
    proposed = result.question.id if result.question is not None else None
    rate, (solved, tries) = result.solve_rate, _tries(result)
    return Settled(
        episode_id="",
        ticket_id=result.ticket.id,
        stage=result.stage,
        baseline_key=result.baseline_key,
        reward=result.reward.value,
        masked=result.masked,
        goalpost_id=result.goalpost_id,
        question_id=result.question_id or proposed,
        question=question,
        vector=pack(prints.vector) if prints is not None else "",
        code_hash=prints.code_hash if prints is not None else "",
        behaviour_hash=prints.behaviour_hash if prints is not None else None,
        duplicate_of=rival,
        reason=rejection.reason if rejection is not None else None,
        detail=rejection.detail if rejection is not None else "",
        probes_solved=rate.solved if rate is not None else 0,
        probes=rate.n if rate is not None else 0,
        solved=solved,
        tries=tries,
    )


def _rival(state: State, question: Question, fingerprint: FingerprintLike | None, rules: Rules) -> str | None:
    """What was accepted first, if anything is too near."""
    if question.id in state.questions:
        return question.id
    if fingerprint is None:
        return None
    vector = np.asarray(fingerprint.vector, dtype=np.float32)
    found = state.index.nearest(vector, fingerprint.code_hash, fingerprint.behaviour_hash)
    if found.nearest_id is not None and found.cosine >= rules.similarity_threshold:
        return found.nearest_id
    if rules.reject_same_code and found.same_code_id is not None:
        return found.same_code_id
    return found.same_behaviour_id if rules.reject_same_behaviour else None


def _lost(rival: str) -> Rejection:
    return Rejection(reason=RejectReason.SIMILARITY, detail=f"accepted meanwhile: {rival}")


def _tries(result: EpisodeResult) -> tuple[int, int]:
    """One student episode is one try, whatever its turns; solved if its last graded turn is."""
    graded = [one.solved for one in result.attempts if one.solved is not None]
    if result.stage not in (Stage.SOLVE, Stage.REAL) or result.reward.value is None:
        return 0, 0
    return (int(graded[-1]), 1) if graded else (0, 0)
