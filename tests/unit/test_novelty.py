"""The three layers of likeness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.errors import ConfigError
from gasp_env.novelty import (
    HashingEmbedder,
    arity,
    behaviour_hash,
    canonical_code,
    code_hash,
    make_embedder,
    probe_inputs,
)
from gasp_env.types import TestOutcome, Verdict

A = '''
def f(items: list[int], k: int = 2) -> int:
    """Sum what is above k."""
    total: int = 0  # so far
    for item in items:
        if item > k:
            total += item
    return total
'''
B = "def solve(xs, limit=2):\n    acc = 0\n    for x in xs:\n        if x > limit:\n            acc += x\n    return acc"


def test_names_comments_and_annotations_do_not_count():
    assert canonical_code(A) == canonical_code(B)
    assert code_hash(A) == code_hash(B)


@pytest.mark.parametrize(
    ("old", "new"),
    [("> k", ">= k"), ("total += item", "total -= item"), ("k: int = 2", "k: int = 3"), ("list", "list")],
)
def test_what_the_program_does_counts(old, new):
    assert (code_hash(A) == code_hash(A.replace(old, new))) is (old == new)


def test_builtins_and_attributes_stay():
    assert (
        canonical_code("def f(x):\n    return sorted(x).count(len)") == "def v0(v1):\n    return sorted(v1).count(len)"
    )
    assert code_hash("def f(x):\n    return min(x)") != code_hash("def f(x):\n    return max(x)")


@pytest.mark.parametrize(
    "bomb",
    [
        "(" * 100_000,
        "x = " + "-(" * 5000 + "1" + ")" * 5000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "+".join("x" for _ in range(50_000)),
        "x" + ".a" * 50_000,
        "x = " + "not " * 50_000 + "1",
        "x = " + "lambda: " * 30_000 + "1",
        "\n".join(" " * depth + "if x:" for depth in range(200)),
        "f'" + "{" * 5000 + "'",
        "x = 1 if x else " * 20_000 + "1",
        "a\0b",
        "def f(:",
        "'\ud800'",
        "y" * 70_000,
        "x" + "()" * 20_000,
        "x" + "[0]" * 15_000,
    ],
    ids=range(16),
)
def test_bombs_are_refused_and_still_hashed(bomb):
    canonical_code(bomb)
    assert code_hash(bomb) == code_hash(bomb)


def test_arity():
    assert arity("def f(a, b=1): return a") == 2
    assert arity("def f(*args): return 1") is None
    assert arity("def g(a): return a") is None


TEXTS = st.text(max_size=60)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_hashing_vectors_are_unit_and_repeatable(texts):
    vectors = HashingEmbedder()(texts)
    assert vectors.shape == (len(texts), 512) and vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(abs(length - 1) < 1e-5 or length == 0 for length in lengths)
    assert np.array_equal(vectors, HashingEmbedder()(texts))


def test_cosine_orders_likeness():
    embed = make_embedder("hashing")
    base, near, far = embed(
        [
            "Give back the sum of the even numbers in the list.",
            "Give back the sum of the odd numbers in the list.",
            "Reverse every word of a sentence and join them by dashes.",
        ]
    )
    assert base @ near > 0.6
    assert base @ far < 0.4


def test_embedder_names():
    with pytest.raises(ConfigError, match="unknown 'word2vec'"):
        make_embedder("word2vec")


def outcome(value):
    return TestOutcome(verdict=Verdict.OK, value=value)


def test_behaviour():
    error = TestOutcome(verdict=Verdict.RUNTIME_ERROR, error="TypeError")
    one = behaviour_hash([outcome("i1;"), outcome("i2;"), error, outcome("N")])
    assert one == behaviour_hash([outcome("i1;"), outcome("i2;"), error, outcome("N")])
    assert one != behaviour_hash([outcome("i1;"), outcome("i3;"), error, outcome("N")])
    assert behaviour_hash([error] * 5) is None
    assert probe_inputs(0) == ("",)
    for count in (1, 2, 3):
        assert len(set(probe_inputs(count))) == len(probe_inputs(count)) >= 18
