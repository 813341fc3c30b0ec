"""Faults of the machine are verdicts of ours: typed, tried again once, never a reward; and the pool recovers."""

import asyncio
import os
import random
import resource
import signal
from pathlib import Path

import pytest

from gasp_env.game.grade import attempt
from gasp_env.sandbox import open_local
from gasp_env.sandbox.local import pool as pool_module
from gasp_env.sandbox.local.launch import StartError
from gasp_env.sandbox.local.zygote import Zygote, ZygoteLost
from gasp_env.types import Job, Limits, Verdict
from gasp_env.values import CompareMode

HONEST = Job(program="def f(x): return x + 1", inputs=("1", "41"))
SLOW = Job(program="import time\ndef f(x): time.sleep(30)", inputs=("1",), limits=Limits(cpu_s=20.0))
FOREVER = Job(program="while True: pass", inputs=("1",), limits=Limits(cpu_s=0.5, job_cpu_s=0.5))


def honest(outcome):
    return [test.value for test in outcome.tests] == ["i2;", "i2a;"]


async def until(condition):
    """Let the loop run until something holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - conditions of other processes
            await asyncio.sleep(0.01)


def zygote_of(sandbox, seed=0):
    return sandbox._slots[0].zygotes[seed]


async def kill(sandbox):
    """Kill the fork server under a running job, as the system might where memory runs out."""
    zygote = zygote_of(sandbox)
    await until(lambda: zygote.current is not None and not zygote.current.report.done())
    os.kill(zygote.process.pid, signal.SIGKILL)


def scenario(work, **options):
    async def main():
        async with await open_local(slots=1, **options) as sandbox:
            await sandbox.run([HONEST])
            await work(sandbox)
            (after,) = await sandbox.run([HONEST])
            assert honest(after)
            await until(lambda: not sandbox.strays())

    asyncio.run(main())


@pytest.mark.parametrize("level", ["L3", "L2"])
def test_a_killed_fork_server_is_replaced_and_the_job_tried_again(level):
    async def work(sandbox):
        first = zygote_of(sandbox)
        task = asyncio.ensure_future(sandbox.run([FOREVER, HONEST]))
        await kill(sandbox)
        outcomes = await task
        assert outcomes[0].tests[0].verdict is Verdict.TIMEOUT  # the second try ran to its limit
        assert honest(outcomes[1])
        assert zygote_of(sandbox) is not first

    scenario(work, level=level, require=level)


def test_two_deaths_are_a_typed_failure_and_never_a_reward():
    async def work(sandbox):
        task = asyncio.ensure_future(sandbox.run([SLOW]))
        first = zygote_of(sandbox)
        await kill(sandbox)
        await until(lambda: 0 in sandbox._slots[0].zygotes and zygote_of(sandbox) is not first)
        await kill(sandbox)
        (outcome,) = await task
        assert [test.verdict for test in outcome.tests] == [Verdict.SANDBOX_FAILURE]
        assert outcome.failed_by_us
        assert attempt(outcome, ["i2;"], mode=CompareMode.EXACT).solved is None

    scenario(work)


def test_a_closed_control_socket_is_a_lost_fork_server():
    async def work(sandbox):
        task = asyncio.ensure_future(sandbox.run([HONEST, FOREVER]))
        zygote = zygote_of(sandbox)
        await until(lambda: zygote.serial >= 3)
        zygote.control.shutdown(2)
        outcomes = await task
        assert honest(outcomes[0])
        assert outcomes[1].tests[0].verdict is Verdict.TIMEOUT

    scenario(work)


def test_a_fork_server_that_lies_about_the_job_is_lost():
    async def work(sandbox):
        task = asyncio.ensure_future(sandbox.run([FOREVER]))
        zygote = zygote_of(sandbox)
        await until(lambda: zygote.current is not None and not zygote.current.report.done())
        zygote.current.on_report(b"R" + bytes(40))
        (outcome,) = await task
        assert outcome.tests[0].verdict is Verdict.TIMEOUT

    scenario(work)


def test_descriptors_that_run_out_are_our_failure():
    async def work(sandbox):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = [os.dup(0) for _ in range(3)]
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(taken), before[1]))
        try:
            (outcome,) = await sandbox.run([HONEST])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert {test.verdict for test in outcome.tests} == {Verdict.SANDBOX_FAILURE}
        assert attempt(outcome, ["i2;", "i2a;"], mode=CompareMode.EXACT).solved is None

    scenario(work)


@pytest.mark.parametrize("error", [ZygoteLost("gone"), StartError("no memory"), OSError(28, "No space left on device")])
def test_any_fault_of_a_run_is_tried_once_more(monkeypatch, error):
    whole, calls = Zygote.run, []

    async def flaky(self, *args):
        calls.append(1)
        if len(calls) == 1:
            raise error
        return await whole(self, *args)

    async def work(sandbox):
        monkeypatch.setattr(pool_module.Zygote, "run", flaky)
        (outcome,) = await sandbox.run([HONEST])
        assert honest(outcome)
        assert len(calls) == 2

    scenario(work)


def test_memory_pressure_is_the_programs_fault_and_stays_in_its_process():
    hog = Job(
        program="kept = []\ndef f(x):\n    while True: kept.append(bytearray(1 << 20))",
        inputs=("1",) * 3,
        limits=Limits(cpu_s=2.0, job_cpu_s=6.0, memory_mb=128),
    )

    async def work(sandbox):
        outcomes = await sandbox.run([hog, HONEST] * 5)
        assert all(honest(outcome) for outcome in outcomes[1::2])
        assert {test.verdict for outcome in outcomes[::2] for test in outcome.tests} == {Verdict.MEMORY}

    scenario(work)


def test_a_thousand_cancelled_jobs_leave_the_pool_whole():
    """The fork server kills a cancelled child and goes on: it is never replaced."""

    async def work(sandbox):
        server, draw = zygote_of(sandbox), random.Random(7)
        for _ in range(1000):
            task = asyncio.ensure_future(sandbox.run([FOREVER]))
            for _ in range(draw.choice((0, 1, 3, 30))):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert zygote_of(sandbox) is server

    scenario(work)


def test_closing_under_work_ends_everything():
    async def main():
        sandbox = await open_local(slots=2)
        task = asyncio.ensure_future(sandbox.run([FOREVER] * 6))
        await asyncio.sleep(0.2)
        await sandbox.close()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: not sandbox.strays())

    asyncio.run(main())


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


HOSTILE = (
    "import os\nos._exit(0)",
    "import os\ndef f(x):\n    os.kill(os.getppid(), 9)\n    os.abort()",
    "import os\nfor fd in range(9):\n    try: os.write(fd, b'x' * 99)\n    except OSError: pass",
    "import os\ndef f(x): os.fork()",
    "import sys\nsys.setrecursionlimit(10**9)\nclass R:\n    def __repr__(self): return repr(self)\ndef f(x): return repr(R())",
    "import builtins\nbuiltins.len = None\ndef f(x): raise SystemExit",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_jobs_alternating_hostile_and_honest():
    """No wrong verdict on the honest, flat memory and descriptors, no stray process."""
    limits = Limits(cpu_s=1.0, job_cpu_s=2.0, memory_mb=128)
    jobs = [
        HONEST if index % 2 else Job(program=HOSTILE[index // 2 % len(HOSTILE)], inputs=("1",), limits=limits)
        for index in range(1000)
    ]

    def memory(sandbox):
        """Of the fork servers, in pages; the first process of a namespace is the child of what was started."""
        pids = [zygote.process.pid for slot in sandbox._slots for zygote in slot.zygotes.values()]
        for pid in tuple(pids):
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)

    async def main():
        async with await open_local(slots=2) as sandbox:
            await sandbox.run(jobs[:50])
            pages, files = memory(sandbox), descriptors()
            for _ in range(10):
                outcomes = await sandbox.run(jobs)
                assert all(honest(outcome) for outcome in outcomes[1::2])
                assert all(test.verdict is not Verdict.OK for outcome in outcomes[::2] for test in outcome.tests)
                assert not any(outcome.failed_by_us for outcome in outcomes)
                assert descriptors() <= files + 2
            assert memory(sandbox) < pages + 512
            await until(lambda: not sandbox.strays())

    asyncio.run(main())
