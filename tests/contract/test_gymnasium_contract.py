"""The environments inside gymnasium's real machinery."""

import subprocess
import sys
from pathlib import Path

import pytest

gymnasium = pytest.importorskip("gymnasium")
from adapter_cases import make_run, summary  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402

from gasp_env.adapters.gymnasium import FreeText  # noqa: E402
from gasp_env.errors import ConfigError  # noqa: E402
from gasp_env.policy import ScriptedPolicy  # noqa: E402
from gasp_env.report.facts import read_facts  # noqa: E402
from gasp_env.tasks import load_goalposts  # noqa: E402
from gasp_env.types import Stage, Ticket  # noqa: E402

ROOT = Path(__file__).parents[2]
GOALPOSTS = ROOT / "examples" / "micro" / "goalposts.jsonl"
MODULE = "gasp_env.adapters.gymnasium"
PROPOSAL = (
    "```python\ndef f(xs):\n    return sorted(xs)\n```\n```inputs\n"
    + "\n".join(f"[{n}, 1, {9 - n}]" for n in range(10))
    + "\n```\n```message\nsort them\n```"
)
SORTS, ECHOES = "```python\ndef f(xs):\n    return sorted(xs)\n```", "```python\ndef f(xs):\n    return xs\n```"


def make(name, **options):
    settings = {"rules.prompt_style": "compact"} | options.pop("settings", {})
    return gymnasium.make(f"{MODULE}:{name}-v0", goalposts=GOALPOSTS, settings=settings, **options)


@pytest.mark.parametrize("name", ["GaspTeacher", "GaspStudent"])
def test_gymnasium_finds_nothing_to_complain_about(name):
    env = make(name, policy=ScriptedPolicy(lambda *_: SORTS))
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_a_teacher_whose_probes_a_policy_answers():
    right = iter([SORTS, ECHOES] * 100)
    env = make("GaspTeacher", policy=ScriptedPolicy(lambda *_: next(right)))
    text, info = env.reset(seed=1, options={"ticket": Ticket(stage=Stage.LEMMA, draw_seed=5)})
    assert info["role"] == "teacher" and info["train"] and text == info["messages"][-1].content
    text, reward, terminated, truncated, info = env.step(PROPOSAL)
    assert terminated and not truncated and text == ""
    result = info["result"]
    assert result.accepted and (result.solve_rate.solved, result.solve_rate.n) == (5, 10) and reward == 1.0
    assert len(env.unwrapped.curriculum.state.questions) == 1
    env.close()


def test_a_teacher_whose_probes_are_observations():
    env = make("GaspTeacher", settings={"rules.rollouts": "4"})
    env.reset(seed=1, options={"ticket": Ticket(stage=Stage.LEMMA, draw_seed=5)})
    _, reward, terminated, _, info = env.step(PROPOSAL)
    assert not terminated and reward == 0.0 and info["role"] == "student" and not info["train"] and info["n"] == 4
    with pytest.raises(ConfigError, match="got 3 texts; the prompt asks for 4"):
        env.step([SORTS] * 3)
    _, reward, terminated, _, info = env.step([SORTS, SORTS, ECHOES, ECHOES])
    assert terminated and info["result"].accepted and reward == 1.0
    env.close()


def test_a_student_solves_a_goalpost():
    references = {one.id: one.reference for one in load_goalposts(GOALPOSTS)}
    env = make("GaspStudent")
    env.reset(seed=3)
    _, reward, terminated, _, info = env.step("no code")
    assert terminated and reward == -1.0
    env.reset(seed=3)
    _, reward, _, _, info = env.step(f"```python\n{references[info['result'].goalpost_id]}\n```")
    assert reward == 1.0 and info["result"].attempts[-1].solved
    env.close()


def test_a_fault_is_truncated_and_masked():
    env = make("GaspTeacher", policy=ScriptedPolicy(lambda *_: SORTS))
    env.reset(seed=1, options={"ticket": Ticket(stage=Stage.LEMMA, draw_seed=5)})
    env.unwrapped._stepper._inner._running.hand.policy = None
    env.unwrapped._due = 1
    _, reward, terminated, truncated, info = env.unwrapped.step([None])
    assert (reward, terminated, truncated) == (0.0, False, True) and info["masked"]
    env.close()


