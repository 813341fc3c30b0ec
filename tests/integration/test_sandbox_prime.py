"""The Prime backend, against the real SDK and a local server that speaks the service's contract."""

import asyncio
import os

import pytest

pytest.importorskip("prime_sandboxes", reason="needs the extra prime")

from prime_server import Server
from remote_jobs import JOBS, WANTED, play_with, values, verdicts

from gasp_env.errors import SandboxUnavailable
from gasp_env.game.grade import attempt
from gasp_env.sandbox import Sandbox
from gasp_env.sandbox.prime import PrimeSettings, open_prime
from gasp_env.types import InputStyle, Job, Limits, Verdict
from gasp_env.values import CompareMode

FAULTS = ("drop", "endless", "garbage", "exit")
KEY = os.environ.get("PRIME_API_KEY")


@pytest.fixture
def server(monkeypatch, tmp_path):
    with Server() as started:
        for name in ("PRIME_API_KEY", "PRIME_CONTEXT", "PRIME_TEAM_ID", "PRIME_BASE_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PRIME_API_BASE_URL", started.url)
        monkeypatch.setenv("HOME", str(tmp_path))  # the client keeps tokens there
        yield started


def settings(**changes):
    return PrimeSettings(**({"machines": 2, "batch": 2, "creations_per_s": 1000.0, "api_key": "the-key"} | changes))


def play(work, **changes):
    return play_with(open_prime(settings(**changes)), work)


def test_jobs_run_in_batches_inside_our_own_layers(server):
    outcomes, sandbox = play(lambda sandbox: sandbox.run(JOBS), options={"region": "us", "network_allowlist": ["a.b"]})
    assert values(outcomes) == WANTED
    assert isinstance(sandbox, Sandbox)
    assert sandbox.report.backend == "prime" and sandbox.report.level in ("L3", "L2")
    assert outcomes[0].level == sandbox.report.level
    service = server.service
    assert len(service.commands) == 1 + 3  # the probe, then ceil(5 / 2)
    assert 1 <= len(service.made) <= 2
    assert sorted(service.ended) == sorted(made["id"] for made in service.made)
    for made in service.made:
        assert made["network_allowlist"] == [] and made["vm"] is True and made["region"] == "us"
        assert made["labels"] == ["gasp-env", *service.swept]
        assert made["timeout_minutes"] == 121  # a second more than two hours
        assert made["docker_image"] == "python:3.13-slim"
    assert sandbox.spent_usd > 0
    assert "the-key" not in repr(settings())


def test_hostile_programs_are_held_between_completions_too_and_long_outputs_come_back_whole(server):
    mixed = [
        Job(program="import os\ndef f(x): os.fork()", inputs=("1",)),
        Job(program="import socket\ndef f(x): socket.socket()", inputs=("1",)),
        Job(program="print(input())", inputs=("a", "b"), style=InputStyle.STDIN),
        Job(program="def f(x): return 'a' * x", inputs=("900000", "900001"), limits=Limits(output_bytes=1 << 20)),
    ]
    outcomes, _ = play(lambda sandbox: sandbox.run(mixed), batch=4)
    found = [outcome.tests[0].verdict for outcome in outcomes]
    assert found == [Verdict.FORBIDDEN, Verdict.RUNTIME_ERROR, Verdict.OK, Verdict.OK]
    assert [test.stdout for test in outcomes[2].tests] == ["a\n", "b\n"]
    assert [len(test.value) > 900_000 for test in outcomes[3].tests] == [True, True]


def test_a_fault_is_tried_again_on_another_machine(server):
    faults = ("drop", "short")

    async def work(sandbox):
        found = {}
        for fault in faults:
            server.service.faults = [fault]
            found[fault] = values(await sandbox.run(JOBS[:1]))
        return found

    found, _ = play(work, machines=1)
    assert found == dict.fromkeys(faults, WANTED[:1])
    assert len(server.service.commands) == 1 + 2 * len(faults)
    assert len(server.service.made) == 1 + len(faults)


