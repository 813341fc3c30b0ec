"""Rewards by name."""

import math

import pytest

from gasp_env.config import Band, Rules
from gasp_env.errors import ConfigError
from gasp_env.rewards import REWARDS, RewardContext, find_reward, solver_reward, teacher_reward
from gasp_env.types import Attempt, SolveRate, Verdict

ANY = Band(low=0, high=10)


def pay(name, k, n=8, **context):
    return teacher_reward(name, SolveRate(solved=k, n=n), band=ANY, context=RewardContext(**context)).value


@pytest.mark.parametrize(
    ("name", "k", "want"),
    [
        ("azr", 0, 0.0),
        ("azr", 2, 0.75),
        ("azr", 8, 0.0),
        ("azr-code", 0, -0.5),
        ("azr-code", 2, 0.75),
        ("azr-code", 8, -0.5),
        ("lilo", 4, 1.0),
        ("sfl", 2, 0.75),
        ("r-zero", 4, 1.0),
        ("r-zero", 2, 0.5),
        ("spice", 4, 1.0),
        ("spice", 0, math.exp(-0.0625 / 0.02)),
        ("socratic-zero", 4, 1.0),
        ("svs", 1, 1.0),
        ("svs", 5, 1.0),
        ("svs", 6, 0.0),
        ("svs", 0, 0.0),
        ("sqlm", 1, 1.0),
        ("sqlm", 8, 0.0),
        ("sgs", 0, 0.0),
        ("sgs", 2, 0.75),
        ("alice-bob", 0, 6.0),
        ("alice-bob", 8, 1.0),
        ("gar", 0, 0.0),
        ("gar", 2, 0.75),
        ("learnability(1,1)", 2, 0.75),
        ("learnability( 2 , 6 )", 2, 1.0),
        ("gaussian(0.5,0.2)", 8, math.exp(-0.25 / 0.08)),
    ],
)
def test_closed_forms(name, k, want):
    assert pay(name, k) == pytest.approx(want)


def test_context():
    assert pay("r-zero", 4, cluster_share=0.25) == pytest.approx(0.75)
    assert pay("sgs", 2, guide=0.5) == pytest.approx(0.375)
    assert pay("sgs", 2, easy_rank=0.1) == 0.0


def test_nothing_measured_is_masked():
    assert all(teacher_reward(name, SolveRate(solved=0, n=0), band=ANY).value is None for name in REWARDS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gasp-lema", "did you mean 'gasp-lemma'"),
        ("soar", "no closed form"),
        ("learnability(0,1)", "above 0"),
        ("learnability(1.2.3,1)", "above 0"),
        ("__import__('os')", "unknown"),
    ],
)
def test_bad_names(name, words):
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        find_reward(name)


@pytest.mark.parametrize("n", [8, 10, 16, 32, 100])
def test_band_edges_are_counts(n):
    band = Rules().lemma_band
    for k in range(n + 1):
        assert band.holds(k, n) is (3 * n <= 10 * k <= 7 * n)


def test_every_reward_is_finite_everywhere():
    for name in REWARDS:
        for n in (1, 8, 10):
            assert all(math.isfinite(pay(name, k, n)) for k in range(n + 1))


def test_student():
    rules = Rules()
    right = Attempt(solved=True, well_formed=True, verdict=Verdict.OK)
    wrong = Attempt(solved=False, well_formed=True, verdict=Verdict.WRONG)
    bad = Attempt(solved=False, well_formed=False, verdict=Verdict.NO_RESULT)
    fault = Attempt(solved=None, well_formed=True, verdict=Verdict.SANDBOX_FAILURE)
    assert [solver_reward(one, rules).value for one in (right, wrong, bad, fault)] == [1.0, -0.5, -1.0, None]
