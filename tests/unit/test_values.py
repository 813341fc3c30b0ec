"""Canonical values and their comparison."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.values import (
    CanonicalError,
    CompareMode,
    contains_nan,
    decode,
    display,
    dump_json,
    encode,
    equal,
    load_json,
)

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=8)
)
HASHABLE = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3), max_leaves=4
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_round_trip(value):
    text = encode(value)
    assert text.isascii()
    assert encode(decode(text)) == text
    assert type(decode(text)) is type(value)


@given(st.text(st.sampled_from('N T F i1; d0x1p+0; s"a" [](){}<>#,:b"00"'), max_size=20) | st.text(max_size=20))
def test_decode_is_total(text):
    try:
        value = decode(text)
    except CanonicalError:
        return
    encode(value)


def test_types_count():
    texts = [encode(v) for v in (1, 1.0, True, "1", b"1", (1,), [1], {1}, frozenset({1}), 1 + 0j, None)]
    assert len(set(texts)) == len(texts)
    assert encode(-0.0) != encode(0.0)
    assert encode(math.nan) == encode(-math.nan)
    assert encode({1: "a", 2: "b"}) == encode({2: "b", 1: "a"})
    assert decode(encode(10**6000)) == 10**6000


class Liar(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize("value", [Liar(1), object(), (lambda: 1), range(3), [Liar(2)], {"a": iter(())}, type])
def test_only_plain_data(value):
    with pytest.raises(CanonicalError):
        encode(value)


def test_cycles_depth_and_bombs():
    cycle = []
    cycle.append(cycle)
    for bad in (cycle, *[[[]]]):
        if bad is cycle:
            with pytest.raises(CanonicalError):
                encode(bad)
    for text in (
        "[" * 100_000,
        "(" * 5000 + ")" * 5000,
        "i" + "f" * 10 + "x;",
        "{[]:N}",
        "d1e400;",
        's"\\q"',
        'b"0"',
        "[N,]N",
    ):
        with pytest.raises(CanonicalError):
            decode(text)


def test_nan():
    assert contains_nan(encode([1, {"a": math.nan}])) and contains_nan(encode(complex(0, math.nan)))
    assert not contains_nan(encode(['a "nan" b', "nan", math.inf]))


def test_display():
    assert display(encode({"a": [1, 2.5, None, (True,)]})) == "{'a': [1, 2.5, None, (True,)]}"


def test_display_of_numbers_too_long_for_decimals():
    # ``repr`` refuses them; the text is Python all the same.
    long = -(10**5000)
    value = {"a": [long, (long,), (1, long)], "b": {2: {long}, 3: set(), 4: frozenset({long})}, long: ()}
    assert eval(display(encode(value))) == value


def test_json_with_numbers_too_long_for_decimals():
    value = {"a": [10**4999, -(10**49_999) + 1, 1.5, None], "b": {"c": 10**6000}}
    assert load_json(dump_json(value)) == value
    assert load_json(dump_json(value).encode()) == value
    with pytest.raises(ValueError, match="a number of 50001 digits; 50000 are the most"):
        load_json("[1" + 50_000 * "0" + "]")
    with pytest.raises(json.JSONDecodeError):
        load_json('{"a": ')


@pytest.mark.parametrize(
    ("mode", "got", "want", "same"),
    [
        ("exact", 1, True, False),
        ("exact", (1,), [1], False),
        ("exact", math.nan, math.nan, True),
        ("python_eq", 1, True, True),
        ("python_eq", 1, 1.0, True),
        ("python_eq", (1,), [1], False),
        ("python_eq", math.nan, math.nan, False),
        ("lcb_call", (1, 2), [1, 2], True),
        ("lcb_call", [(1,)], [[1]], False),
        ("lcb_call", 1, 1.0, True),
        ("close", 0.1 + 0.2, 0.3, True),
        ("close", [1.0, 2], [1, 2], True),
        ("close", 1, 2, False),
        ("close", {"a": 1.0000000001}, {"a": 1.0}, True),
        ("close", (1.0,), [1.0], False),
        ("close", True, 1.0, False),
    ],
)
def test_modes(mode, got, want, same):
    assert equal(encode(got), encode(want), mode=CompareMode(mode)) is same


@pytest.mark.parametrize(
    ("got", "want", "same"),
    [
        ("3\n", "3", True),
        ("  1 2 \n3  \n\n", "1 2\n3", True),
        ("1.0 2", "1 2.00", True),
        ("1e3", "1000", True),
        ("1", "1\n2", False),
        ("1\n2\n3", "1\n2", False),
        ("1_000", "1000", False),
        ("\uff11", "1", False),
        ("nan", "nan", True),
        ("sNaN", "nan", False),
        ("Yes", "YES", False),
        ("0.1000001", "0.1", False),
        (".5 -.5", "0.5 -0.50", True),
        ("1e99999999999", "1", False),
        ("a 1", "a 1.0", False),
    ],
)
def test_stdout(got, want, same):
    assert equal(got, want, mode=CompareMode.STDOUT) is same


@pytest.mark.parametrize("mode", [mode for mode in CompareMode if mode not in (CompareMode.STDOUT, CompareMode.EXACT)])
def test_hostile_text_is_wrong_and_raises_nothing(mode):
    assert not equal("[" * 10_000, encode([1]), mode=mode)
