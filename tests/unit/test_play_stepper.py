"""The stepping driver plays the same game as the arena."""

import asyncio

import pytest
from arena_cases import Author, arena, propose, solve
from game_cases import ticket

from gasp_env.config import Config, Rules
from gasp_env.errors import ConfigError
from gasp_env.play import Arena, LoopThread, Probes, Stepper
from gasp_env.rewards import teacher_reward
from gasp_env.types import Role, SolveRate, Stage

CONFIG = Config(rules=Rules(prompt_style="compact"))


@pytest.fixture
def loop():
    with LoopThread() as found:
        yield found


def without_policy():
    made = arena(config=CONFIG)
    return Arena(made.curriculum, made.sandbox, None, made.embedder, CONFIG)


def test_same_result_as_the_arena(loop):
    stepper = Stepper(arena(config=CONFIG), loop)
    messages, reward, done, info = stepper.reset(ticket(), episode_id="1")
    assert messages[-1].content.startswith("lemma") and (reward, done) == (0.0, False)
    assert (info["role"], info["train"], info["n"]) == ("teacher", True, 1)
    messages, reward, done, info = stepper.step(propose(2, 2))
    played = asyncio.run(arena(config=CONFIG).play_ticket(ticket(), episode_id="1"))
    assert messages is None and done and reward == played.result.reward.value
    assert info["result"] == played.result and info["result"].accepted and not info["masked"]


def test_a_student_turn(loop):
    stepper = Stepper(arena(config=CONFIG), loop)
    stepper.reset(ticket(), episode_id="1")
    stepper.step(propose(2, 2))
    step = stepper.reset(ticket(Stage.SOLVE), episode_id="2")
    assert stepper.step(solve(step.messages, right=True)).reward == 1.0
    step = stepper.reset(ticket(Stage.SOLVE, 2), episode_id="3")
    assert stepper.step("no code").reward == -1.0


def test_probes_can_be_surfaced(loop):
    stepper = Stepper(without_policy(), loop, mode="surface")
    stepper.reset(ticket(), episode_id="1")
    step = stepper.step(propose(3, 1))
    assert (step.info["role"], step.info["train"], step.info["n"], step.done) == ("student", False, 10, False)
    with pytest.raises(ConfigError, match="asks for 10"):
        stepper.step("one")
    step = stepper.step([solve(step.messages, right=place < 7) for place in range(10)])
    rate = SolveRate(solved=7, n=10)
    assert step.done and step.info["result"].solve_rate == rate
    assert step.reward == teacher_reward("gasp-lemma", rate, band=CONFIG.rules.lemma_band).value


def test_another_policy_may_answer_the_probes(loop):
    probes = Author(rate=0)
    stepper = Stepper(without_policy(), loop, probes=probes)
    stepper.reset(ticket(), episode_id="1")
    assert stepper.step(propose(3, 1)).info["result"].solve_rate.solved == 0
    assert probes.calls == 1


def test_a_failed_completion_masks(loop):
    stepper = Stepper(arena(config=CONFIG), loop)
    stepper.reset(ticket(), episode_id="1")
    step = stepper.step(None)
    assert step.done and step.reward is None and step.info["masked"] == "policy"


def test_several_turns(loop):
    config = Config(rules=Rules(prompt_style="compact", teacher_turns=2))
    stepper = Stepper(arena(config=config), loop)
    stepper.reset(ticket(), episode_id="1")
    step = stepper.step("no program here")
    assert not step.done and [message.role for message in step.messages] == ["user", "assistant", "user"]
    assert stepper.step(propose(2, 2)).info["result"].accepted


def test_reset_drops_what_was_not_finished(loop):
    made = arena(config=CONFIG)
    stepper = Stepper(made, loop)
    stepper.reset(ticket(), episode_id="1")
    stepper.reset(ticket(), episode_id="2")
    assert stepper.step(propose(2, 2)).info["episode_id"] == "2"
    assert made.curriculum.metrics()["episodes/settled"] == 1


def test_misuse_is_told(loop):
    stepper = Stepper(arena(config=CONFIG), loop)
    with pytest.raises(ConfigError, match="reset"):
        stepper.step("x")
    stepper.reset(ticket(), episode_id="1")
    stepper.step(None)
    with pytest.raises(ConfigError, match="reset"):
        stepper.step("x")
    with pytest.raises(ConfigError, match="unknown 'often'"):
        Stepper(arena(config=CONFIG), loop, mode="often")
    with pytest.raises(ConfigError, match="surface"):
        Stepper(without_policy(), loop)


def test_the_trained_turns_are_all_that_is_asked(loop):
    made = arena(config=CONFIG)
    stepper = Stepper(made, loop, mode=Probes.SURFACE)
    step, seen = stepper.reset(ticket(), episode_id="1"), []
    while not step.done:
        seen.append((step.info["role"], step.info["train"]))
        author = Author()
        found = asyncio.run(
            author.generate(step.messages, n=step.info["n"], role=Role(step.info["role"]), sampling=_Seed())
        )
        step = stepper.step([one.text for one in found])
    assert seen == [("teacher", True), ("student", False)]


class _Seed:
    seed = 1
