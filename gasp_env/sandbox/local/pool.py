"""The pool: as many fork servers as there are slots, each with a twin lane of another hash seed.

The law of this module: an infrastructure fault is a verdict, tried once more on another worker and then handed up; the
isolation level is probed by trying it and never lowered in silence.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from gasp_env.config import LEVELS
from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.frames import Frames, State
from gasp_env.sandbox.local.worker import Hello, Report, Worker, WorkerDied
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.types import Job, JobOutcome, TestOutcome, Verdict

__all__ = ("FIXES", "LocalSandbox", "open_local")

logger = logging.getLogger(__name__)
RECYCLE_AFTER = 5000
"""Jobs after which a fork server is replaced."""
FIXES = {
    "L3": "allow namespaces: run as root with CAP_SYS_ADMIN, or sysctl kernel.unprivileged_userns_clone=1 "
    "(containers: --security-opt seccomp=unconfined, or a profile with unshare)",
    "L2": "allow Landlock: a kernel of 5.13 or newer with 'landlock' in the lsm= list, and a container seccomp profile "
    "that permits landlock_create_ruleset, landlock_add_rule and landlock_restrict_self; or use the e2b backend",
    "L1": "allow seccomp filters (CONFIG_SECCOMP_FILTER); or use the e2b backend",
}


class LocalSandbox:
    """Runs jobs on this machine; see `open_local`."""

    def __init__(self, *, level: str, slots: int, hello: Hello, reasons: tuple[str, ...]) -> None:
        """Use `open_local`."""
        self._level, self._gate, self._hello = level, asyncio.Semaphore(slots), hello
        self._idle: tuple[list[Worker], list[Worker]] = ([], [])
        self._all: set[Worker] = set()
        self._closed = False
        layers = dict(hello.layers) | {"landlock_abi": bool(hello.landlock_abi)}
        self._report = SandboxReport(
            backend="local", level=level, layers=layers, reasons=reasons, slots=slots, python=hello.python
        )

    @property
    def report(self) -> SandboxReport:
        """The isolation in force."""
        return self._report

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs side by side, at most ``slots`` at once; outcomes align with jobs."""
        tasks = [asyncio.ensure_future(self._run_one(job)) for job in jobs]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def close(self) -> None:
        """End every process of the sandbox."""
        self._closed = True
        for worker in list(self._all):
            self._discard(worker)

    def adopt(self, worker: Worker, lane: int) -> None:
        """Take a started fork server into the pool."""
        self._all.add(worker)
        self._idle[lane].append(worker)

    async def _run_one(self, job: Job) -> JobOutcome:
        async with self._gate:
            outcome = await self._try(job)
            if outcome.failed_by_us and not self._closed:
                logger.warning("sandbox failure, trying once more: %s", outcome.tests[0].error)
                outcome = await self._try(job)
            return outcome

    async def _try(self, job: Job) -> JobOutcome:
        """Run a job; where a test kills its process, the tests behind it go on in a new one."""
        tests: list[TestOutcome] = []
        cpu = wall = rss = 0.0
        while len(tests) < len(job.inputs):
            try:
                frames, report = await self._fork(job, len(tests), max(0.1, job.limits.job_cpu_s - cpu))
            except (WorkerDied, SandboxUnavailable, OSError) as error:
                return _failure(job, str(error), self._report)
            if frames.state is State.FAILED:
                return _failure(job, frames.why, self._report)
            tests += _tests(job, frames, report)
            cpu, wall, rss = cpu + report.cpu, wall + report.wall, max(rss, report.rss)
            if frames.state is State.BROKEN or (job.stop_early and tests[-1].verdict is not Verdict.OK):
                break
            if cpu >= job.limits.job_cpu_s:
                break
        rest = _rest(job, tests)
        return JobOutcome(
            tests=(*tests, *rest),
            cpu_s=cpu,
            wall_s=wall,
            max_rss_mb=rss,
            level=self._level,
            python=self._hello.python,
        )

    async def _fork(self, job: Job, first: int, job_cpu_s: float) -> tuple[Frames, Report]:
        worker = await self._worker(job.hash_seed % 2)
        try:
            result = await worker.run(job, first, job_cpu_s)
        except asyncio.CancelledError:
            self._give_back(worker, job.hash_seed % 2)
            raise
        except BaseException:
            self._discard(worker)
            raise
        self._give_back(worker, job.hash_seed % 2)
        return result

    async def _worker(self, lane: int) -> Worker:
        if self._closed:
            raise WorkerDied("the sandbox is closed")
        if self._idle[lane]:
            return self._idle[lane].pop()
        worker = await Worker.start(level=self._level, lane=lane)
        self._all.add(worker)
        return worker

    def _give_back(self, worker: Worker, lane: int) -> None:
        if self._closed or worker.jobs >= RECYCLE_AFTER:
            self._discard(worker)
        else:
            self._idle[lane].append(worker)

    def _discard(self, worker: Worker) -> None:
        self._all.discard(worker)
        for lane in self._idle:
            if worker in lane:
                lane.remove(worker)
        worker.close()


