"""The environment inside verifiers' real machinery: episodes, traces and the evaluation command."""

import asyncio
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("verifiers")
import httpx
import verifiers.v1 as vf
from chat_server import chat_server
from game_cases import GOALPOST
from packaging.requirements import Requirement

from gasp_env import __version__
from gasp_env.cli.app import main
from gasp_env.errors import ConfigError
from gasp_env.play import RunFolder, ticket_text
from gasp_env.store import open_curriculum
from gasp_env.tasks import dump_goalposts
from gasp_env.types import Stage, Ticket

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "integrations" / "verifiers"


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


@contextmanager
def flaky_server(fails):
    """A proxy of the chat server that refuses the calls which ``fails`` picks by their number and by who plays."""
    asked = itertools.count(1)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            text = json.loads(body)["messages"][-1]["content"]
            if fails(next(asked), text.startswith(("lemma", "lift"))):
                self.answer(400, b"{}")
            else:
                self.answer(200, httpx.post(f"{url}/chat/completions", content=body, timeout=60).content)

        def answer(self, code, data):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with chat_server() as url, ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def episodes(url, tickets, *, side_by_side=1, retries=None):
    """Play tickets as a trainer does; with ``retries`` as its env server does."""
    from gasp_env_vf import GaspTaskset

    settings = {"taskset": {"id": "gasp-env-vf"}, "retries": {"max_retries": retries or 0}}
    config = vf.resolve_env_field({"env": settings})["env"]
    client = vf.EvalClientConfig(base_url=url, api_key_var="OPENAI_API_KEY")
    context = vf.ModelContext(model="author", client=client)

    async def go():
        from verifiers.v1.utils.loaders import load_environment

        env = load_environment(config)
        first = next(iter(env.taskset))
        assert isinstance(env.taskset, GaspTaskset) and not env.taskset.bounded
        async with env.serving():
            tasks = [first.with_data(ticket=ticket_text(one)) for one in tickets for _ in range(side_by_side)]
            if retries is None:
                return await asyncio.gather(*(env.run_episode(task, context) for task in tasks))
            slots = [slot for task in tasks for slot in env.slots(task)]
            return await asyncio.gather(*(env.run_slot(slot, context) for slot in slots))

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


def test_a_probe_that_failed_makes_the_estimate_smaller_and_no_more(run):
    with flaky_server(fails=lambda asked, teacher: asked == 3) as url:
        (one,) = episodes(url, [Ticket(stage=Stage.LEMMA, draw_seed=5)], retries=2)
    assert one.ok and sum(not trace.ok for trace in one.traces) == 1
    (row,) = run.all_transcripts()
    assert row.result.solve_rate.n == 9
    assert [trace.agent.name for trace in one.traces if trace.agent.trainable] == ["teacher"]


def test_what_a_fault_masked_is_played_again_and_then_settled(run):
    with flaky_server(fails=lambda asked, teacher: asked == 1) as url:
        (one,) = episodes(url, [Ticket(stage=Stage.LEMMA, draw_seed=5)], retries=1)
    assert one.ok and one.errors
    lost, kept = run.all_transcripts()
    assert lost.result.reward.value is None and lost.fault == "" and kept.result.reward.value is not None
    assert lost.episode_id.startswith(f"{kept.episode_id}-fault-")
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        assert curriculum.state.settled.keys() == {lost.episode_id, kept.episode_id}


def test_members_of_a_trainers_group_are_episodes_of_their_own(run, url):
    found = episodes(url, [Ticket(stage=Stage.LEMMA, draw_seed=5)], side_by_side=3, retries=0)
    assert all(one.ok for one in found)
    assert len({one.episode_id for one in run.all_transcripts()}) == 3


def test_an_evaluation_that_is_planned_again_plans_the_same_episodes(run):
    from verifiers.v1.utils.loaders import load_environment

    env = load_environment(vf.resolve_env_field({"env": {"taskset": {"id": "gasp-env-vf"}}})["env"])
    task = next(iter(env.taskset))
    first, second, third = env.slots(task, 3)
    assert [one.name for one in env.slots(task, 3)] == [first.name, second.name, third.name]
    trace = SimpleNamespace(info={"gasp_episode": second.name})
    assert env.complete(SimpleNamespace(traces=[trace], ok=False))
    assert not env.complete(SimpleNamespace(traces=[SimpleNamespace(info={})], ok=False))
    assert [one.name for one in env.slots(task, 2)] == [first.name, third.name]
    assert len({slot.name for _ in range(3) for slot in env.slots(task)}) == 3


