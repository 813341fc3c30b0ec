"""What a mining run found, written so that anyone can check it: rounds, who removed what, hashes, how sure it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gasp_env.errors import DataError
from gasp_env.mine.chance import RATES, chance_kept, upper_rate
from gasp_env.mine.evidence import Tally
from gasp_env.mine.miner import Miner
from gasp_env.tasks import Flag, goalposts_hash, to_goalpost
from gasp_env.types import Goalpost

__all__ = ("SUSPICIOUS", "MineManifest", "describe", "false_goalposts", "gather", "removals")

Found = tuple[list[Goalpost], list[str], dict[str, tuple[Flag, ...]]]
SUSPICIOUS = (Flag.ERRATA, Flag.FLOATS, Flag.FEW_TESTS, Flag.CAPPED, Flag.DUPLICATE)
"""Flags that make "unsolved" doubtful: look at these goalposts before training on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MineManifest:
    """Written beside the goalposts."""

    gasp_env: str
    created: str
    problems: str
    problems_hash: str
    window: str
    settings: dict[str, Any]
    candidates: int
    rounds: tuple[dict[str, Any], ...]
    """In order: name, checkpoints, candidates, removed ids with the checkpoint that solved each, left."""
    refused: dict[str, str]
    """Rows and problems that were no candidates, and why."""
    undecided: tuple[str, ...]
    """Not solved, but asked fewer than n times somewhere (missing samples or faults): not admitted."""
    goalposts: int
    goalposts_hash: str
    suspicious: dict[str, tuple[str, ...]]
    false_goalpost: dict[str, Any]
    evidence: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Of each goalpost: graded answers by checkpoint, none of them right."""


def false_goalposts(n: int, checkpoints: int) -> dict[str, Any]:
    """The stated false-goalpost probability.

    Args:
        n: answers failed at each checkpoint.
        checkpoints: how many.
    """
    return {
        "statement": (
            f"a problem that a checkpoint solves at rate p is kept by that checkpoint with chance (1 - p)^{n}; "
            f"0 of {n} leaves rates up to {100 * upper_rate(n):.2f} % possible at 95 %"
        ),
        "answers_a_checkpoint": n,
        "checkpoints": checkpoints,
        "upper_rate_95": upper_rate(n),
        "chance_kept_by_rate": {str(rate): chance_kept(rate, n) for rate in RATES},
    }


def removals(miner: Miner, order: Iterable[str]) -> tuple[dict[str, Any], ...]:
    """What each round removed, in the order of the data set."""
    left = [name for name in order if name in miner.tallies]
    found: list[dict[str, Any]] = []
    for name in miner.plan.rounds:
        gone = {one: tally.solved_by for one, tally in miner.tallies.items() if _round(tally) == name}
        found.append(
            {
                "round": name,
                "checkpoints": {one.name: one.answers for one in miner.plan.of_round(name)},
                "candidates": len(left),
                "removed": {one: gone[one] for one in left if one in gone},
                "left": len(left) - sum(one in gone for one in left),
            }
        )
        left = [one for one in left if one not in gone]
    return tuple(found)


def _round(tally: Tally) -> str | None:
    return None if tally.solved_by is None else tally.solved_by.partition(":")[0]


def gather(miner: Miner) -> Found:
    """Read the set once more.

    Returns:
        Goalposts in the order of the set; ids of all candidates in order; flags of the goalposts' problems by id.
    """
    goalposts: list[Goalpost] = []
    order: list[str] = []
    kept: dict[str, tuple[Flag, ...]] = {}
    for problem in miner.problems:
        if miner.refusal(problem) is not None:
            continue
        order.append(problem.id)
        if miner.survives(problem.id):
            try:
                goalposts.append(to_goalpost(problem))
            except DataError as error:
                miner.refused[problem.id] = str(error)
                continue
            kept[problem.id] = problem.flags
    return goalposts, order, kept


def describe(miner: Miner, found: Found, **facts: Any) -> MineManifest:  # noqa: ANN401
    """The manifest of a finished run.

    Args:
        miner: after its run.
        found: of `gather`.
        facts: further fields of `MineManifest`.
    """
    goalposts, order, kept = found
    undecided = [name for name in order if name not in kept and _open(miner, name)]
    return MineManifest(
        candidates=len(order),
        rounds=removals(miner, order),
        undecided=tuple(undecided),
        goalposts=len(goalposts),
        goalposts_hash=goalposts_hash(goalposts),
        suspicious={
            flag.value: tuple(name for name, flags in kept.items() if flag in flags)
            for flag in SUSPICIOUS
            if any(flag in flags for flags in kept.values())
        },
        false_goalpost=false_goalposts(miner.plan.n, len(miner.plan.checkpoints)),
        evidence={name: dict(miner.tallies[name].n) for name in kept},
        **facts,
    )


def _open(miner: Miner, name: str) -> bool:
    tally = miner.tallies.get(name)
    return name not in miner.refused and (tally is None or tally.solved_by is None)
