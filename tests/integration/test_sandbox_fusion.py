"""The SandboxFusion backend, against a local server that speaks the service's contract."""

import asyncio

import pytest
from fusion_server import GARBAGE, Server
from remote_jobs import JOBS, WANTED, play_with, values, verdicts

from gasp_env.errors import SandboxUnavailable
from gasp_env.game.grade import attempt
from gasp_env.sandbox import Sandbox, open_sandbox
from gasp_env.sandbox.fusion import FusionSettings, open_fusion
from gasp_env.types import InputStyle, Job, Limits, Verdict
from gasp_env.values import CompareMode

FAULTS = ("500", "time", "exit", "short", "drop", *GARBAGE)
SOME = ("500", "short", "drop", "garbage", "error")


@pytest.fixture
def server():
    with Server() as started:
        yield started


def play(server, work, **changes):
    fixed = {"url": server.url, "requests": 2, "batch": 2, "answer_mb": 2}
    return play_with(open_fusion(FusionSettings(**(fixed | changes))), work)


def test_jobs_run_in_batches_inside_our_own_layers(server):
    outcomes, sandbox = play(server, lambda sandbox: sandbox.run(JOBS), headers={"X-Key": "secret"})
    assert values(outcomes) == WANTED
    assert isinstance(sandbox, Sandbox)
    assert sandbox.report.backend == "fusion" and sandbox.report.level in ("L3", "L2") and sandbox.report.slots == 1
    assert outcomes[0].level == sandbox.report.level
    orders = server.service.orders
    assert len(orders) == 1 + 3  # the probe, then ceil(5 / 2)
    assert [sorted(order["files"]) for order in orders] == [["agent.pyz"]] + 3 * [["agent.pyz", "jobs.json"]]
    assert orders[0]["run_timeout"] == 60
    assert orders[1]["run_timeout"] > 2 * 2 * JOBS[0].limits.job_cpu_s
    assert all(headers["X-Key"] == "secret" for headers in server.service.headers)
    assert "secret" not in repr(FusionSettings(headers={"X-Key": "secret"}))


def test_hostile_programs_are_held_between_completions_too(server):
    hostile = [
        Job(program="import os\ndef f(x): os.fork()", inputs=("1",)),
        Job(program="import socket\ndef f(x): socket.socket()", inputs=("1",)),
        Job(program="def f(x): open('outcomes.jsonl', 'w').write('{}')", inputs=("1",)),
        Job(program="print(input())", inputs=("a", "b"), style=InputStyle.STDIN),
    ]
    outcomes, _ = play(server, lambda sandbox: sandbox.run(hostile), batch=4)
    found = [outcome.tests[0].verdict for outcome in outcomes]
    assert found == [Verdict.FORBIDDEN, Verdict.RUNTIME_ERROR, Verdict.RUNTIME_ERROR, Verdict.OK]
    assert [test.stdout for test in outcomes[3].tests] == ["a\n", "b\n"]


def test_outputs_longer_than_the_service_shows_come_back_whole(server):
    jobs = [Job(program="def f(x): return 'a' * x", inputs=("900000", "900001"), limits=Limits(output_bytes=1 << 20))]
    outcomes, _ = play(server, lambda sandbox: sandbox.run(jobs), answer_mb=16)
    assert [len(test.value) > 900_000 for test in outcomes[0].tests] == [True, True]


def test_a_fault_is_tried_again(server):
    async def work(sandbox):
        found = {}
        for fault in SOME:
            server.service.faults = [fault]
            found[fault] = values(await sandbox.run(JOBS[:1]))
        return found

    found, _ = play(server, work)
    assert found == dict.fromkeys(SOME, WANTED[:1])
    assert len(server.service.orders) == 1 + 2 * len(SOME)


def test_two_faults_are_masked_and_never_a_reward(server):
    async def work(sandbox):
        found = {}
        for fault in FAULTS:
            server.service.faults = [fault, fault]
            (found[fault],) = await sandbox.run(JOBS[:1])
        return found

    found, _ = play(server, work)
    for fault, outcome in found.items():
        assert verdicts([outcome]) == {Verdict.SANDBOX_FAILURE}, fault
        assert attempt(outcome, WANTED[0], mode=CompareMode.EXACT).solved is None, fault
    said = {fault: outcome.tests[0].error for fault, outcome in found.items()}
    reasons = {"500": "HTTP 500", "time": "TimeLimit", "exit": "137", "long": "2 MiB", "base64": "base64"}
    assert all(why in said[fault] for fault, why in reasons.items()), said


@pytest.mark.parametrize("fault", SOME)
def test_a_service_that_is_no_use_is_said_at_once(server, fault):
    server.service.faults = [fault]
    with pytest.raises(SandboxUnavailable, match=f"SandboxFusion at {server.url} can't be used"):
        play(server, lambda sandbox: sandbox.run(JOBS))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"level": "L9"}, "L9"),
        ({"timeout_s": 0.05}, "TimeLimitExceeded"),
        ({"python": "python-that-is-not-there"}, "exit code 127"),
        ({"url": "http://127.0.0.1:9"}, "ConnectError"),
        ({"url": "localhost"}, "UnsupportedProtocol"),
        ({"url": "http://[::"}, "InvalidURL"),
    ],
)
def test_why_it_can_not_be_used_is_said(server, changes, why):
    with pytest.raises(SandboxUnavailable, match=why):
        play(server, lambda sandbox: sandbox.run(JOBS), **changes)
    assert all(order["run_timeout"] in (60, 0.05) for order in server.service.orders)


def test_cancelling_drops_the_request(server):
    async def work(sandbox):
        server.service.faults = ["hang"]
        task = asyncio.ensure_future(sandbox.run(JOBS[:2]))
        assert await asyncio.to_thread(server.service.busy.wait, 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert await asyncio.to_thread(server.service.dropped.wait, 20)
        return await sandbox.run(JOBS[:1])

    outcomes, _ = play(server, work, requests=1)
    assert values(outcomes) == WANTED[:1]


def test_a_closed_sandbox_says_so(server):
    _, sandbox = play(server, lambda sandbox: sandbox.run([]))
    with pytest.raises(SandboxUnavailable, match="closed"):
        asyncio.run(sandbox.run(JOBS))


def test_it_opens_by_name(server):
    async def main():
        async with await open_sandbox(f"fusion:{server.url}", slots=1) as sandbox:
            return await sandbox.run(JOBS), sandbox.report.backend

    outcomes, backend = asyncio.run(main())
    assert values(outcomes) == WANTED
    assert backend == "fusion"
