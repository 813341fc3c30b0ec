"""The micro domain and its training pairs: text and interpreter agree, pairs are well formed."""

import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

MICRO = Path(__file__).parents[2] / "examples" / "micro"
sys.path.insert(0, str(MICRO))

import domain  # noqa: E402
import pairs  # noqa: E402

seeds = st.integers(0, 2**32)
PAIR = re.compile(r"f\(\[[-\d, ]*\]\) == (?:\[[-\d, ]*\]|-?\d+)")


def blocks(text: str) -> dict[str, str]:
    return dict(re.findall(r"```(\w+)\n(.*?)\n```", text, re.DOTALL))


@given(seeds, st.integers(1, 4))
def test_parse_reads_what_render_wrote(seed: int, length: int) -> None:
    steps = domain.draw_program(random.Random(seed), length)
    assert domain.parse(domain.render(steps)) == steps


@given(seeds, st.integers(1, 4), st.data())
def test_tail_count_is_exact(seed: int, length: int, data: st.DataObject) -> None:
    tail = data.draw(st.integers(0, length))
    steps = domain.draw_program(random.Random(seed), length, tail=tail)
    assert sum(s.primitive.tier is domain.Tier.TAIL for s in steps) == tail
    assert not any(s.primitive.final for s in steps[:-1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f(xs):",
        "def f(xs):\n    return xs",
        "def f(xs):\n    import os\n    return xs",
        "def f(xs):\n    return sum(xs)\n    return xs",
        "def g(xs):\n    xs = sorted(xs)\n    return xs",
        "def f(xs):\n    xs = sorted(xs)",
    ],
)
def test_parse_refuses_other_text(text: str) -> None:
    assert domain.parse(text) is None


def test_an_integer_ends_a_program() -> None:
    with pytest.raises(TypeError, match="only the last step"):
        domain.run((domain.Step("sum"), domain.Step("sort")), [1, 2])


def test_primitives_accept_the_empty_list_and_leave_their_input_alone() -> None:
    for primitive in domain.PRIMITIVES:
        for xs in ([], [5], [3, -1, 3, 12]):
            before = list(xs)
            primitive.fn(xs, primitive.constants[0])
            assert xs == before, primitive.name


def test_names_phrases_and_lines_are_unique() -> None:
    lines = [
        domain.Step(p.name, k, i).code for p in domain.PRIMITIVES for k in p.constants for i in range(len(p.forms))
    ]
    phrases = [domain.Step(p.name, k).phrase for p in domain.PRIMITIVES for k in p.constants]
    assert len(domain.BY_NAME) == len(domain.PRIMITIVES) >= 40
    assert len(set(lines)) == len(lines)
    assert len(set(phrases)) == len(phrases)


def test_the_tail_is_rare_and_almost_never_together() -> None:
    rng = random.Random(0)
    made = [pairs.draw_pair(rng, "solve").steps for _ in range(600)]
    tails = [sum(s.primitive.tier is domain.Tier.TAIL for s in steps) for steps in made]
    assert sum(t >= 2 for t in tails) / len(tails) < 0.03
    assert {len(steps) for steps in made} == {1, 2, 3, 4}


@settings(max_examples=60)
@given(seeds, st.sampled_from(tuple(pairs.KINDS)))
def test_pairs_are_well_formed(seed: int, kind: str) -> None:
    made = pairs.draw_pair(random.Random(seed), kind)
    found = blocks(made.answer)
    tags = {
        "solve": {"python"},
        "lemma": {"python", "inputs", "message"},
        "lift": {"python", "inputs", "message"},
        "free induction": {"inputs", "message"},
        "free deduction": {"python", "inputs"},
        "free abduction": {"python", "inputs"},
        "output": {"output"},
        "input": {"input"},
    }
    assert set(found) == tags[made.kind]
    assert made.answer.endswith("\n```")
    if "python" in found:
        assert domain.parse(found["python"]) is not None
    if "message" in found:
        lines = found["inputs"].split("\n")
        assert len(set(lines)) == 10
        assert all(domain.run(made.steps, xs) is not None for xs in made.inputs)


@given(seeds)
def test_a_proposal_is_about_its_own_program(seed: int) -> None:
    made = pairs.draw_pair(random.Random(seed), "lemma")
    found = blocks(made.answer)
    assert domain.parse(found["python"]) == made.steps
    assert found["message"] == domain.message(made.steps)


@given(seeds)
def test_deduction_and_abduction_answers_are_right(seed: int) -> None:
    rng = random.Random(seed)
    out = pairs.draw_pair(rng, "output")
    assert blocks(out.answer)["output"] == repr(domain.run(out.steps, out.inputs[0]))
    back = pairs.draw_pair(rng, "input")
    assert back.prompt.endswith("\n" + repr(domain.run(back.steps, back.inputs[0])))
    assert blocks(back.answer)["input"] == repr(list(back.inputs[0]))


@given(seeds, st.sampled_from(("solve", "lemma", "lift")))
def test_prompts_show_five_pairs_and_short_ones_one(seed: int, kind: str) -> None:
    made = pairs.draw_pair(random.Random(seed), kind)
    assert len(PAIR.findall(made.prompt)) == 5
    short = pairs.shorten(made)
    assert len(PAIR.findall(short.prompt)) == 1
    assert made.prompt.startswith(short.prompt)
    assert blocks(short.answer).keys() == blocks(made.answer).keys()


def test_the_teacher_describes_a_look_alike_and_the_student_mistakes_it() -> None:
    rng = random.Random(0)
    steps = (domain.Step("rank"),)
    kept = {role: sum(pairs.confuse(rng, steps, role) == steps for _ in range(1000)) / 1000 for role in pairs.SKILL}
    for role, share in kept.items():
        assert abs(share - pairs.SKILL[role][domain.Tier.TAIL]) < 0.05