def test_vectors():
    settings = {"rules.prompt_style": "compact"}
    envs = gymnasium.make_vec(
        f"{MODULE}:GaspStudent-v0", num_envs=2, vectorization_mode="sync", goalposts=GOALPOSTS, settings=settings
    )
    texts, _ = envs.reset(seed=1)
    assert len(texts) == 2 and texts[0] != texts[1]
    _, rewards, terminated, _, _ = envs.step((ECHOES, "nothing"))
    assert terminated.all() and list(rewards) == [-0.5, -1.0]
    envs.close()


def prompts(envs, count=4, **options):
    return [text for _ in range(count) for text in envs.reset(**options)[0]]


def vector(mode="sync", **options):
    kept = {"vector_kwargs": {"shared_memory": False}} if mode == "async" else {}
    settings = {"rules.prompt_style": "compact"}
    return gymnasium.make_vec(
        f"{MODULE}:GaspStudent-v0",
        num_envs=2,
        vectorization_mode=mode,
        goalposts=GOALPOSTS,
        settings=settings,
        **kept,
        **options,
    )


def test_unseeded_environments_differ_and_seeded_ones_repeat():
    first, second = vector(), vector()
    assert prompts(first) != prompts(second)
    assert prompts(first, 1, seed=7) + prompts(first) == prompts(second, 1, seed=7) + prompts(second)
    assert prompts(first) == prompts(second)
    columns = [prompts(first)[at::2] for at in range(2)]
    assert columns[0] != columns[1]
    first.close()
    second.close()


def test_environments_in_processes_of_their_own():
    here, there, elsewhere = vector(), vector("async"), vector("async")
    assert prompts(here, 1, seed=7) == prompts(there, 1, seed=7)
    assert prompts(there) != prompts(elsewhere)
    elsewhere.close()
    _, rewards, terminated, truncated, info = there.step((ECHOES, "nothing"))
    assert terminated.all() and not truncated.any() and list(rewards) == [-0.5, -1.0]
    assert [one.reward.value for one in info["result"]] == [-0.5, -1.0]
    there.close()
    here.close()


def test_a_joined_run_keeps_transcripts_and_a_report_shows_them(tmp_path):
    make_run(tmp_path / "run")
    for name, said, count in (("GaspTeacher", PROPOSAL, 2), ("GaspStudent", "no code", 3)):
        env = gymnasium.make(f"{MODULE}:{name}-v0", run=tmp_path / "run", policy=ScriptedPolicy(lambda *_: SORTS))
        for _ in range(count):
            env.reset(options={"ticket": Ticket(stage=Stage.LEMMA, draw_seed=5)} if said == PROPOSAL else None)
            env.step(said)
        env.close()
    total = summary(tmp_path / "run")
    assert len(total["episodes"]) == total["settled"] == 5
    facts = read_facts(tmp_path / "run")
    assert facts.episodes == 5 and not facts.masked and facts.funnel["lemma"][0].count == 2


def test_an_evaluation_ticket_leaves_no_transcript(tmp_path):
    make_run(tmp_path / "run")
    env = gymnasium.make(f"{MODULE}:GaspStudent-v0", run=tmp_path / "run")
    env.reset(options={"ticket": Ticket(stage=Stage.REAL, draw_seed=5, split="eval")})
    env.step("no code")
    env.close()
    assert not summary(tmp_path / "run")["episodes"]


def test_text_is_any_text():
    space = FreeText(10)
    assert "é\n🙂" in space and "x" * 11 not in space and 3 not in space
    space.seed(1)
    assert FreeText().sample() in FreeText()


def test_what_it_needs_is_named():
    with pytest.raises(ConfigError, match="name one of the two"):
        gymnasium.make(f"{MODULE}:GaspStudent-v0")


@pytest.mark.slow
def test_the_example_agents():
    script = ROOT / "integrations" / "gymnasium" / "agents.py"
    done = subprocess.run([sys.executable, script, GOALPOSTS], capture_output=True, text=True, check=True)
    assert "random agent: mean reward -1.00" in done.stdout and "oracle:       mean reward +1.00" in done.stdout
