"""The server over a real socket with OpenEnv's client: sessions side by side, two-phase probes, masked episodes."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("openenv", reason="OpenEnv has an environment of its own: tests/contract/run_venvs.sh")

import uvicorn
import yaml
from adapter_cases import ROOT, Script, make_run, summary

from gasp_env.adapters.openenv import PATIENCE_S, GaspAction, GaspClient, GaspEnvironment, make_app, play
from gasp_env.curriculum import deal
from gasp_env.errors import PolicyError
from gasp_env.play import RunFolder, leave_runs, ticket_text
from gasp_env.types import Stage, Ticket

RECIPE = ROOT / "integrations" / "openenv"
LEMMA = ticket_text(Ticket(stage=Stage.LEMMA, draw_seed=5))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("GASP_RUN", str(tmp_path / "run"))
    yield tmp_path / "run", make_run(tmp_path / "run", rows=12)
    leave_runs()


@pytest.fixture
def url(run):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(make_app(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def sampler(script):
    return lambda prompt, n: [script.answer(prompt) for _ in range(n)]


def test_a_run_of_both_roles(run, url):
    folder, rows = run

    async def go():
        script = Script()
        async with GaspClient(url) as client:
            found = [await play(client, sampler(script), ticket=row["prompt"]) for row in rows]
            state = await client.state()
        return found, state

    found, state = asyncio.run(go())
    total = summary(folder)
    assert total["settled"] == len(rows) and total["questions"] and state.ticket == rows[-1]["prompt"]
    assert [one.reward for one in found] == [episode[2] for episode in total["episodes"]]
    assert all(len(one.trained) == 1 for one in found)
    assert any(one.figures["gasp_solve_rate"] == 0.5 for one in found)


def test_sixty_four_sessions_at_once(run, url):
    folder, rows = run

    async def one(number):
        async with GaspClient(url) as client:
            return await play(client, sampler(Script()), ticket=rows[number % len(rows)]["prompt"])

    async def go():
        return await asyncio.gather(*(one(number) for number in range(64)))

    found = asyncio.run(go())
    total = summary(folder)
    assert total["settled"] == 64 and len(found) == 64
    assert len(total["questions"]) == len(set(total["questions"]))


def test_a_teacher_asks_for_its_probes(run, url):
    async def go():
        async with GaspClient(url) as client:
            seen = (await client.reset(ticket=LEMMA)).observation
            assert seen.role == "teacher" and seen.train and seen.n == 1
            seen = (await client.step(GaspAction(texts=[Script().answer(seen.messages)]))).observation
            assert seen.role == "student" and not seen.train and seen.n == 10 and not seen.done
            return (await client.step(GaspAction(texts=[None] * 10))).observation

    end = asyncio.run(go())
    assert end.done and end.reward is None and end.masked and end.figures["gasp_masked"] == 1.0


def test_a_retry_is_settled_once(run, url):
    folder, _ = run

    async def go():
        async with GaspClient(url) as client:
            for _ in range(2):
                await play(client, sampler(Script()), ticket=LEMMA, episode_id="same")

    asyncio.run(go())
    assert summary(folder)["settled"] == 1


TAKES = """
import asyncio, sys
from gasp_env.adapters.openenv import GaspEnvironment

env = GaspEnvironment()
for _ in range(int(sys.argv[1])):
    env.reset()
    print(env.state.ticket, flush=True)
"""


def servers(count, resets):
    """Tickets dealt by servers that start at the same time."""
    started = [
        subprocess.Popen([sys.executable, "-c", TAKES, str(resets)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(count)
    ]
    dealt = [one.communicate()[0].splitlines() for one in started]
    assert all(one.returncode == 0 for one in started)
    return dealt


@pytest.mark.slow
def test_no_two_servers_and_no_later_start_deal_the_same_ticket(run):
    folder, _ = run
    together = servers(3, 6)
    later = servers(1, 6)
    dealt = [ticket for one in together + later for ticket in one]
    assert len(dealt) == 24 == len(set(dealt))
    manifest = RunFolder.open(folder).manifest
    assert set(dealt) == {ticket_text(deal(manifest.config, index)) for index in range(24)}


def test_a_seed_names_a_place_and_a_ticket_that_was_played_is_not_dealt(run):
    _, rows = run
    env = GaspEnvironment()
    env.reset(ticket=rows[0]["prompt"])
    env.reset(seed=1)
    assert env.state.ticket == rows[1]["prompt"]
    env.reset()
    assert env.state.ticket == rows[2]["prompt"]
    env.reset(seed=1)
    assert env.state.ticket == rows[1]["prompt"]


def openenv(*words):
    command = [Path(sys.executable).parent / "openenv", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=RECIPE)


def test_openenvs_own_validation_accepts_the_folder():
    done = openenv("validate", ".", "--json")
    found = {one["check_id"]: one["status"] for one in json.loads(done.stdout)["results"]}
    assert done.returncode == 0 and found["static.manifest"] == "pass" and "fail" not in found.values()
    named = yaml.safe_load((RECIPE / "openenv.yaml").read_text())
    assert named["app"] == "server.app:app" and (RECIPE / "server" / "app.py").is_file()
    assert named["validation"]["resources"]["episode_timeout_s"] == PATIENCE_S


def test_openenvs_own_validation_accepts_a_running_server(url):
    done = openenv("validate", "--url", url, "--timeout", "60")
    assert done.returncode == 0 and done.stdout.strip().endswith("Verdict: PASS"), done.stdout


def test_the_wrong_number_of_answers_is_refused(run, url):
    async def go():
        async with GaspClient(url) as client:
            await play(client, lambda *_: [], ticket=LEMMA)

    with pytest.raises(PolicyError, match="gave 0 answers, 1 were due"):
        asyncio.run(go())

    async def wrong():
        async with GaspClient(url) as client:
            await client.reset(ticket=LEMMA)
            await client.step(GaspAction(texts=["a", "b"]))

    with pytest.raises(RuntimeError, match="got 2 texts; the prompt asks for 1"):
        asyncio.run(wrong())
