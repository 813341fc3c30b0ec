"""From the trained turns of an episode to the one token sequence that a trainer learns from.

The law of this module: ids are those that were sampled or read by the model; text is never tokenised again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gasp_env.play.arena import Trained

__all__ = ("TokenSpan", "trained_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpan:
    """One sequence. ``completion_ids``, ``logprobs`` and ``mask`` align."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """0.0 where the token is not the model's."""
    mask: tuple[int, ...]
    """1 for the model's tokens, 0 for what the environment said between two turns."""
    turns: int
    """Turns in the sequence; fewer than were played where the template rewrites earlier turns."""


def trained_tokens(trained: Sequence[Trained]) -> TokenSpan | None:
    """Join the turns of an episode.

    Turns are joined as long as the next prompt goes on exactly where the last completion ended. A chat template that
    rewrites history (one that drops earlier reasoning, for example) breaks that: then the sequence starts anew there, so
    that what is trained is always what the model really read.

    Returns:
        None if no turn holds token ids: the policy does not know them, or nothing was sampled.
    """
    found: TokenSpan | None = None
    for _, one in trained:
        if not one.token_ids or one.prompt_ids is None:
            continue
        logprobs = one.logprobs or (0.0,) * len(one.token_ids)
        turn = TokenSpan(
            prompt_ids=one.prompt_ids,
            completion_ids=one.token_ids,
            logprobs=logprobs,
            mask=(1,) * len(one.token_ids),
            turns=1,
        )
        found = turn if found is None else _join(found, turn) or turn
    return found


def _join(first: TokenSpan, then: TokenSpan) -> TokenSpan | None:
    read = first.prompt_ids + first.completion_ids
    if then.prompt_ids[: len(read)] != read:
        return None
    between = then.prompt_ids[len(read) :]
    return TokenSpan(
        prompt_ids=first.prompt_ids,
        completion_ids=first.completion_ids + between + then.completion_ids,
        logprobs=first.logprobs + (0.0,) * len(between) + then.logprobs,
        mask=first.mask + (0,) * len(between) + then.mask,
        turns=first.turns + then.turns,
    )
