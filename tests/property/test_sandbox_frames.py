"""The parsers of what a hostile process sends: never a crash, never a hang, never more work or memory than bytes."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gasp_env.sandbox.guest.wire import FRAME, FrameKind, Order, Report
from gasp_env.sandbox.local.claims import ClaimChecker, ClaimError
from gasp_env.sandbox.local.frames import FrameError, FrameReader
from gasp_env.types import Verdict
from gasp_env.values import CanonicalError, decode, encode, is_canonical

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.just("\ud800")
)
KEYS = st.recursive(LEAVES, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=20,
)
ALPHABET = 'NTFi0123f;-dxp+.cs"b[](){}<>#,:\\anu'
SETUP = FRAME.pack(0, 0, FrameKind.SETUP) + FRAME.pack(0, 0, FrameKind.READY)


def accepted(text):
    try:
        ClaimChecker().check(text)
    except ClaimError:
        return False
    return True


@given(VALUES)
def test_what_the_encoder_writes_is_accepted(value):
    text = encode(value)
    assert accepted(text)
    assert encode(decode(text)) == text


@given(st.text(alphabet=ALPHABET, max_size=30))
def test_only_what_the_encoder_writes_is_accepted(text):
    assert accepted(text) == is_canonical(text)


@given(VALUES, st.integers(min_value=0), st.sampled_from(ALPHABET))
def test_a_changed_letter_is_judged_alike(value, place, letter):
    text = encode(value)
    changed = text[: place % len(text)] + letter + text[place % len(text) + 1 :]
    assert accepted(changed) == is_canonical(changed)


@given(st.text())
def test_the_decoder_refuses_or_decodes(text):
    try:
        decode(text)
    except CanonicalError:
        assert not is_canonical(text)


def frames(tests):
    kinds = st.sampled_from([*FrameKind, 9, 255])
    bodies = (
        st.binary(max_size=40) | VALUES.map(lambda value: encode(value).encode()) | st.just(b'{"verdict":"memory"}')
    )
    honest = st.tuples(st.integers(0, tests), kinds, bodies).map(lambda one: FRAME.pack(len(one[2]), *one[:2]) + one[2])
    return st.lists(honest | st.binary(max_size=20), max_size=12).map(b"".join)


def read(data, cuts, tests=3):
    """Outcomes and the fault, if any, however the bytes were cut."""
    reader, fault = FrameReader(tests=tests, output_bytes=1 << 10), None
    try:
        at = 0
        for cut in [*cuts, len(data)]:
            reader.feed(data[at : at + cut])
            at += cut
        reader.check_rest()
    except FrameError as error:
        fault = error
    return reader, fault


@settings(max_examples=200)
@given(frames(3), st.lists(st.integers(1, 9), max_size=9))
def test_any_bytes_are_read_or_refused(data, cuts):
    reader, fault = read(SETUP + data, cuts)
    assert len(reader.outcomes) <= 3
    assert fault is None or fault.verdict in (Verdict.PROTOCOL_ERROR, Verdict.OUTPUT_LIMIT)
    for outcome in reader.outcomes:
        assert outcome.verdict not in (Verdict.SANDBOX_FAILURE, Verdict.WRONG, Verdict.TIMEOUT, Verdict.FORBIDDEN)
        (outcome.error + outcome.message + (outcome.stdout or "")).encode()  # no lone surrogates


@given(frames(3), st.lists(st.integers(1, 9), max_size=9))
def test_cuts_do_not_matter(data, cuts):
    whole, fault = read(SETUP + data, [])
    parts, other = read(SETUP + data, cuts)
    assert (fault is None) == (other is None)
    assert fault is not None or whole.outcomes == parts.outcomes


@given(st.binary(max_size=200))
def test_packets_are_read_or_refused(data):
    for kind in (Order, Report):
        found = kind.unpack(data)
        assert found is None or found.pack() == data or "nan" in str(found)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "<" + ",".join(sorted(f"i{k * (2**61 - 1):x};" for k in range(20_000))) + ">",
        "{" + ",".join(sorted(f"i{k * (2**61 - 1):x};:N" for k in range(20_000))) + "}",
        "<" + ",".join(sorted(f"(i{k * (2**61 - 1):x};,i0;)" for k in range(20_000))) + ">",
        's"' + "\\" * 2_000_001,
        "i" + "f" * 3_000_000,
        "c" + "1" * 3_000_000,
    ],
    ids=["depth", "set", "dict", "tuples", "backslashes", "digits", "complex"],
)
def test_bombs_are_refused_in_bounded_memory(text):
    tracemalloc.start()
    assert not accepted(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 << 20


def test_a_job_has_one_budget_of_values():
    checker, text = ClaimChecker(nodes=250), encode([1.5] * 99)
    checker.check(text)
    checker.check(text)
    with pytest.raises(ClaimError):
        checker.check(text)


def test_a_value_has_a_budget_too():
    assert not accepted("[" + "[]," * 1_000_000 + "[]]")


def test_an_announced_length_allocates_nothing():
    reader = FrameReader(tests=1, output_bytes=1 << 20)
    with pytest.raises(FrameError):
        reader.feed(SETUP + FRAME.pack(0xFFFFFFFF, 0, FrameKind.VALUE))
    assert len(reader.buffer) < 100
