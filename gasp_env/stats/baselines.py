"""Task-relative REINFORCE++ (AZR 2505.03335, section on the estimator): one baseline a task and role.

The advantage of a sample is ``(r - mean) / std`` within its group, the samples of the batch with the same key
(`EpisodeResult.baseline_key`). The paper whitens over sequences; AZR's public code weighs each sequence by its tokens.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

__all__ = ("Whitened", "whiten")

_FLAT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitened:
    """Advantages aligned with the rewards; None stays None."""

    advantages: tuple[float | None, ...]
    flat_groups: tuple[str, ...]
    """Keys whose rewards were all equal: their advantages are 0, their compute was spent for nothing."""


def whiten(rewards: Sequence[float | None], keys: Sequence[str], *, lengths: Sequence[int] | None = None) -> Whitened:
    """Whiten rewards within their groups.

    Args:
        rewards: one a sample; None is masked and takes no part.
        keys: the group of each sample.
        lengths: trained tokens of each sample for whitening over tokens; None whitens over sequences.

    Raises:
        ValueError: lengths of the arguments differ.
    """
    weights = lengths or [1] * len(rewards)
    groups: dict[str, list[int]] = defaultdict(list)
    for place, (reward, key, _) in enumerate(zip(rewards, keys, weights, strict=True)):
        if reward is not None:
            groups[key].append(place)
    advantages: list[float | None] = [None] * len(rewards)
    flat: list[str] = []
    for key, places in groups.items():
        known = [(place, rewards[place] or 0.0, weights[place]) for place in places]
        mean, std = _moments([(value, weight) for _, value, weight in known])
        if std <= _FLAT:
            flat.append(key)
        for place, value, _ in known:
            advantages[place] = 0.0 if std <= _FLAT else (value - mean) / std
    return Whitened(advantages=tuple(advantages), flat_groups=tuple(flat))


def _moments(known: Sequence[tuple[float, int]]) -> tuple[float, float]:
    total = sum(weight for _, weight in known)
    if not total:
        return 0.0, 0.0
    mean = sum(value * weight for value, weight in known) / total
    return mean, sqrt(sum(weight * (value - mean) ** 2 for value, weight in known) / total)
