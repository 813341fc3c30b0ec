"""The environment inside verifiers' real machinery: episodes, traces and the evaluation command."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verifiers")
import verifiers.v1 as vf
from chat_server import chat_server
from game_cases import GOALPOST

from gasp_env.cli.app import main
from gasp_env.errors import ConfigError
from gasp_env.play import RunFolder, ticket_text
from gasp_env.store import open_curriculum
from gasp_env.tasks import dump_goalposts
from gasp_env.types import Stage, Ticket

PACKAGE = Path(__file__).parents[2] / "integrations" / "verifiers"


@pytest.fixture(scope="module")
def url():
    with chat_server() as address:
        yield address


@pytest.fixture
def run(tmp_path, monkeypatch):
    folder, goalposts = tmp_path / "run", tmp_path / "goalposts.jsonl"
    goalposts.write_bytes(dump_goalposts([GOALPOST]))
    words = ["tickets", "--run", folder, "--goalposts", goalposts, "--out", tmp_path / "tickets.jsonl", "--rows", "4"]
    with pytest.raises(SystemExit):
        main([*map(str, words), "--set", "rules.prompt_style=compact"])
    monkeypatch.setenv("GASP_RUN", str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.syspath_prepend(str(PACKAGE))
    return RunFolder.open(folder)


def episodes(url, tickets, *, side_by_side=1):
    """Play tickets as a trainer does."""
    from gasp_env_vf import GaspTaskset

    config = vf.resolve_env_field({"env": {"taskset": {"id": "gasp-env-vf"}}})["env"]
    client = vf.EvalClientConfig(base_url=url, api_key_var="OPENAI_API_KEY")
    context = vf.ModelContext(model="author", client=client)

    async def go():
        from verifiers.v1.utils.loaders import load_environment

        env = load_environment(config)
        first = next(iter(env.taskset))
        assert isinstance(env.taskset, GaspTaskset) and not env.taskset.bounded
        async with env.serving():
            tasks = [first.with_data(ticket=ticket_text(one)) for one in tickets for _ in range(side_by_side)]
            return await asyncio.gather(*(env.run_episode(task, context) for task in tasks))

    return asyncio.run(go())


def test_lemma_lift_student(run, url):
    lemma = [Ticket(stage=Stage.LEMMA, draw_seed=seed) for seed in range(12)]
    rest = [Ticket(stage=Stage.LIFT, draw_seed=9), Ticket(stage=Stage.SOLVE, draw_seed=10)]
    first = episodes(url, lemma)
    assert all(one.ok for one in first), [one.errors for one in first]
    seats = [[trace.agent.name for trace in one.traces] for one in first]
    assert all(one.count("teacher") == 1 and one.count("probe") in (0, 10) for one in seats)
    for one in first:
        for trace in one.traces:
            assert trace.agent.trainable == (trace.agent.name == "teacher" and not trace.metrics["gasp_masked"])
    rows = {row.result.reward.value for row in run.all_transcripts()}
    paid = {trace.rewards["gasp"].score for one in first for trace in one.traces if trace.agent.name == "teacher"}
    assert paid == {value or 0.0 for value in rows}
    assert any(row.result.accepted for row in run.all_transcripts())
    second = episodes(url, rest)
    assert all(one.ok for one in second)
    (student,) = second[1].traces
    assert student.agent.name == "student" and student.rewards["gasp"].score in (1.0, -0.5, -1.0)
    assert student.metrics["gasp_solved"] == (student.rewards["gasp"].score == 1.0)
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        assert len(curriculum.state.settled) == 14


def test_a_students_ticket_without_questions_trains_the_teacher(run, url):
    (one,) = episodes(url, [Ticket(stage=Stage.SOLVE, draw_seed=3)])
    assert one.ok and one.traces[0].agent.name == "teacher"


def test_a_group_plays_one_task_and_keys_are_tickets(run, url):
    found = episodes(url, [Ticket(stage=Stage.LEMMA, draw_seed=5)], side_by_side=3)
    prompts = {trace.messages[0].content for one in found for trace in one.traces if trace.agent.name == "teacher"}
    assert len(prompts) == 1 and len({one.task.key for one in found}) == 1


def test_reading_tasks_again_draws_nothing(run):
    from gasp_env_vf import GaspTaskset

    from gasp_env.adapters.verifiers import GaspTasksetConfig

    def keys(**settings):
        return [task.key for task in GaspTaskset(taskset_config(**settings)).take(20)]

    def taskset_config(**settings):
        return GaspTasksetConfig(id="gasp-env-vf", **settings)

    assert keys() == keys() and len(set(keys())) == 20
    assert all("solve" in key or "real" in key for key in keys(role="student"))
    with pytest.raises(ConfigError, match="expected teacher, student or nothing"):
        keys(role="judge")
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        assert not curriculum.state.draws


def test_an_endpoint_that_is_down_fails_the_episode_and_pays_nothing(run):
    (one,) = episodes("http://127.0.0.1:9/v1", [Ticket(stage=Stage.LEMMA, draw_seed=1)])
    assert not one.ok
    assert all(not trace.agent.trainable for trace in one.traces if trace.agent.name == "teacher")
    assert [row.result.reward.value for row in run.all_transcripts()] == [None]


@pytest.mark.slow
def test_the_evaluation_command(run, url, tmp_path):
    words = ["vf-eval", "gasp-env-vf", "-m", "author", "--no-push", "--no-rich", "--select.limit", "2", "-r", "2"]
    words += ["--client.base-url", url, "--client.api-key-var", "OPENAI_API_KEY", "--output-dir", str(tmp_path / "out")]
    env = os.environ | {"PYTHONPATH": str(PACKAGE), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.rglob("traces.jsonl")
    assert len(file.read_text().splitlines()) == 4
    assert len(list(run.all_transcripts())) == 4