def test_a_role_that_the_mix_never_deals_is_refused(run, tmp_path):
    from gasp_env_vf import GaspTaskset

    from gasp_env.adapters.verifiers import GaspTasksetConfig

    words = ["tickets", "--run", tmp_path / "real", "--goalposts", tmp_path / "goalposts.jsonl", "--profile", "rlvr"]
    with pytest.raises(SystemExit):
        main([*map(str, words), "--out", str(tmp_path / "real.jsonl"), "--rows", "4"])
    with pytest.raises(ConfigError, match="deals nothing to a teacher; leave that source out"):
        next(iter(GaspTaskset(GaspTasksetConfig(id="gasp-env-vf", role="teacher", run=str(tmp_path / "real")))))


def test_an_endpoint_that_is_down_fails_the_episode_and_pays_nothing(run):
    (one,) = episodes("http://127.0.0.1:9/v1", [Ticket(stage=Stage.LEMMA, draw_seed=1)])
    assert not one.ok
    assert all(not trace.agent.trainable for trace in one.traces if trace.agent.name == "teacher")
    assert [row.result.reward.value for row in run.all_transcripts()] == [None]


def printed(profile="gasp", **settings):
    """The arguments that the launch script would give to prime-rl."""
    env = {"PATH": "/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1"} | settings
    done = subprocess.run([PACKAGE / "train.sh", profile], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_recipe_for_prime_rl_has_the_papers_figures():
    recipe = tomllib.loads((PACKAGE / "gasp.toml").read_text())
    assert recipe["model"]["name"] == "Qwen/Qwen2.5-Coder-7B" and recipe["max_steps"] == 500
    assert recipe["seq_len"] == recipe["inference"]["vllm"]["max_model_len"] == 6144 + 8096
    assert recipe["orchestrator"]["train"]["sampling"] == {"temperature": 1.0, "max_completion_tokens": 8096}
    assert recipe["orchestrator"]["batch_size"] == 64 * 6
    assert recipe["trainer"]["optim"] == {"type": "adamw", "lr": 1e-6}
    assert recipe["trainer"]["scheduler"]["type"] == "constant" and recipe["trainer"]["loss"]["kl_tau"] == 0
    launched = (PACKAGE.parent / "openrlhf" / "train.sh").read_text()
    for figure in ("STEPS:-500", "BATCH:-384", "GROUP:-4", "max_len 14240", "max_new_tokens 8096", "adam.lr 1e-6"):
        assert figure in launched


@pytest.mark.parametrize(("file", "roles"), [("gasp.toml", ["teacher", "student"]), ("rlvr.toml", ["student"])])
def test_verifiers_accepts_the_sources_of_prime_rl(run, file, roles):
    from gasp_env.adapters.verifiers import GaspEnvConfig

    sources = tomllib.loads((PACKAGE / file).read_text())["orchestrator"]["train"]["source"]
    found = [vf.resolve_env_field({"env": source["env"]})["env"] for source in sources]
    assert [type(one) for one in found] == [GaspEnvConfig] * len(roles)
    assert [one.taskset.role for one in found] == roles
    assert {one.max_concurrent_agents for one in found} == {None} and {one.retries.max_retries for one in found} == {1}
    assert all(next(iter(vf.load_taskset(one.taskset))) for one in found)


def test_the_launch_script_gives_the_recipe_and_what_was_changed():
    words = printed("gasp", STEPS="7", MODEL="some/model")
    assert words[:2] == ["@", str(PACKAGE / "gasp.toml")] and str(PACKAGE / "rlvr.toml") not in words
    assert words[words.index("--max-steps") + 1] == "7" and words[words.index("--model.name") + 1] == "some/model"
    assert printed("rlvr")[:4] == ["@", str(PACKAGE / "gasp.toml"), "@", str(PACKAGE / "rlvr.toml")]


@pytest.mark.parametrize("profile", ["gasp", "rlvr"])
def test_prime_rl_parses_what_is_launched(run, profile, monkeypatch):
    schema = pytest.importorskip("prime_rl.configs.rl", reason="prime-rl-configs is in its repository only")
    from pydantic_config import cli

    monkeypatch.setattr(sys, "argv", ["rl", *printed(profile)])
    parsed = cli(schema.RLConfig)
    assert (parsed.orchestrator.batch_size, parsed.orchestrator.seq_len, parsed.trainer.optim.lr) == (384, 14240, 1e-6)
    assert {source.algo.type for source in parsed.orchestrator.train.source} == {"rae"}
    assert {source.group_size for source in parsed.orchestrator.train.source} == {4}


def test_the_package_is_what_verifiers_own_scaffold_makes(tmp_path):
    from verifiers.v1.cli.init import main as scaffold

    scaffold(["gasp-env-vf", "--path", str(tmp_path)])
    theirs = tomllib.loads((tmp_path / "gasp_env_vf" / "pyproject.toml").read_text())
    ours = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    assert ours.keys() == theirs.keys() and ours["project"].keys() == theirs["project"].keys()
    assert ours["project"]["name"] == theirs["project"]["name"] == "gasp-env-vf"
    assert ours["project"]["requires-python"] == theirs["project"]["requires-python"]
    assert (ours["build-system"], ours["tool"]) == (theirs["build-system"], theirs["tool"])
    (needed,) = map(Requirement, ours["project"]["dependencies"])
    assert needed.name == "gasp-env" and needed.extras == {"verifiers"}
    assert needed.specifier.contains(__version__) and not needed.specifier.contains("99")
    assert (PACKAGE / "gasp_env_vf" / "__init__.py").is_file() and (PACKAGE / "README.md").is_file()


def command():
    """The words that the adapter's docstring and the README tell to type: the same ones."""
    from gasp_env.adapters import verifiers

    texts = (verifiers.__doc__, (PACKAGE / "README.md").read_text())
    (line,) = {re.search(r"vf-eval gasp-env-vf .*--no-push", text).group() for text in texts}
    return shlex.split(line)


def evaluate(words, cwd):
    env = os.environ | {
        "PYTHONPATH": f"{PACKAGE}:{ROOT}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    env.pop("OPENAI_API_KEY", None)
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_evaluation_command(run, url, tmp_path):
    words = command()
    words[words.index("-m") + 1], words[words.index("--client.base-url") + 1] = "author", url
    words[words.index("-n") + 1] = "2"
    evaluate([*words, "--no-rich", "-r", "2", "--output-dir", str(tmp_path / "out")], tmp_path)
    (file,) = tmp_path.rglob("traces.jsonl")
    assert len(file.read_text().splitlines()) == 4
    assert len(list(run.all_transcripts())) == 4


@pytest.mark.slow
def test_what_is_settled_is_kept_on_resume_and_what_was_lost_is_settled_once(run, tmp_path):
    words = ["vf-eval", "gasp-env-vf", "-n", "2", "-r", "2", "-m", "author", "--no-push", "--no-rich"]
    with flaky_server(fails=lambda asked, teacher: not teacher and asked % 5 == 0) as url:
        words += ["--client.base-url", url, "--output-dir", str(tmp_path), "--run.name", "one"]
        evaluate(words, tmp_path)
        before = list(run.all_transcripts())
        assert len(before) == 4 and any(one.result.solve_rate and one.result.solve_rate.n < 10 for one in before)
        assert "nothing to resume" in resumed(words, tmp_path)
        traces = tmp_path / "one" / "traces.jsonl"
        lines = traces.read_text().splitlines(keepends=True)
        traces.write_text("".join(lines[1:]))  # a kill between settling and writing
        evaluate([*words, "--resume"], tmp_path)
    assert len(traces.read_text().splitlines()) == 4
    assert [one.episode_id for one in run.all_transcripts()] == [one.episode_id for one in before]
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        assert len(curriculum.state.settled) == 4


def resumed(words, cwd):
    return evaluate([*words, "--resume"], cwd)
