"""The local sandbox: slots, each with a warm zygote, each running one child at a time.

Safe for many tasks of one event loop. A job is one child process; its tests go on in a new child where one dies. What the
machine does wrong is `Verdict.SANDBOX_FAILURE`, after one retry on a fresh zygote; it never looks like a wrong program.
"""

import asyncio
import logging
import marshal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.guest.wire import Order, Report
from gasp_env.sandbox.local.frames import FrameReader
from gasp_env.sandbox.local.processes import find_strays
from gasp_env.sandbox.local.settle import failure, settle, wall_limit
from gasp_env.sandbox.local.zygote import Settings, StartError, Zygote, ZygoteLost
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.types import Job, JobOutcome, TestOutcome, Verdict

__all__ = ("LocalSandbox",)

logger = logging.getLogger(__name__)
SOURCE_CHARS = 1 << 18
"""A longer program is refused."""
PAYLOAD_BYTES = 256 << 20
RECYCLE_JOBS = 5000
"""A zygote is replaced after this many children."""
_SEEDS = 2


@dataclass(slots=True, eq=False)
class _Slot:
    settings: Settings
    zygotes: dict[int, Zygote] = field(default_factory=dict[int, Zygote])
    """By hash seed, started when first needed."""

    async def zygote(self, seed: int) -> Zygote:
        found = self.zygotes.get(seed)
        if found is not None and found.jobs < RECYCLE_JOBS:
            return found
        self.drop(seed)
        self.zygotes[seed] = await Zygote.start(self.settings, seed=seed)
        return self.zygotes[seed]

    def drop(self, seed: int) -> None:
        found = self.zygotes.pop(seed, None)
        if found is not None:
            found.stop()

    def stop(self) -> None:
        for seed in tuple(self.zygotes):
            self.drop(seed)


@dataclass(slots=True)
class _Usage:
    cpu_s: float = 0.0
    wall_s: float = 0.0
    max_rss_mb: float = 0.0

    def add(self, report: Report) -> None:
        self.cpu_s += report.cpu_s
        self.wall_s += report.wall_s
        self.max_rss_mb = max(self.max_rss_mb, report.max_rss_mb)


