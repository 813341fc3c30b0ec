"""Figures of an evaluation: unbiased pass@k with task bootstrap, splits, goalposts solved. Pure.

The law of this module: a task counts with the samples that were graded; where any task has fewer than k of them, pass@k
is left out with a warning (the unbiased estimator needs n >= k everywhere, or it mixes tasks of different k).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from gasp_env.errors import DataError
from gasp_env.evaluate.records import TaskRecord
from gasp_env.stats import bootstrap, mean_pass_at_k, pass_at_k

__all__ = ("KS", "Estimate", "Paired", "Summary", "goalposts_solved", "paired", "summarize")

KS = (1, 5, 10, 20)
_DRAWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One figure in percent with its interval over tasks."""

    k: int
    value: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one evaluation."""

    tasks: int
    samples: int
    masked: int
    estimates: tuple[Estimate, ...]
    splits: dict[str, dict[str, tuple[Estimate, ...]]]
    """By ``difficulty``, ``platform`` and ``month``."""
    solved_tasks: int
    """Tasks with at least one right sample."""
    verdicts: dict[str, int]
    warnings: tuple[str, ...]


def summarize(records: Sequence[TaskRecord], ks: Iterable[int] = KS, *, seed: int = 0) -> Summary:
    """Figures of ``records``.

    Args:
        records: one a task.
        ks: which pass@k.
        seed: of the bootstrap.

    Raises:
        DataError: no task has a graded sample.
    """
    counted = [one for one in records if one.rate.n]
    if not counted:
        raise DataError("evaluation: no task has a graded sample; nothing can be reported")
    least = min(one.rate.n for one in counted)
    wanted = sorted(set(ks))
    verdicts: dict[str, int] = {}
    for one in records:
        for verdict in one.verdicts:
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
    return Summary(
        tasks=len(records),
        samples=sum(len(one.verdicts) for one in records),
        masked=sum(len(one.verdicts) - one.rate.n for one in records),
        estimates=_estimates(counted, wanted, seed),
        splits={name: _split(counted, key, wanted, seed) for name, key in _SPLITS.items()},
        solved_tasks=sum(one.rate.solved > 0 for one in counted),
        verdicts=dict(sorted(verdicts.items())),
        warnings=tuple(_warnings(records, counted, wanted, least)),
    )


_SPLITS: dict[str, Callable[[TaskRecord], str]] = {
    "difficulty": lambda one: one.difficulty or "",
    "platform": lambda one: one.platform,
    "month": lambda one: (one.date or "")[:7],
}


def _warnings(records: Sequence[TaskRecord], counted: Sequence[TaskRecord], ks: Sequence[int], least: int) -> list[str]:
    told = [f"pass@{k} is left out: a task has only {least} graded samples, fewer than {k}" for k in ks if k > least]
    if len(counted) < len(records):
        told.append(f"{len(records) - len(counted)} tasks have no graded sample and are left out")
    masked = sum(len(one.verdicts) - one.rate.n for one in records)
    if masked:
        told.append(f"{masked} samples were masked by infrastructure faults")
    joined = sum(one.joined for one in records)
    if joined:
        told.append(f"{joined} tasks were judged in the program's own process (objects as arguments)")
    return told


def _estimates(records: Sequence[TaskRecord], ks: Iterable[int], seed: int) -> tuple[Estimate, ...]:
    rates = [one.rate for one in records]
    least = min(rate.n for rate in rates)
    found: list[Estimate] = []
    for k in ks:
        if not 1 <= k <= least:
            continue
        values = [pass_at_k(rate, k) for rate in rates]
        low, high = bootstrap(values, rng=Random(seed), draws=_DRAWS)  # noqa: S311 - statistics
        value = mean_pass_at_k(rates, k)
        found.append(Estimate(k=k, value=100 * value, low=100 * low, high=100 * high, tasks=len(rates)))
    return tuple(found)


def _split(
    records: Sequence[TaskRecord], key: Callable[[TaskRecord], str], ks: Sequence[int], seed: int
) -> dict[str, tuple[Estimate, ...]]:
    groups: dict[str, list[TaskRecord]] = {}
    for one in records:
        groups.setdefault(key(one), []).append(one)
    if set(groups) <= {""}:
        return {}
    return {name or "unknown": _estimates(group, ks, seed) for name, group in sorted(groups.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Difference of two runs on the tasks that both have, in percentage points (second minus first)."""

    k: int
    tasks: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    better: int
    """Tasks on which the second run is better."""
    worse: int


def paired(first: Sequence[TaskRecord], second: Sequence[TaskRecord], k: int, *, seed: int = 0) -> Paired:
    """Compare two runs task by task: the bootstrap draws tasks, so their common difficulty cancels.

    Raises:
        DataError: no common task with k samples in both.
    """
    others = {one.id: one.rate for one in second}
    pairs = [(one.rate, others[one.id]) for one in first if one.id in others]
    pairs = [pair for pair in pairs if min(rate.n for rate in pair) >= k]
    if not pairs:
        raise DataError(f"comparison: the two runs share no task with {k} graded samples in both")
    gains = [pass_at_k(after, k) - pass_at_k(before, k) for before, after in pairs]
    low, high = bootstrap(gains, rng=Random(seed), draws=_DRAWS)  # noqa: S311 - statistics
    return Paired(
        k=k,
        tasks=len(pairs),
        first=100 * mean_pass_at_k([before for before, _ in pairs], k),
        second=100 * mean_pass_at_k([after for _, after in pairs], k),
        difference=100 * sum(gains) / len(gains),
        low=100 * low,
        high=100 * high,
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
    )


def goalposts_solved(runs: Mapping[str, Sequence[TaskRecord]]) -> dict[str, object]:
    """Which tasks each seed solved at least once, their union, and how many seeds share one (paper section 1.6).

    Args:
        runs: records by seed.
    """
    solved = {seed: {one.id for one in records if one.rate.solved} for seed, records in runs.items()}
    union = set[str]().union(*solved.values()) if solved else set[str]()
    shared = {name: sum(name in ids for ids in solved.values()) for name in sorted(union)}
    return {
        "per_seed": {seed: len(ids) for seed, ids in solved.items()},
        "union": len(union),
        "in_every_seed": sum(count == len(solved) for count in shared.values()),
        "seeds_per_goalpost": shared,
    }
