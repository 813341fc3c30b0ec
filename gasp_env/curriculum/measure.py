"""Figures of a curriculum's state, for logs and baselines."""

from gasp_env.curriculum.records import Running
from gasp_env.curriculum.state import State

__all__ = ("metrics", "standardise")


def metrics(state: State) -> dict[str, float]:
    """Flat figures; rates in [0, 1], the rest counts or rewards."""
    found: dict[str, float] = {
        "questions/accepted": float(len(state.questions)),
        "questions/drawable": float(len(state.pool)),
        "leases/active": float(len(state.leases)),
        "leases/returned": float(len(state.returned)),
        "episodes/settled": float(len(state.settled)),
    }
    found |= {f"accepted/{stage}": float(count) for stage, count in state.accepted.items()}
    found |= {f"rejected/{why}": float(count) for why, count in state.rejected.items()}
    found |= {f"masked/{stage}": float(count) for stage, count in state.masked.items()}
    found |= {f"goalposts/{name.value}": float(count) for name, count in state.goalposts_by_state().items()}
    found |= {f"solve_rate/{stage}": rate.mean for stage, rate in state.rates.items()}
    for key, stats in state.baselines.items():
        found[f"baseline/{key}/count"] = float(stats.count)
        found[f"baseline/{key}/mean"] = stats.mean
        found[f"baseline/{key}/std"] = stats.std
    return found


def standardise(state: State, key: str, reward: float) -> float:
    """Task-relative REINFORCE++: the reward in standard deviations from its group's running mean."""
    stats = state.baselines.get(key, Running())
    return (reward - stats.mean) / stats.std if stats.std else 0.0
