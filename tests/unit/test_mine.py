"""The staged rule decides as the flat one does, for a third of the answers; a stopped run goes on where it ended."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.errors import ConfigError
from gasp_env.mine import (
    Checkpoint,
    Evidence,
    Judged,
    Miner,
    Plan,
    chance_kept,
    describe,
    expected_cost,
    gather,
    parse_checkpoint,
    upper_rate,
)
from gasp_env.play.lines import Lines
from gasp_env.tasks import Flag, Problem
from gasp_env.types import InputStyle, TestCase

TESTS = (TestCase(input="1\n", output="1\n"), TestCase(input="2\n", output="2\n"))


def problem(name, **fields):
    return Problem(id=str(name), statement=f"s{name}", style=InputStyle.STDIN, hidden=TESTS, **fields)


class Drawn:
    """Answers that are right at a known rate; answer number i of an item is the same whoever asks when."""

    def __init__(self, rates, checkpoint, masked=0.0):
        self.rates, self.checkpoint, self.masked, self.asked = rates, checkpoint, masked, 0

    def right(self, name, number):
        return Random(f"{self.checkpoint}:{name}:{number}").random() < self.rates[name]

    async def ask(self, problem, n, *, first=0):
        self.asked += n
        await asyncio.sleep(0)
        masks = [Random(f"mask:{problem.id}:{at}").random() < self.masked for at in range(first, first + n)]
        return [
            None if mask else "right" if self.right(problem.id, first + at) else "wrong"
            for at, mask in enumerate(masks)
        ]


async def judge(_problem, texts):
    return [Judged(solved=None if one is None else one == "right", verdict=one or "policy") for one in texts]


def checkpoints(*keys):
    return tuple(Checkpoint(round=key.split(":")[0], name=key.split(":")[1], answers="x") for key in keys)


def miner(tmp_path, problems, drawn, **fields):
    @asynccontextmanager
    async def opened(checkpoint):
        yield drawn[checkpoint.key]

    options = {
        "plan": Plan(checkpoints=checkpoints(*drawn)),
        "refusal": lambda _: None,
        "evidence": Lines(tmp_path / "evidence.jsonl", Evidence),
    } | fields
    return Miner(problems=problems, judge=judge, open=opened, **options)


def test_the_staged_rule_decides_as_a_hundred_flat_answers_do_for_a_third_of_them(tmp_path):
    """1,000 items: 200 unsolvable, 50 at 1 %, 50 at 3 %, the rest evenly from never to always solved."""
    rng = Random(7)
    fixed = [0.0] * 200 + [0.01] * 50 + [0.03] * 50
    rates = {str(at): rate for at, rate in enumerate(fixed + [rng.random() for _ in range(700)])}
    drawn = Drawn(rates, "1:base")
    problems = [problem(name) for name in rates]
    run = miner(tmp_path, problems, {"1:base": drawn}, evidence=NoDisk())
    asyncio.run(run.run())
    flat = {name for name in rates if not any(drawn.right(name, number) for number in range(100))}
    assert {name for name in rates if run.survives(name)} == flat
    share = drawn.asked / 100_000
    assert share <= 1 / 3, share
    false = [name for name in flat if rates[name] > 0]
    stated = sum(chance_kept(rate, 100) for rate in rates.values() if rate)
    spread = sum(chance_kept(rate, 100) * (1 - chance_kept(rate, 100)) for rate in rates.values() if rate) ** 0.5
    assert len(false) > 10 and abs(len(false) - stated) < 3 * spread
    predicted = sum(expected_cost(rate, run.plan.targets, run.plan.batch) for rate in rates.values())
    assert abs(drawn.asked - predicted) / predicted < 0.05


class NoDisk:
    """Evidence in memory."""

    def __init__(self):
        self.rows = []

    def append(self, rows):
        self.rows += rows

    def keep(self, _wanted):
        return list(self.rows)


def test_rounds_remove_in_order_and_the_manifest_names_who_did(tmp_path):
    rates = {"1:a": {"x": 1, "y": 0, "z": 0}, "2:b": {"x": 1, "y": 1, "z": 0}}
    drawn = {key: Drawn(found, key) for key, found in rates.items()}
    refused = problem("r", flags=(Flag.ERRATA,))
    run = miner(
        tmp_path,
        [problem("x"), refused, problem("y"), problem("z", flags=(Flag.FLOATS,))],
        drawn,
        refusal=lambda one: "errata" if Flag.ERRATA in one.flags else None,
    )
    asyncio.run(run.run())
    found = gather(run)
    manifest = describe(
        run,
        found,
        gasp_env="0",
        created="",
        problems="p",
        problems_hash="h",
        window="",
        settings={},
        refused=run.refused,
    )
    assert [(one["removed"], one["left"]) for one in manifest.rounds] == [({"x": "1:a"}, 2), ({"y": "2:b"}, 1)]
    assert [one.id for one in found[0]] == ["z"] and manifest.refused == {"r": "errata"}
    assert manifest.suspicious == {"floats": ("z",)} and manifest.evidence == {"z": {"1:a": 100, "2:b": 100}}
    assert drawn["1:a"].asked == 4 + 200 and drawn["2:b"].asked == 4 + 100  # what round 1 removed is never asked again
    assert manifest.false_goalpost["chance_kept_by_rate"]["0.03"] == pytest.approx(0.97**100)


@pytest.mark.parametrize("stop_after", [0, 3, 11, 30])
def test_a_run_that_was_stopped_goes_on_with_the_next_batch(tmp_path, stop_after):
    rates = {str(at): rate for at, rate in enumerate((0, 0.02, 0.5, 0, 0.1))}
    problems = [problem(name) for name in rates]
    whole = miner(tmp_path, problems, {"1:a": Drawn(rates, "1:a")}, evidence=NoDisk(), concurrency=1)
    asyncio.run(whole.run())
    evidence = Lines(tmp_path / "evidence.jsonl", Evidence)
    evidence.append(whole.evidence.rows[:stop_after])
    with evidence.path.open("ab") as file:
        file.write(b'{"id": "4", "checkp')  # cut off by a kill
    again = miner(tmp_path, problems, {"1:a": Drawn(rates, "1:a")}, concurrency=1)
    asyncio.run(again.run())
    assert list(again.evidence) == whole.evidence.rows
    assert [again.survives(name) for name in rates] == [whole.survives(name) for name in rates]


def test_masked_answers_count_neither_way(tmp_path):
    drawn = Drawn({"x": 0.0}, "1:a", masked=0.2)
    run = miner(tmp_path, [problem("x")], {"1:a": drawn})
    asyncio.run(run.run())
    assert run.survives("x") and run.tallies["x"].n["1:a"] == 100 and drawn.asked > 110
    dead = miner(tmp_path, [problem("y")], {"1:a": Drawn({"y": 0.0}, "1:a", masked=1.0)}, evidence=NoDisk())
    asyncio.run(dead.run())
    assert not dead.survives("y") and dead.tallies["y"].solved_by is None


def test_a_checkpoint_with_nothing_left_to_ask_is_not_opened(tmp_path):
    drawn = {"1:a": Drawn({"x": 0.0}, "1:a"), "1:b": Drawn({"x": 0.0}, "1:b")}
    asyncio.run(miner(tmp_path, [problem("x")], drawn).run())
    again = miner(tmp_path, [problem("x")], drawn)
    again.open = None  # would fail if it were called
    asyncio.run(again.run())
    assert again.survives("x")


@pytest.mark.parametrize("text", ["base=x", "1:=x", "1:base", ":base=x", "1:base="])
def test_a_checkpoint_of_another_form_is_refused(text):
    with pytest.raises(ConfigError, match="ROUND:NAME"):
        parse_checkpoint(text, saved=False)
    with pytest.raises(ConfigError, match="FILE"):
        parse_checkpoint(text, saved=True)


def test_plans(tmp_path):
    one = parse_checkpoint("1:step=50=openai:http://x/v1#m", saved=False)
    assert (one.key, one.answers) == ("1:step", "50=openai:http://x/v1#m")
    plan = Plan(checkpoints=(one,), n=10, stages=(16, 4, 4))
    assert plan.targets == (4, 10) and plan.rounds == ("1",)
    for bad in ({"checkpoints": ()}, {"checkpoints": (one, one)}, {"checkpoints": (one,), "n": 0}):
        with pytest.raises(ConfigError):
            Plan(**bad)


@given(st.floats(0, 1), st.integers(1, 300))
def test_chances(p, n):
    assert 0 <= chance_kept(p, n) <= 1 and chance_kept(0, n) == 1
    assert chance_kept(upper_rate(n), n) == pytest.approx(0.05)
    assert expected_cost(0, (4, 16, n + 16), 16) == n + 16
    assert expected_cost(p, (n,), 16) <= n


def test_a_hundred_failures_leave_three_percent_possible():
    assert upper_rate(100) == pytest.approx(0.0295, abs=1e-3) and upper_rate(0) == 1
    with pytest.raises(ValueError, match="no probability"):
        chance_kept(1.5, 3)
