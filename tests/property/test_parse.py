"""Parsing is total and linear: no model text raises, none takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.game.parse import ParseError, Proposal, answer, blocks, program, proposal

LINES = st.sampled_from(
    ["```python", "```", "```inputs", "```message", "x = 1", "", "  ```", "<think>", "</think>", "1, 2"]
)
TEXT = st.one_of(st.text(max_size=300), st.lists(LINES, max_size=40).map("\n".join))


@given(TEXT)
def test_total(text):
    assert isinstance(blocks(text), list)
    assert isinstance(proposal(text, inputs=2), Proposal | ParseError)
    assert isinstance(program(text), str | ParseError)
    assert isinstance(answer(text, "output"), str | ParseError)


@given(
    st.lists(
        st.text(st.characters(blacklist_characters="`\r\n") | st.sampled_from("\x0c\x85\u2028"), min_size=1), min_size=1
    )
)
def test_a_fenced_body_comes_back_whole(lines):
    body = "\n".join(lines)
    if "</think>" in body:
        return
    (found,) = blocks(f"before\n```python\n{body}\n```\nafter")
    assert found.body == body


@pytest.mark.parametrize("line", ["```python\n", "```\n", "</think>", "`" * 3])
def test_a_megabyte_of_fences(line):
    text = line * (1_000_000 // len(line))
    assert isinstance(program(text), ParseError)
    assert len(blocks(text)) <= len(text)
