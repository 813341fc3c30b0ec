"""Intervals, pass@k and task-relative baselines."""

from itertools import combinations
from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.config import Rules
from gasp_env.stats import (
    bootstrap,
    clopper_pearson,
    edge_straddles,
    mean_pass_at_k,
    newcombe,
    pass_at_k,
    whiten,
    wilson,
)
from gasp_env.types import SolveRate

RATES = st.integers(1, 60).flatmap(lambda n: st.integers(0, n).map(lambda k: SolveRate(solved=k, n=n)))


@given(RATES)
def test_intervals_hold_the_estimate_and_mirror(rate):
    mirror = SolveRate(solved=rate.n - rate.solved, n=rate.n)
    for interval in (wilson, clopper_pearson):
        low, high = interval(rate)
        assert 0 <= low <= rate.value + 1e-12 and rate.value <= high + 1e-12 and high <= 1
        assert interval(mirror) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (0, 100, 0.0, 0.0362)]
)
def test_clopper_pearson_table(k, n, low, high):
    assert clopper_pearson(SolveRate(solved=k, n=n)) == pytest.approx((low, high), abs=1e-4)


def test_wilson_table():
    assert wilson(SolveRate(solved=5, n=10)) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(SolveRate(solved=0, n=0)) == (0.0, 1.0)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5])
def test_clopper_pearson_covers(p):
    n = 30
    covered = 0.0
    for k in range(n + 1):
        low, high = clopper_pearson(SolveRate(solved=k, n=n))
        covered += comb(n, k) * p**k * (1 - p) ** (n - k) * (low <= p <= high)
    assert covered >= 0.95


def test_newcombe():
    low, high = newcombe(SolveRate(solved=48, n=80), SolveRate(solved=56, n=70))
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-3)  # Newcombe 1998, table II, (a), sign turned
    assert newcombe(SolveRate(solved=0, n=0), SolveRate(solved=1, n=1)) == (-1.0, 1.0)


@given(RATES, RATES)
def test_newcombe_turns_with_its_arguments(before, after):
    low, high = newcombe(before, after)
    assert newcombe(after, before) == pytest.approx((-high, -low), abs=1e-9)
    assert low - 1e-9 <= after.value - before.value <= high + 1e-9


@pytest.mark.parametrize("n", [4, 6])
def test_pass_at_k_is_the_average_over_all_draws(n):
    for c in range(n + 1):
        marks = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            draws = [any(draw) for draw in combinations(marks, k)]
            assert pass_at_k(SolveRate(solved=c, n=n), k) == pytest.approx(sum(draws) / len(draws))


@given(RATES)
def test_pass_at_k_grows_with_k(rate):
    values = [pass_at_k(rate, k) for k in range(1, rate.n + 1)]
    assert values == sorted(values) and values[0] == pytest.approx(rate.value)


def test_pass_at_k_refuses_too_few_samples():
    with pytest.raises(ValueError, match="needs at least 20 samples a problem, got 10"):
        pass_at_k(SolveRate(solved=1, n=10), 20)
    with pytest.raises(ValueError, match="no problems"):
        mean_pass_at_k([], 1)
    assert mean_pass_at_k([SolveRate(solved=1, n=2), SolveRate(solved=2, n=2)], 1) == 0.75


def test_bootstrap_is_seeded_and_covers_the_mean():
    values = [0.0, 1.0] * 20
    assert bootstrap(values, rng=Random(1)) == bootstrap(values, rng=Random(1))
    low, high = bootstrap(values, rng=Random(1))
    assert 0.3 < low < 0.5 < high < 0.7


@given(st.lists(st.tuples(st.floats(-5, 5) | st.none(), st.sampled_from("abc"), st.integers(1, 9)), max_size=40))
def test_whiten(rows):
    rewards, keys, lengths = ([row[i] for row in rows] for i in range(3))
    for weights in (None, lengths):
        found = whiten(rewards, keys, lengths=weights)
        assert [a is None for a in found.advantages] == [r is None for r in rewards]
        for key in set(keys):
            mine = [
                (a, 1 if weights is None else n)
                for a, k, n in zip(found.advantages, keys, lengths, strict=True)
                if k == key and a is not None
            ]
            total = sum(n for _, n in mine)
            if key in found.flat_groups:
                assert all(a == 0 for a, _ in mine)
            elif mine:
                assert sum(a * n for a, n in mine) / total == pytest.approx(0, abs=1e-6)
                assert sum(a * a * n for a, n in mine) / total == pytest.approx(1, abs=1e-6)


def test_groups_do_not_share_a_baseline():
    found = whiten([1.0, -0.5, 5.0, 5.0], ["solve/induction", "solve/induction", "lemma", "lemma"])
    assert found.advantages == pytest.approx((1.0, -1.0, 0.0, 0.0))
    assert found.flat_groups == ("lemma",)


def test_edges():
    band = Rules().lift_band
    assert edge_straddles(SolveRate(solved=1, n=10), band)
    assert not edge_straddles(SolveRate(solved=100, n=400), band)
    assert not edge_straddles(SolveRate(solved=0, n=0), band)


def test_edge_reestimation_cuts_false_lifts():
    """Checklist line 18: at true p = .02 and a like mean budget, wrong acceptance falls below 2 %."""
    rng, band = Random(7), Rules().lift_band
    accepted = spent = 0
    trials = 4000
    for _ in range(trials):
        k, n = sum(rng.random() < 0.02 for _ in range(10)), 10
        if k and edge_straddles(SolveRate(solved=k, n=n), band):
            k, n = k + sum(rng.random() < 0.02 for _ in range(40)), n + 40
        accepted += band.holds(k, n)
        spent += n
    assert accepted / trials < 0.02
    assert spent / trials < 20
