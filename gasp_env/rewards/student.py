"""What a student is paid: right, well-formed but wrong, malformed (AZR 2505.03335; GASP inherits it)."""

from gasp_env.config import Rules
from gasp_env.types import Attempt, Reward

__all__ = ("solver_reward",)


def solver_reward(attempt: Attempt, rules: Rules) -> Reward:
    """Pay one graded attempt; masked where the infrastructure failed."""
    if attempt.solved is None:
        return Reward(value=None)
    missed = rules.solve_wrong if attempt.well_formed else rules.solve_malformed
    value = rules.solve_right if attempt.solved else missed
    parts = {"solved": float(attempt.solved), "well_formed": float(attempt.well_formed), "student": value}
    return Reward(value=value, parts=parts)