def test_two_faults_are_masked_and_never_a_reward(server):
    async def work(sandbox):
        found = {}
        for fault in FAULTS:
            server.service.faults = [fault, fault]
            (found[fault],) = await sandbox.run(JOBS[:1])
        return found

    found, _ = play(work, machines=1)
    for fault, outcome in found.items():
        assert verdicts([outcome]) == {Verdict.SANDBOX_FAILURE}, fault
        assert attempt(outcome, WANTED[0], mode=CompareMode.EXACT).solved is None, fault
    assert "137: Killed" in found["exit"].tests[0].error
    assert server.service.ended == [f"machine{n + 1}" for n in range(2 * len(FAULTS))]  # each after its fault


@pytest.mark.parametrize(
    ("status", "why"), [(400, "no machine for you"), (401, "PRIME_API_KEY"), (402, "billing"), (500, "500")]
)
def test_a_service_that_refuses_machines(server, status, why):
    server.service.refuse = status
    with pytest.raises(SandboxUnavailable, match=f"Prime can't be used: .*{why}"):
        asyncio.run(open_prime(settings()))


def test_a_service_that_refuses_further_machines(server):
    async def work(sandbox):
        server.service.refuse, server.service.faults = 402, ["exit"]
        return await sandbox.run(JOBS[:2])

    outcomes, _ = play(work, machines=1)
    assert verdicts(outcomes) == {Verdict.SANDBOX_FAILURE}
    assert "billing" in outcomes[0].tests[0].error


def test_what_is_missing_is_said(server):
    with pytest.raises(SandboxUnavailable, match="No API key"):
        asyncio.run(open_prime(settings(api_key=None)))
    with pytest.raises(SandboxUnavailable, match="cpu_cores"):
        asyncio.run(open_prime(settings(cpu_cores="many")))
    with pytest.raises(SandboxUnavailable, match="L9"):
        asyncio.run(open_prime(settings(level="L9")))
    assert server.service.ended == ["machine1"]


def test_the_price_is_capped(server):
    outcomes, sandbox = play(lambda sandbox: sandbox.run(JOBS), max_usd=1e-9)
    assert verdicts(outcomes) == {Verdict.SANDBOX_FAILURE}
    assert "price" in outcomes[0].tests[0].error
    assert len(server.service.made) == 1
    assert sandbox.spent_usd > 1e-9


def test_machines_are_worn_out(server):
    outcomes, _ = play(lambda sandbox: sandbox.run(JOBS), machines=1, batches_per_machine=1, batch=3)
    assert values(outcomes) == WANTED
    assert len(server.service.made) == len(server.service.ended) == 2


def test_a_machine_that_ends_before_a_batch_may_is_not_given_it(server):
    outcomes, _ = play(lambda sandbox: sandbox.run(JOBS[:2]), machines=1, life_s=100)
    assert values(outcomes) == WANTED[:2]
    assert [made["timeout_minutes"] > 3 for made in server.service.made] == [False, True]
    assert server.service.ended == ["machine1", "machine2"]


def test_cancelling_a_batch_ends_its_machine(server):
    async def work(sandbox):
        server.service.faults = ["hang"]
        await cancelled(server, sandbox)
        assert server.service.ended == ["machine1"]
        return await sandbox.run(JOBS[:1])

    outcomes, _ = play(work, machines=1)
    assert values(outcomes) == WANTED[:1]


def test_a_machine_whose_creation_was_cancelled_is_ended_too(server):
    async def work(sandbox):
        server.service.faults, server.service.lose = ["exit"], 1
        await cancelled(server, sandbox)
        assert server.service.ended == ["machine1"]

    play(work, machines=1)
    assert server.service.ended == ["machine1", "machine2"]


async def cancelled(server, sandbox):
    """Run jobs until the service hangs, and give up."""
    task = asyncio.ensure_future(sandbox.run(JOBS[:2]))
    assert await asyncio.to_thread(server.service.busy.wait, 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def test_giving_up_while_it_opens_leaves_no_machine(server):
    async def main():
        server.service.lose = 1
        task = asyncio.ensure_future(open_prime(settings()))
        assert await asyncio.to_thread(server.service.busy.wait, 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(main())
    assert server.service.ended == ["machine1"]


@pytest.mark.slow
@pytest.mark.skipif(not KEY, reason="needs a key of Prime Intellect")
def test_the_real_service():
    async def main():
        async with await open_prime(PrimeSettings(machines=1, max_usd=0.05)) as sandbox:
            return await sandbox.run(JOBS)

    assert values(asyncio.run(main())) == WANTED
