"""Intervals for solve rates: 0 of n is "unknown", not "impossible" (checklist line 19)."""

from collections.abc import Callable
from math import comb, sqrt
from statistics import NormalDist

from gasp_env.config import Band
from gasp_env.types import SolveRate

__all__ = ("Interval", "accept_probability", "clopper_pearson", "edge_straddles", "newcombe", "wilson")

Interval = tuple[float, float]
"""Low and high, both in [0, 1] for a rate and in [-1, 1] for a difference."""


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(rate: SolveRate, *, level: float = 0.95) -> Interval:
    """Wilson score interval; (0, 1) where nothing was measured."""
    if rate.n == 0:
        return 0.0, 1.0
    z, n, p = _z(level), rate.n, rate.value
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half) if rate.solved else 0.0, min(1.0, centre + half) if rate.solved < n else 1.0


def clopper_pearson(rate: SolveRate, *, level: float = 0.95) -> Interval:
    """Exact interval: never covers less than ``level``. For counts up to some thousands."""
    k, n, tail = rate.solved, rate.n, (1 - level) / 2
    if n == 0:
        return 0.0, 1.0
    low = 0.0 if k == 0 else _root(lambda p: 1 - _cdf(k - 1, n, p) - tail)
    high = 1.0 if k == n else _root(lambda p: tail - _cdf(k, n, p))
    return low, high


def newcombe(before: SolveRate, after: SolveRate, *, level: float = 0.95) -> Interval:
    """Interval of ``after - before`` for two independent samples (Newcombe 1998, method 10, from Wilson's)."""
    if not before.n or not after.n:
        return -1.0, 1.0
    (l1, u1), (l2, u2) = wilson(after, level=level), wilson(before, level=level)
    p1, p2 = after.value, before.value
    gap = p1 - p2
    return gap - sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2), gap + sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)


def accept_probability(p: float, n: int, band: Band) -> float:
    """Chance that ``n`` attempts at true rate ``p`` land inside a band (exact)."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1) if band.holds(k, n))


def edge_straddles(rate: SolveRate, band: Band, *, level: float = 0.8) -> bool:
    """True if the interval of the true rate lies on both sides of an edge of the band: more attempts would tell."""
    if rate.n == 0:
        return False
    low, high = wilson(rate, level=level)
    return any(low < edge / 10 < high for edge in (band.low, band.high) if 0 < edge < 10)


def _cdf(k: int, n: int, p: float) -> float:
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
