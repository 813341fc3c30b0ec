"""``gasp-env play`` as users run it: a live model server, the real sandbox, SIGKILL, resume, replay."""

import os
import signal
import subprocess
import sys

import pytest
from chat_server import chat_server
from game_cases import GOALPOST

from gasp_env.play import RunFolder, compare_runs
from gasp_env.store import open_curriculum
from gasp_env.tasks import dump_goalposts

ENV = os.environ | {"OMP_NUM_THREADS": "1"}
COMMAND = [sys.executable, "-m", "gasp_env.cli", "play"]
OPTIONS = ["--set", "rules.prompt_style=compact", "--wave", "4", "--concurrency", "4"]


@pytest.fixture(scope="module")
def server():
    with chat_server() as url:
        yield url


@pytest.fixture
def goalposts(tmp_path):
    file = tmp_path / "goalposts.jsonl"
    file.write_bytes(dump_goalposts([GOALPOST]))
    return file


def play(*argv):
    words = [*COMMAND, *OPTIONS, *(str(arg) for arg in argv)]
    return subprocess.run(words, capture_output=True, text=True, env=ENV, check=False, timeout=100)


def events(path):
    run = RunFolder.open(path)
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        return curriculum.state


def test_play_report_compare_replay(tmp_path, server, goalposts):
    first, again = tmp_path / "first", tmp_path / "again"
    done = play("--goalposts", goalposts, "--policy", f"openai:{server}", "--run", first, "--episodes", 16)
    assert done.returncode == 0, done.stderr
    state = events(first)
    assert len(state.settled) == 16 and state.questions
    assert "lemma: proposals" in done.stdout and (first / "report.html").stat().st_size > 5000
    replayed = play(
        "--goalposts", goalposts, "--policy", f"replay:{first / 'policy.jsonl'}", "--run", again, "--episodes", 16
    )
    assert replayed.returncode == 0, replayed.stderr
    assert compare_runs(first, again) == ()
    assert (first / "policy.jsonl").read_bytes() == (again / "policy.jsonl").read_bytes()
    assert events(again).questions == state.questions


def test_killed_in_the_middle_and_resumed(tmp_path, server, goalposts):
    run = tmp_path / "run"
    words = [*COMMAND, *OPTIONS, "--policy", f"openai:{server}", "--run", str(run), "--episodes", "40", "--quiet"]
    process = subprocess.Popen(
        [*words, "--goalposts", str(goalposts)], env=ENV, stderr=subprocess.DEVNULL, start_new_session=True
    )
    transcripts = run / "transcripts.jsonl"
    while process.poll() is None and (not transcripts.exists() or transcripts.stat().st_size == 0):
        pass  # until the first wave is on the disk; pytest's timeout bounds it
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    refused = play("--goalposts", goalposts, "--policy", f"openai:{server}", "--run", run)
    assert refused.returncode == 2 and "--resume" in refused.stderr
    resumed = play("--policy", f"openai:{server}", "--run", run, "--episodes", 16, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    rows = list(RunFolder.open(run).transcripts)
    assert [row.index for row in rows] == list(range(len(rows))) and len(rows) >= 16
    state = events(run)
    assert len(state.settled) == len(rows)
    lost = {name for line in RunFolder.open(run).metrics for name in line.duplicates}
    kept = [row.result.question.id for row in rows if row.result.accepted and row.episode_id not in lost]
    assert sorted(state.questions) == sorted(kept) and kept


@pytest.mark.parametrize(
    ("policy", "named"),
    [("openai:http://127.0.0.1:9/v1", "127.0.0.1:9"), ("oracle", "oracle"), ("replay:none.jsonl", "none.jsonl")],
)
def test_a_policy_that_is_not_there_is_one_clear_error(tmp_path, goalposts, policy, named):
    done = play("--goalposts", goalposts, "--policy", policy, "--run", tmp_path / "run", "--episodes", 16, "--quiet")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("gasp-env: error: ") and named in last and "Traceback" not in done.stderr


def test_a_store_of_another_version_is_one_clear_error(tmp_path, server, goalposts):
    run = tmp_path / "run"
    assert play("--goalposts", goalposts, "--policy", f"openai:{server}", "--run", run, "--episodes", 1).returncode == 0
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    done = play("--policy", f"openai:{server}", "--run", run, "--resume")
    assert done.returncode == 2 and "format 2" in done.stderr and "Traceback" not in done.stderr
