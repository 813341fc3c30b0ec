"""How sure "unsolved" is. 0 of n says that the solve rate is small, never that it is zero. Pure.

A problem with true solve rate p stays after n independent failures with chance (1 - p)^n: the false-goalpost probability
at p. Stopping at the first right answer changes what is spent, not what is decided: every problem that stays has failed
the full n.
"""

from collections.abc import Sequence

__all__ = ("RATES", "chance_kept", "expected_cost", "upper_rate")

RATES = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)


def chance_kept(p: float, n: int) -> float:
    """Chance that a problem of solve rate ``p`` fails ``n`` answers.

    Raises:
        ValueError: p is no probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"solve rate {p} is no probability")
    return (1 - p) ** n


def upper_rate(n: int, *, level: float = 0.95) -> float:
    """Largest solve rate that 0 of ``n`` does not refute at ``level`` (exact, one-sided): about 3 / n at 95 %."""
    return 1 - (1 - level) ** (1 / n) if n else 1.0


def expected_cost(p: float, targets: Sequence[int], batch: int) -> float:
    """Expected answers that the staged rule asks of a problem of solve rate ``p``.

    Args:
        p: its solve rate.
        targets: answers after each stage.
        batch: most answers asked for at once.
    """
    cost, done = 0.0, 0
    for target in targets:
        while done < target:
            size = min(batch, target - done)
            cost += size * chance_kept(p, done)
            done += size
    return cost
