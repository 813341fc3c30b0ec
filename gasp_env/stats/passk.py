"""pass@k by the unbiased estimator (Chen et al. 2021): 1 - C(n - c, k) / C(n, k), averaged over problems."""

from collections.abc import Sequence
from math import comb
from random import Random

from gasp_env.types import SolveRate

__all__ = ("bootstrap", "mean_pass_at_k", "pass_at_k")


def pass_at_k(rate: SolveRate, k: int) -> float:
    """Chance that at least one of ``k`` samples, drawn from the ``n`` measured ones without replacement, is right.

    Raises:
        ValueError: fewer than ``k`` samples were measured, or k < 1.
    """
    if not 1 <= k <= rate.n:
        raise ValueError(f"pass@{k} needs at least {max(k, 1)} samples a problem, got {rate.n}")
    return 1.0 - comb(rate.n - rate.solved, k) / comb(rate.n, k)


def mean_pass_at_k(rates: Sequence[SolveRate], k: int) -> float:
    """Mean over problems.

    Raises:
        ValueError: no problems, or one has fewer than ``k`` samples.
    """
    if not rates:
        raise ValueError("pass@k of no problems is undefined")
    return sum(pass_at_k(rate, k) for rate in rates) / len(rates)


def bootstrap(values: Sequence[float], *, rng: Random, draws: int = 1000, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean when problems are drawn anew.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("the bootstrap of no values is undefined")
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(draws))
    tail = (1 - level) / 2
    return means[int(tail * (draws - 1))], means[round((1 - tail) * (draws - 1))]
