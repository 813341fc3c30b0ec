"""Contamination guard and goalpost leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.tasks import Guard, leaked_run
from gasp_env.tasks.guard import Layer

TEXT = (
    "Given an array of towers, each with a height, find the longest strictly rising run that skips at most one tower."
)


def guard(**options):
    found = Guard(**options)
    found.add("eval-1", TEXT)
    found.add(
        "eval-2", "Read a word and print it in upper case letters, followed by its length and a full stop at the end."
    )
    return found


def test_an_equal_text_is_found_whatever_its_layout():
    match = guard().near(TEXT.upper().replace(" ", "\n"))
    assert match is not None and (match.id, match.layer, match.score) == ("eval-1", Layer.HASH, 1.0)


def test_a_text_that_shares_runs_of_words_is_found():
    match = guard().near("Story first. " + TEXT.replace("one tower", "two towers") + " Print it.")
    assert match is not None and match.id == "eval-1" and match.layer is Layer.SHINGLES and match.score > 0.5


@pytest.mark.parametrize("text", ["", "Find the longest rising run.", "Read a number and print its square root."])
def test_other_texts_pass(text):
    assert guard().near(text) is None


def test_an_embedding_finds_what_words_do_not():
    def embed(text):
        return (1.0, 0.1) if "tower" in text or "building" in text else (0.0, 1.0)

    match = guard(embed=embed).near("Buildings: the longest climb over a building row.")
    assert match is not None and match.layer is Layer.EMBEDDING and match.id == "eval-1"
    assert guard(embed=embed).near("Print a number.").id == "eval-2"  # type: ignore[union-attr]


def test_a_leak_is_a_run_that_the_lemma_does_not_hold():
    lift = f"Now harder: {TEXT[20:60]} and so on"
    assert leaked_run(TEXT, lift) == TEXT[20:50]
    assert leaked_run(TEXT, lift, lemma=TEXT[15:70]) is None
    assert leaked_run(TEXT, TEXT[:29]) is None


@given(st.text(alphabet="ab ", max_size=60), st.text(alphabet="ab ", max_size=60))
def test_a_found_leak_is_in_both_texts(goalpost, lift):
    part = leaked_run(goalpost, lift, run=5)
    assert part is None or (part in goalpost and part in lift and len(part) == 5)