class LocalSandbox:
    """Runs jobs on this machine; made by `gasp_env.sandbox.open_local`. Use it on the event loop that opened it."""

    def __init__(self, settings: Settings, report: SandboxReport, first: Iterable[tuple[int, Zygote]] = ()) -> None:
        """Take over ``first``, zygotes (by hash seed) that already run."""
        self._report = report
        self._mark = settings.mark
        self._slots = [_Slot(settings) for _ in range(report.slots)]
        self._slots[0].zygotes.update(first)
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        for slot in reversed(self._slots):
            self._free.put_nowait(slot)
        self._closed = False
        self._running: set[asyncio.Task[None]] = set()

    @property
    def report(self) -> SandboxReport:
        """The isolation in force."""
        return self._report

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs side by side; outcomes align with jobs. Cancelling kills what runs.

        Raises:
            SandboxUnavailable: it was closed.
        """
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed; open another with open_local()")
        outcomes: list[JobOutcome | None] = [None] * len(jobs)
        places = iter(range(len(jobs)))

        async def work() -> None:
            for place in places:
                outcomes[place] = await self._run_job(jobs[place])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(jobs), len(self._slots))):
                task = group.create_task(work())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return [outcome for outcome in outcomes if outcome is not None]

    def strays(self) -> frozenset[int]:
        """Ids of processes of this pool that are none of its fork servers; while no job runs there must be none."""
        servers = (zygote.process.pid for slot in self._slots for zygote in slot.zygotes.values())
        return find_strays(self._mark, servers)

    async def close(self) -> None:
        """End every process of the sandbox; runs still under way are cancelled."""
        self._closed = True
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for slot in self._slots:
            slot.stop()

    async def _run_job(self, job: Job) -> JobOutcome:
        refused = _refusal(job)
        if refused is not None:
            return self._outcome((refused,) * len(job.inputs), _Usage())
        outcome = await self._try_job(job)
        if outcome.failed_by_us:
            logger.warning("sandbox failure, trying again: %s", outcome.tests[-1].error)
            outcome = await self._try_job(job)
        return outcome

    async def _try_job(self, job: Job) -> JobOutcome:
        slot = await self._free.get()
        try:
            return await self._run_in(slot, job)
        finally:
            self._free.put_nowait(slot)

    async def _run_in(self, slot: _Slot, job: Job) -> JobOutcome:
        usage, outcomes, seed = _Usage(), list[TestOutcome](), job.hash_seed % _SEEDS
        try:  # a cancelled child is killed by its zygote, which stays
            zygote = await slot.zygote(seed)
            while len(outcomes) < len(job.inputs):
                settled, by_us = await _fork(zygote, job, len(outcomes), usage)
                outcomes += settled
                if by_us:
                    slot.drop(seed)
                    break
        except (ZygoteLost, StartError, OSError) as error:
            slot.drop(seed)
            left = len(job.inputs) - len(outcomes)
            outcomes += [failure(f"{type(error).__name__}: {error}")] * left
        return self._outcome(tuple(outcomes), usage)

    def _outcome(self, tests: tuple[TestOutcome, ...], usage: _Usage) -> JobOutcome:
        return JobOutcome(
            tests=tests,
            cpu_s=usage.cpu_s,
            wall_s=usage.wall_s,
            max_rss_mb=usage.max_rss_mb,
            level=self._report.level,
            python=self._report.python,
        )


async def _fork(zygote: Zygote, job: Job, start: int, usage: _Usage) -> tuple[tuple[TestOutcome, ...], bool]:
    """Run the tests from ``start`` in one child; fewer outcomes than tests if it died."""
    limits = job.limits
    left, left_wall = limits.job_cpu_s - usage.cpu_s, wall_limit(limits.job_cpu_s) - usage.wall_s
    tests = len(job.inputs) - start
    if left <= 0 or left_wall <= 0:
        cause = "job_cpu" if left <= 0 else "job_wall"
        return (TestOutcome(verdict=Verdict.SKIPPED, error=cause),) * tests, False
    payload = _payload(job, start)
    reader = FrameReader(tests=tests, output_bytes=limits.output_bytes)
    longest = max((4 * len(text) for text in job.inputs[start:]), default=0)
    order = Order(
        serial=0,
        cpu_s=limits.cpu_s,
        wall_s=wall_limit(limits.cpu_s),
        job_cpu_s=left,
        job_wall_s=left_wall,
        memory_bytes=limits.memory_mb << 20,
        file_bytes=max(limits.output_bytes, longest) + 1,
    )
    report, fault = await zygote.run(payload, order, reader)
    usage.add(report)
    settled = settle(reader, report, fault, limits, stop=job.stop_early)
    return settled.outcomes, settled.by_us


def _payload(job: Job, start: int) -> bytes:
    facts = {
        "program": job.program,
        "inputs": job.inputs[start:],
        "style": job.style.value,
        "entry": job.entry,
        "stop_early": job.stop_early,
        "seed": job.hash_seed % _SEEDS,
        "output_bytes": job.limits.output_bytes,
    }
    return marshal.dumps(facts, 2)  # read by the harness alone, before the program runs


def _refusal(job: Job) -> TestOutcome | None:
    """What no child is started for."""
    if len(job.program) > SOURCE_CHARS:
        return TestOutcome(
            verdict=Verdict.RUNTIME_ERROR, error="SourceTooLong", message=f"over {SOURCE_CHARS} characters"
        )
    if sum(map(len, job.inputs)) > PAYLOAD_BYTES:
        return TestOutcome(verdict=Verdict.RUNTIME_ERROR, error="InputsTooLong", message=f"over {PAYLOAD_BYTES} bytes")
    return None
