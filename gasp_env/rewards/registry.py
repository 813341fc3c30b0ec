"""Teacher rewards by name: every closed form of the field, from a solve rate measured as counts.

A reward is 0 outside the unit interval by construction, ``OUTSIDE`` where a paper pays for leaving its band, and masked
where nothing was measured. ``soar`` has no closed form (it trains the student) and is refused with a word.
"""

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from gasp_env.config import Band
from gasp_env.errors import ConfigError
from gasp_env.rewards.learnability import learnability
from gasp_env.types import Reward, SolveRate

__all__ = ("NEUTRAL", "OUTSIDE", "REWARDS", "RewardContext", "TeacherReward", "find_reward", "teacher_reward")

OUTSIDE = -0.5
"""GASP: what a question outside its band pays (section on acceptance)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardContext:
    """What some rewards ask for besides the solve rate; the defaults leave it out of account.

    An episode knows of no batch, so the game itself pays by the defaults: ``r-zero`` without its repetition term, ``sgs``
    without guide and rank. A trainer's reward function that sees the batch can pay the whole with `teacher_reward`.
    """

    cluster_share: float = 0.0
    """r-zero: share of the batch in the question's own cluster of near-duplicates, in [0, 1]."""
    guide: float = 1.0
    """sgs: score of the guide (relevance, complexity, redundancy), in [0, 1]."""
    easy_rank: float = 1.0
    """sgs: rank of the question in its batch, 0 for the easiest, 1 for the hardest."""


NEUTRAL = RewardContext()
Curve = Callable[[float, RewardContext], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherReward:
    """One named reward."""

    curve: Curve
    """From the solve rate in [0, 1] to the reward."""
    n: int
    """Attempts its paper uses."""
    source: str
    banded: bool = False
    """True if leaving the stage's band pays `OUTSIDE` (GASP)."""


def _gaussian(mu: float, sigma: float) -> Curve:
    return lambda p, _: math.exp(-((p - mu) ** 2) / (2 * sigma**2))


def _sgs(p: float, context: RewardContext) -> float:
    return (1 - p) * context.guide if p > 0 and context.easy_rank > 0.3 else 0.0


REWARDS: dict[str, TeacherReward] = {
    "gasp-lemma": TeacherReward(
        curve=lambda p, _: learnability(p, 5, 5), n=10, source="GASP 2603.15957, lemma", banded=True
    ),
    "gasp-lift": TeacherReward(
        curve=lambda p, _: learnability(p, 1, 9), n=10, source="GASP 2603.15957, lift", banded=True
    ),
    "azr": TeacherReward(curve=lambda p, _: 1 - p if p > 0 else 0.0, n=8, source="AZR 2505.03335, as in the paper"),
    "azr-code": TeacherReward(
        curve=lambda p, _: 1 - p if 0 < p < 1 else OUTSIDE, n=8, source="AZR, as in its public code"
    ),
    "lilo": TeacherReward(curve=lambda p, _: learnability(p, 1, 1), n=8, source="LILO: 4p(1-p)"),
    "sfl": TeacherReward(curve=lambda p, _: learnability(p, 1, 1), n=8, source="SFL: p(1-p), scaled to peak at 1"),
    "r-zero": TeacherReward(
        curve=lambda p, c: 1 - 2 * abs(p - 0.5) - c.cluster_share, n=10, source="R-Zero: uncertainty less repetition"
    ),
    "spice": TeacherReward(
        curve=lambda p, _: math.exp(-((p * (1 - p) - 0.25) ** 2) / (2 * 0.01)), n=8, source="SPICE: variance near 1/4"
    ),
    "socratic-zero": TeacherReward(curve=_gaussian(0.5, 0.2), n=8, source="Socratic-Zero: gaussian(0.5, 0.2)"),
    "svs": TeacherReward(curve=lambda p, _: float(0.125 <= p <= 0.625), n=8, source="SvS: 1 within [.125, .625]"),
    "sqlm": TeacherReward(curve=lambda p, _: float(0 < p < 1), n=8, source="SQLM: 1 if neither always nor never"),
    "sgs": TeacherReward(curve=_sgs, n=8, source="SGS: 1-p times the guide score, 0 for the easiest 30 %"),
    "alice-bob": TeacherReward(
        curve=lambda p, _: 1.0 + 5.0 * (1 - p), n=1, source="Asymmetric self-play 2101.04882: +1 valid, +5 if Bob fails"
    ),
    "gar": TeacherReward(curve=lambda p, _: 1 - p if p > 0 else 0.0, n=8, source="GAR: (1-p) 1{p>0}"),
}
_FAMILIES: dict[str, Callable[[float, float], Curve]] = {
    "learnability": lambda a, b: lambda p, _: learnability(p, a, b),
    "gaussian": _gaussian,
}
_CALL = re.compile(r"([a-z]+)\(\s*([0-9.]{1,12})\s*,\s*([0-9.]{1,12})\s*\)")


def find_reward(name: str) -> TeacherReward:
    """Look a reward up; ``learnability(a,b)`` and ``gaussian(mu,sigma)`` take parameters.

    Raises:
        ConfigError: unknown name or bad parameters, with close matches.
    """
    if name in REWARDS:
        return REWARDS[name]
    if name == "soar":
        raise ConfigError("reward 'soar' is the student's gain after training on the question; it has no closed form")
    found = _CALL.fullmatch(name)
    if found is None or found[1] not in _FAMILIES:
        known = [*REWARDS, "learnability(a,b)", "gaussian(mu,sigma)"]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"reward {name!r} is unknown{hint} Known: {', '.join(known)}")
    first, second = _parameter(name, found[2]), _parameter(name, found[3])
    return TeacherReward(curve=_FAMILIES[found[1]](first, second), n=8, source=f"family {found[1]}")


def teacher_reward(name: str, rate: SolveRate, *, band: Band, context: RewardContext = NEUTRAL) -> Reward:
    """Pay a teacher for a valid question.

    Args:
        name: of the reward.
        rate: measured solve rate; n = 0 masks the reward.
        band: of the stage; only GASP's own rewards look at it.
        context: what some rewards need besides.

    Raises:
        ConfigError: unknown name.
    """
    rule = find_reward(name)
    if rate.n == 0:
        return Reward(value=None)
    inside = band.holds(rate.solved, rate.n)
    value = rule.curve(rate.value, context) if inside or not rule.banded else OUTSIDE
    return Reward(value=value, parts={"solve_rate": rate.value, "in_band": float(inside), "teacher": value})


def _parameter(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ConfigError(f"reward {name!r}: parameters must be numbers above 0, got {text!r}")
    return value
