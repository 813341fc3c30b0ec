"""Every checked-in goalpost and problem is solved by its own reference, in the sandbox; micro primitives do what they say."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from gasp_env.sandbox import open_local
from gasp_env.tasks.jsonl import load_goalposts
from gasp_env.types import Goalpost, InputStyle, Job, JobOutcome, Verdict
from gasp_env.values import encode

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES / "micro"))

import domain  # noqa: E402

MICRO = load_goalposts(EXAMPLES / "micro" / "goalposts.jsonl")
PROBLEMS = load_goalposts(EXAMPLES / "goalposts" / "problems.jsonl")


def run_all(jobs: list[Job]) -> list[JobOutcome]:
    async def go() -> list[JobOutcome]:
        sandbox = await open_local()
        try:
            return await sandbox.run(jobs)
        finally:
            await sandbox.close()

    return asyncio.run(go())


def job(goalpost: Goalpost) -> Job:
    assert goalpost.reference is not None
    inputs = tuple(t.input for t in goalpost.tests)
    return Job(program=goalpost.reference, inputs=inputs, style=goalpost.style, entry=goalpost.entry)


def failures(goalposts: tuple[Goalpost, ...]) -> list[str]:
    out = []
    for goalpost, outcome in zip(goalposts, run_all([job(g) for g in goalposts]), strict=True):
        for test, got in zip(goalpost.tests, outcome.tests, strict=True):
            value = got.stdout if goalpost.style is InputStyle.STDIN else got.value
            same = value is not None and value.strip() == test.output.strip()
            if got.verdict is not Verdict.OK or not same:
                out.append(f"{goalpost.id} on {test.input!r}: {got.verdict} {value!r}, expected {test.output!r}")
    return out


def test_there_are_enough() -> None:
    assert len(MICRO) >= 30
    assert len(PROBLEMS) >= 20
    assert {p.style for p in PROBLEMS} == {InputStyle.STDIN, InputStyle.JSON, InputStyle.LITERAL}


@pytest.mark.parametrize("goalpost", PROBLEMS, ids=lambda g: g.id)
def test_problems_have_edge_cases_in_hidden_tests(goalpost: Goalpost) -> None:
    assert len(goalpost.visible) == 3
    assert len(goalpost.hidden) >= 5
    assert len({t.input for t in goalpost.tests}) == len(goalpost.tests)


@pytest.mark.parametrize("goalpost", MICRO, ids=lambda g: g.id)
def test_micro_goalposts_are_combinations_of_the_tail(goalpost: Goalpost) -> None:
    steps = domain.parse(goalpost.reference or "")
    assert steps is not None
    assert goalpost.statement == domain.message(steps)
    assert sum(s.primitive.tier is domain.Tier.TAIL for s in steps) >= 3
    assert len(goalpost.visible) == len(goalpost.hidden) == 5


def test_micro_references_pass_their_own_tests() -> None:
    assert failures(MICRO) == []


def test_problem_references_pass_their_own_tests() -> None:
    assert failures(PROBLEMS) == []


def test_a_wrong_reference_is_noticed() -> None:
    other = tuple(
        g
        for g in MICRO[:1]
        for g in [
            Goalpost(
                id=g.id,
                statement="",
                style=g.style,
                visible=g.visible,
                hidden=g.hidden,
                reference="def f(xs):\n    return xs\n",
            )
        ]
    )
    assert failures(other) != []


def test_code_of_every_primitive_equals_its_interpreter() -> None:
    rng = random.Random(0)
    inputs = [[], [4], *domain.draw_inputs(rng, 6)]
    steps = [
        domain.Step(p.name, k, form) for p in domain.PRIMITIVES for k in p.constants[:2] for form in range(len(p.forms))
    ]
    jobs = [Job(program=domain.render((s,)), inputs=tuple(map(repr, inputs))) for s in steps]
    for step, outcome in zip(steps, run_all(jobs), strict=True):
        got = [t.value for t in outcome.tests]
        assert got == [encode(domain.run((step,), xs)) for xs in inputs], step
