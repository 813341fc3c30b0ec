"""The learnability family: rewards that peak where a question is neither solved always nor never.

    L(a, b)(p) = p^a (1 - p)^b / [(a / (a + b))^a (b / (a + b))^b]

GASP's lemma reward ``[4p(1-p)]^5`` is L(5, 5), its lift reward ``10p[(1-p)/.9]^9`` is L(1, 9) (paper, teacher rewards);
LILO and SFL use L(1, 1).
"""

__all__ = ("learnability",)


def learnability(p: float, a: float, b: float) -> float:
    """L(a, b) at solve rate ``p``: 0 at 0 and 1, exactly 1 at its peak ``a / (a + b)``."""
    peak = a / (a + b)
    return float((p / peak) ** a * ((1 - p) / (1 - peak)) ** b)
