"""The paper's reward tables, at every k."""

import pytest

from gasp_env.config import Rules
from gasp_env.rewards import learnability, teacher_reward
from gasp_env.stats import accept_probability
from gasp_env.types import SolveRate

RULES = Rules()
LEMMA = {
    8: {3: 0.724, 4: 1.0, 5: 0.724},
    10: {3: 0.418, 4: 0.815, 5: 1.0, 6: 0.815, 7: 0.418},
    16: {5: 0.469, 6: 0.724, 7: 0.924, 8: 1.0, 9: 0.924, 10: 0.724, 11: 0.469},
}
LIFT = {
    8: {1: 0.970, 2: 0.485, 3: 0.141, 4: 0.025},
    10: {1: 1.0, 2: 0.693, 3: 0.312, 4: 0.104, 5: 0.025},
    16: {2: 0.970, 3: 0.747, 4: 0.485, 5: 0.277, 6: 0.141, 7: 0.064, 8: 0.025},
}
CASES = [
    (name, band, n, k, table[n].get(k, -0.5))
    for name, band, table in (("gasp-lemma", RULES.lemma_band, LEMMA), ("gasp-lift", RULES.lift_band, LIFT))
    for n in (8, 10, 16)
    for k in range(n + 1)
]


@pytest.mark.parametrize(("name", "band", "n", "k", "want"), CASES)
def test_golden_values(name, band, n, k, want):
    reward = teacher_reward(name, SolveRate(solved=k, n=n), band=band)
    assert reward.value == pytest.approx(want, abs=5e-4)


@pytest.mark.parametrize("p", [0, 0.1, 0.25, 0.5, 0.9, 1])
def test_the_family_is_the_papers_two_formulas(p):
    assert learnability(p, 5, 5) == pytest.approx((4 * p * (1 - p)) ** 5)
    assert learnability(p, 1, 9) == pytest.approx(10 * p * ((1 - p) / 0.9) ** 9)


@pytest.mark.parametrize(
    ("n", "lemma", "lift"), [(8, 0.711, 0.149), (10, 0.891, 0.183), (16, 0.923, 0.040), (32, 0.980, 0.004)]
)
def test_acceptance_noise(n, lemma, lift):
    """Chance to accept a lemma at true p = .5 and, wrongly, a lift at true p = .02."""
    assert accept_probability(0.5, n, RULES.lemma_band) == pytest.approx(lemma, abs=6e-4)
    assert accept_probability(0.02, n, RULES.lift_band) == pytest.approx(lift, abs=6e-4)
