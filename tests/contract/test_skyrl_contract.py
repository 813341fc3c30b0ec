"""The text environment inside skyrl-gym's real registry."""

import pytest

skyrl_gym = pytest.importorskip("skyrl_gym", reason="pip install 'gasp-env[skyrl]'")

from adapter_cases import Script, make_run, summary  # noqa: E402
from skyrl_gym.envs.base_text_env import BaseTextEnv  # noqa: E402

from gasp_env.adapters.skyrl import ENV_ID, POLICY_KEY, PROBES_VARIABLE  # noqa: E402
from gasp_env.errors import ConfigError, DataError, PolicyError  # noqa: E402
from gasp_env.play import leave_runs, ticket_text  # noqa: E402
from gasp_env.types import Stage, Ticket  # noqa: E402


@pytest.fixture
def run(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    rows = make_run(folder, form="skyrl", rows=12)
    monkeypatch.setenv("GASP_RUN", str(folder))
    monkeypatch.delenv(PROBES_VARIABLE, raising=False)
    yield folder, rows
    leave_runs()


def play(row, script, **options):
    """As SkyRL's generator does it, less the tokens."""
    extras = options.get("extras", {POLICY_KEY: script}) | {"extra_info": row["extra_info"]}
    env = skyrl_gym.make(row["env_class"], env_config={}, extras=extras)
    assert isinstance(env, BaseTextEnv)
    chat, _ = env.init(row["prompt"])
    while True:
        answer = script.answer(chat)
        out = env.step(answer)
        chat = [*chat, {"role": "assistant", "content": answer}, *out["observations"]]
        if out["done"]:
            env.close()
            return chat, out, env.get_metrics()


def test_a_run_of_both_roles(run):
    folder, rows = run
    script = Script()
    found = [play(row, script) for row in rows]
    assert {row["env_class"] for row in rows} == {ENV_ID}
    metrics = [one for _, _, one in found]
    assert all(set(one) == set(metrics[0]) for one in metrics)
    teachers = [one for one in metrics if one["gasp_teacher"]]
    assert any(one["gasp_accepted"] and one["gasp_solve_rate"] == 0.5 for one in teachers)
    assert len(teachers) < len(metrics)
    total = summary(folder)
    assert total["settled"] == len(rows) == len(total["episodes"])
    assert [one["gasp_reward"] for one in metrics] == [episode[2] for episode in total["episodes"]]


def test_a_second_turn_shows_only_what_is_new(tmp_path, monkeypatch):
    folder = tmp_path / "two"
    make_run(folder, form="skyrl", rules__teacher_turns="2")
    monkeypatch.setenv("GASP_RUN", str(folder))
    ticket = Ticket(stage=Stage.LEMMA, draw_seed=1)
    extras = {"extra_info": {"ticket": ticket_text(ticket)}, POLICY_KEY: Script()}
    env = skyrl_gym.make(ENV_ID, env_config={}, extras=extras)
    env.init([])
    out = env.step("no code at all")
    assert not out["done"] and out["reward"] == 0.0
    assert [one["role"] for one in out["observations"]] == ["user"]
    assert env.step("again nothing")["done"] and env.get_metrics()["gasp_reward"] == -1.0
    leave_runs()


def test_probes_that_fail_mask_the_episode(run):
    class Down(Script):
        async def generate(self, messages, *, n, role, sampling):
            raise PolicyError("the engine is gone")

    folder, rows = run
    teacher = next(row for row in rows if row["prompt"][0]["content"] == "lemma")
    _, out, metrics = play(teacher, Down())
    assert out["done"] and out["reward"] == 0.0 and out["metadata"]["masked"] and metrics["gasp_masked"] == 1.0
    assert not summary(folder)["questions"]


def test_what_is_missing_is_one_clear_error(run):
    _, rows = run
    with pytest.raises(DataError, match=r"extra_info.ticket: missing"):
        skyrl_gym.make(ENV_ID, env_config={}, extras={})
    teacher = next(row for row in rows if row["prompt"][0]["content"] == "lemma")
    with pytest.raises(ConfigError, match="nobody answers a teacher's probes"):
        play(teacher, Script(), extras={})
