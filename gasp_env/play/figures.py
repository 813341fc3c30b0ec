"""The figures of one episode that every adapter hands to its trainer's log: the same keys in every episode."""

from gasp_env.types import EpisodeResult, Stage, Ticket

__all__ = ("episode_figures",)


def episode_figures(ticket: Ticket, result: EpisodeResult | None) -> dict[str, float]:
    """Flat numbers; 0.0 where a figure does not apply, as trainers average over all samples.

    Args:
        ticket: what was to be played.
        result: None if the episode did not end; it counts as masked.
    """
    stage = result.stage if result else ticket.stage  # the curriculum may have had to fall back to another
    teacher = stage not in (Stage.SOLVE, Stage.REAL)
    rate, last = (result.solve_rate, result.attempts[-1:]) if result else (None, ())
    return {
        "gasp_reward": (result.reward.value if result else None) or 0.0,
        "gasp_teacher": float(teacher),
        "gasp_accepted": float(result is not None and result.accepted),
        "gasp_solve_rate": rate.value if rate and rate.n else 0.0,
        "gasp_solved": float(not teacher and bool(last) and last[0].solved is True),
        "gasp_masked": float(result is None or result.reward.value is None),
    }
