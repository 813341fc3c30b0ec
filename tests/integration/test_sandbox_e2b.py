"""The E2B backend, against the real SDK and a local server that speaks the service's contract."""

import asyncio
import os

import pytest

pytest.importorskip("e2b_code_interpreter", reason="E2B has an environment of its own: tests/contract/run_venvs.sh")

from e2b_server import Server
from remote_jobs import JOBS, WANTED, play_with, values, verdicts

from gasp_env.errors import SandboxUnavailable
from gasp_env.game.grade import attempt
from gasp_env.sandbox import Sandbox
from gasp_env.sandbox.e2b import E2BSettings, open_e2b
from gasp_env.types import InputStyle, Job, Verdict
from gasp_env.values import CompareMode


@pytest.fixture
def server():
    with Server() as started:
        yield started


def settings(server, **changes):
    fixed = {"machines": 2, "batch": 2, "creations_per_s": 1000.0, "api_key": "e2b_" + "0" * 40}
    return E2BSettings(**(fixed | {"options": server.options()} | changes))


def play(server, work, **changes):
    return play_with(open_e2b(settings(server, **changes)), work)


def test_jobs_run_in_batches_inside_our_own_layers(server):
    outcomes, sandbox = play(server, lambda sandbox: sandbox.run(JOBS))
    assert values(outcomes) == WANTED
    assert isinstance(sandbox, Sandbox)
    assert sandbox.report.backend == "e2b" and sandbox.report.level in ("L3", "L2")
    assert outcomes[0].level == sandbox.report.level
    service = server.service
    assert len(service.commands) == 1 + 3  # the probe, then ceil(5 / 2)
    assert 1 <= len(service.made) <= 2
    assert sorted(service.ended) == sorted(f"machine{n + 1}" for n in range(len(service.made)))
    assert all(made["allow_internet_access"] is False for made in service.made)
    assert all(made["metadata"] == {"app": "gasp-env"} for made in service.made)
    assert sandbox.spent_usd > 0


def test_hostile_programs_are_held_between_completions_too(server):
    hostile = [
        Job(program="import os\ndef f(x): os.fork()", inputs=("1",)),
        Job(program="import socket\ndef f(x): socket.socket()", inputs=("1",)),
        Job(program="print(input())", inputs=("a", "b"), style=InputStyle.STDIN),
    ]
    outcomes, _ = play(server, lambda sandbox: sandbox.run(hostile))
    assert [outcome.tests[0].verdict for outcome in outcomes] == [Verdict.FORBIDDEN, Verdict.RUNTIME_ERROR, Verdict.OK]
    assert [test.stdout for test in outcomes[2].tests] == ["a\n", "b\n"]


@pytest.mark.parametrize("fault", ["drop", "garbage", "exit", "short"])
def test_a_fault_is_tried_again_on_another_machine(server, fault):
    server.service.faults = ["", fault]
    outcomes, _ = play(server, lambda sandbox: sandbox.run(JOBS[:2]), machines=1)
    assert values(outcomes) == WANTED[:2]
    assert len(server.service.made) == 2
    assert server.service.ended[0] == "machine1"


@pytest.mark.parametrize("fault", ["drop", "garbage", "exit", "short"])
def test_two_faults_are_masked_and_never_a_reward(server, fault):
    server.service.faults = ["", fault, fault]
    outcomes, _ = play(server, lambda sandbox: sandbox.run(JOBS[:2]))
    assert verdicts(outcomes) == {Verdict.SANDBOX_FAILURE}
    assert attempt(outcomes[0], WANTED[0], mode=CompareMode.EXACT).solved is None


@pytest.mark.parametrize("status", [400, 401, 429, 500, 502])
def test_a_service_that_refuses_machines(server, status):
    server.service.refuse = status
    with pytest.raises(SandboxUnavailable, match="E2B can't be used"):
        asyncio.run(open_e2b(settings(server)))

    async def later(sandbox):
        server.service.refuse, server.service.faults = status, ["drop"]
        return await sandbox.run(JOBS[:2])

    server.service.refuse = 0
    outcomes, _ = play(server, later, machines=1)
    assert verdicts(outcomes) == {Verdict.SANDBOX_FAILURE}


def test_a_service_that_is_not_there(server):
    options = server.options() | {"api_url": "http://127.0.0.1:9", "sandbox_url": "http://127.0.0.1:9"}
    with pytest.raises(SandboxUnavailable):
        asyncio.run(open_e2b(settings(server, options=options)))


def test_a_level_that_machines_do_not_give(server):
    with pytest.raises(SandboxUnavailable, match="L9"):
        asyncio.run(open_e2b(settings(server, level="L9")))
    assert server.service.ended == ["machine1"]


def test_the_price_is_capped(server):
    async def work(sandbox):
        return await sandbox.run(JOBS)

    outcomes, sandbox = play(server, work, max_usd=1e-9)
    assert verdicts(outcomes) == {Verdict.SANDBOX_FAILURE}
    assert "price" in outcomes[0].tests[0].error
    assert len(server.service.made) == 1
    assert sandbox.spent_usd > 1e-9


def test_machines_are_worn_out_and_lives_made_longer(server):
    outcomes, _ = play(server, lambda sandbox: sandbox.run(JOBS), machines=1, batches_per_machine=1, life_s=100)
    assert values(outcomes) == WANTED
    assert len(server.service.made) == len(server.service.ended) == 3
    # Two jobs of 60 CPU seconds may take that long: the first machine is given more, the others have it from the start.
    assert [life > 180 for life in server.service.lives] == [True]
    assert [made["timeout"] > 180 for made in server.service.made] == [False, True, True]


def test_cancelling_ends_the_machine(server):
    async def work(sandbox):
        server.service.faults = ["hang"]
        task = asyncio.ensure_future(sandbox.run(JOBS[:2]))
        async with asyncio.timeout(20):
            while len(server.service.commands) < 2:  # noqa: ASYNC110 - of another thread
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert server.service.ended == ["machine1"]
        return await sandbox.run(JOBS[:1])

    outcomes, _ = play(server, work, machines=1)
    assert values(outcomes) == WANTED[:1]


def test_creations_keep_the_pace_of_the_service(server, monkeypatch):
    waits, real = [], asyncio.sleep

    async def sleep(seconds, *args):
        waits.append(seconds)
        await real(0, *args)

    async def work(sandbox):
        monkeypatch.setattr("gasp_env.sandbox.remote.pool.asyncio.sleep", sleep)
        await asyncio.gather(*(sandbox._wait_for_turn() for _ in range(3)))

    play(server, work, creations_per_s=0.1)
    assert len(waits) == 3 and all(5 < wait <= 12 for wait in waits)


@pytest.mark.slow
@pytest.mark.skipif("E2B_API_KEY" not in os.environ, reason="needs a key of E2B")
def test_the_real_service():
    async def main():
        async with await open_e2b(E2BSettings(machines=1, max_usd=0.05)) as sandbox:
            return await sandbox.run(JOBS)

    assert values(asyncio.run(main())) == WANTED