async def open_local(
    *, require: str = "L2", allow_unsafe: bool = False, slots: int | None = None, level: str | None = None
) -> LocalSandbox:
    """Open a local sandbox at the best isolation that this machine gives.

    Args:
        require: least level: L3 namespaces + L2, L2 Landlock + seccomp, L1 strict seccomp, L0 limits only.
        allow_unsafe: accept a lower level than required.
        slots: jobs at once; default: the cores that this process may use.
        level: try this level and no other.

    Raises:
        SandboxUnavailable: the required level can't be had; says why and what to do.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"the local sandbox needs Linux, this is {sys.platform}; run in a Linux container or use another backend"
        )
    reasons: list[str] = []
    wanted = level or LEVELS[0]
    for wanted in [level] if level else LEVELS:
        try:
            worker = await Worker.start(level=wanted, lane=0)
        except SandboxUnavailable as error:
            reasons.append(f"{wanted}: {error}; to get it, {FIXES.get(wanted, 'use another machine')}")
            continue
        if LEVELS.index(wanted) > LEVELS.index(require) and not allow_unsafe:
            worker.close()
            break
        count = slots or len(os.sched_getaffinity(0))
        sandbox = LocalSandbox(level=wanted, slots=count, hello=worker.hello, reasons=tuple(reasons))
        sandbox.adopt(worker, 0)
        return sandbox
    found = " | ".join(reasons) or f"only {wanted} was asked for"
    raise SandboxUnavailable(f"isolation {require} can't be had here. {found} (or accept less with allow_unsafe)")


def _tests(job: Job, frames: Frames, report: Report) -> list[TestOutcome]:
    """Outcomes of the tests that one child ran, the one that ended it included."""
    if frames.state is State.BROKEN:
        broken = TestOutcome(verdict=Verdict.PROTOCOL_ERROR, error=frames.why)
        return [broken] * (len(job.inputs) - frames.first)
    found = [frames.found[index] for index in sorted(frames.found)]
    complete = frames.first + len(found) == len(job.inputs)
    stopped = job.stop_early and bool(found) and found[-1].verdict is not Verdict.OK
    if complete or (stopped and frames.state is State.DONE):
        return found
    return [*found, _end(job, frames, report)]


def _end(job: Job, frames: Frames, report: Report) -> TestOutcome:
    """What ended the child, in the kernel's words."""
    if report.killed in ("cpu", "wall"):
        return TestOutcome(verdict=Verdict.TIMEOUT, error=report.killed)
    if report.signal is None:
        verdict = Verdict.PROTOCOL_ERROR if frames.state is State.DONE else Verdict.NO_RESULT
        return TestOutcome(verdict=verdict, error=f"exit {report.exit}")
    name = signal.Signals(report.signal).name
    full = report.rss >= 0.9 * job.limits.memory_mb
    verdicts = {
        signal.SIGSYS: Verdict.FORBIDDEN,
        signal.SIGXCPU: Verdict.TIMEOUT,
        signal.SIGXFSZ: Verdict.OUTPUT_LIMIT,
        signal.SIGKILL: Verdict.MEMORY,  # the kernel's, as ours are told apart above
    }
    found = verdicts.get(signal.Signals(report.signal), Verdict.MEMORY if full else Verdict.RUNTIME_ERROR)
    return TestOutcome(verdict=found, error=name)


def _rest(job: Job, tests: list[TestOutcome]) -> list[TestOutcome]:
    verdict = Verdict.SKIPPED if job.stop_early else Verdict.TIMEOUT
    return [TestOutcome(verdict=verdict, error="job budget" if verdict is Verdict.TIMEOUT else "")] * (
        len(job.inputs) - len(tests)
    )


def _failure(job: Job, why: str, report: SandboxReport) -> JobOutcome:
    test = TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error=why[:200])
    return replace(JobOutcome(tests=(test,) * len(job.inputs)), level=report.level, python=report.python)
