"""What is put around a judged program: only the needed part of the preamble, with the same meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.play.suite_guest import PREAMBLE, call_program, joined_program, lcb_call, lcb_stdin, with_preamble


def names_of(program):
    found = {}
    exec(program, found)
    return found


def test_every_name_of_the_preamble_means_the_same_in_its_part():
    full = names_of(PREAMBLE)  # now: other tests set parts of sys
    names = sorted(name for name in full if name.isidentifier() and not name.startswith("_"))
    part = names_of(with_preamble("use = [" + ", ".join(names) + "]"))
    wrong = [name for name, found in zip(names, part["use"], strict=True) if found is not full[name]]
    changing = {"last_exc", "last_type", "last_value", "last_traceback", "exc"}
    assert set(wrong) <= changing


@pytest.mark.parametrize("program", ["globals()['deque']", "x = eval('sqrt(4)')", "vars()"])
def test_a_program_that_looks_names_up_by_text_gets_all_of_it(program):
    assert {"deque", "sqrt", "Counter"} <= names_of(with_preamble(program)).keys()


def test_future_imports_stay_first_and_lines_move_by_one_at_most():
    with pytest.raises(ZeroDivisionError) as caught:
        names_of(with_preamble("x = 1\n1/0"))
    assert caught.traceback[-1].lineno + 1 == 3  # line 2 of the program
    program = "'''doc'''\nfrom __future__ import annotations\nx: Nothing = deque([1])"
    assert names_of(with_preamble(program))["x"][0] == 1


@given(st.text(max_size=300))
def test_any_text_can_be_wrapped(text):
    """Hostile text is only quoted or put beside ours: it never ends our part."""
    compile(lcb_stdin(text), "", "exec")
    body, entry = joined_program("x = 1", text)
    compile(body, "", "exec")
    assert entry == "__gasp_check"
    with_preamble(text)
    assert call_program(text, "f")[0].startswith(text) and lcb_call(text, "f")[1] == "__gasp_call"
