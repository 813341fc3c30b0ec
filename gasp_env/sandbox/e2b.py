"""Sandboxes of E2B as a backend: a few virtual machines, batches of jobs in each, our own layers inside, expected values at home.

    async with await open_e2b(E2BSettings(machines=4, max_usd=2.0)) as sandbox:
        outcomes = await sandbox.run(jobs)

The law of this module: every error of the service is `Verdict.SANDBOX_FAILURE` after one more try on another machine, never a
reward; machines are made at the pace that the service allows, live only while they are used, and stop at a price.
Needs the extra ``e2b``.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from gasp_env._optional import require
from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.sandbox.remote.archive import archive
from gasp_env.sandbox.remote.batches import failed, run_in_batches
from gasp_env.sandbox.remote.codec import WireError, dump_jobs, load_outcomes
from gasp_env.types import Job, JobOutcome

__all__ = ("E2BSandbox", "E2BSettings", "open_e2b")

_AGENT = "/tmp/gasp-env.pyz"  # noqa: S108 - in the virtual machine
_START_S = 60.0
"""To start the agent and to move a batch, in seconds."""
_ASIDE = {"app": "gasp-env"}
"""Put on every machine, so that lost ones can be found and ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class E2BSettings:
    """How the service is used."""

    machines: int = 4
    """At a time; the service allows 20 (hobby) to 1,100."""
    batch: int = 32
    """Most jobs in one command."""
    template: str | None = None
    """None: the service's code interpreter; any with Python 3.11 or later will do."""
    level: str = "L2"
    """Isolation between jobs inside a machine."""
    life_s: int = 300
    """A machine that nobody asks for ends by itself after so long; more is asked for before a long batch."""
    batches_per_machine: int = 200
    creations_per_s: float = 1.0
    """The service allows 1 (hobby) or 5 (pro)."""
    usd_per_hour: float = 0.109
    """Price of a running machine, used or not."""
    max_usd: float = 5.0
    """No machine is started or used beyond; jobs then end as sandbox failures."""
    api_key: str | None = None
    """None: the environment variable E2B_API_KEY."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Further options of ``AsyncSandbox.create``."""


@dataclass(slots=True, eq=False)
class _Machine:
    vm: Any
    born: float
    ends: float
    """When the service will end it."""
    batches: int = 0

    async def run(self, jobs: Sequence[Job], settings: E2BSettings) -> list[JobOutcome]:
        """One batch, in one command.

        Raises:
            WireError: the answer is none.
        """
        budget_s = sum(2 * job.limits.job_cpu_s + 2 for job in jobs) + _START_S
        if self.ends - time.monotonic() < budget_s:
            life_s = int(max(budget_s, settings.life_s))
            await self.vm.set_timeout(life_s)
            self.ends = time.monotonic() + life_s
        self.batches += 1
        path = f"/tmp/jobs-{self.batches}.json"  # noqa: S108 - in the virtual machine
        await self.vm.files.write(path, dump_jobs(jobs))
        command = f"python3 -I -S {_AGENT} {path} {settings.level} 0; code=$?; rm -f {path}; exit $code"
        done = await self.vm.commands.run(command, timeout=budget_s)
        return load_outcomes(done.stdout, jobs)

    async def kill(self) -> None:
        """End it; if that fails the service does at the end of its life."""
        with contextlib.suppress(Exception):
            await self.vm.kill()


class E2BSandbox:
    """A pool of machines; made by `open_e2b`. Safe for many tasks of the event loop that opened it."""

    def __init__(self, settings: E2BSettings) -> None:
        """No machine yet."""
        self._settings = settings
        self._kind: Any = require("e2b_code_interpreter", extra="e2b").AsyncSandbox
        self._free: list[_Machine] = []
        self._all: set[_Machine] = set()
        self._spent_usd = 0.0
        self._gate = asyncio.Semaphore(settings.machines)
        self._creation = asyncio.Lock()
        self._next_creation = 0.0
        self._closed = False
        self._report = SandboxReport(backend="e2b", level="", layers={}, reasons=(), slots=0, python="")

    @property
    def report(self) -> SandboxReport:
        """The isolation between jobs inside a machine; the machine itself is the outer wall."""
        return self._report

    @property
    def spent_usd(self) -> float:
        """Price so far of all machines, by our own clock."""
        now = time.monotonic()
        return self._spent_usd + sum(self._price(machine, now) for machine in self._all)

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs in batches side by side; outcomes align with jobs. Cancelling ends the machines that run them.

        Raises:
            SandboxUnavailable: it was closed.
        """
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed; open another with open_e2b()")
        return await run_in_batches(jobs, self._settings.batch, self._try_batch)

    async def close(self) -> None:
        """End every machine."""
        self._closed = True
        await asyncio.gather(*(self._end(machine) for machine in tuple(self._all)))

    async def probe(self) -> None:
        """Start one machine and ask what isolation it gives inside.

        Raises:
            SandboxUnavailable: there is no machine, or not the level; the message says why.
        """
        try:
            machine = await self._take()
            done = await machine.vm.commands.run(f"python3 -I -S {_AGENT} - {self._settings.level} 0", timeout=_START_S)
            facts = json.loads(done.stdout)
            self._report = SandboxReport(**(facts | {"backend": "e2b", "reasons": tuple(facts["reasons"])}))
        except Exception as error:
            await self.close()
            why = getattr(error, "stdout", "") or f"{type(error).__name__}: {error}"
            raise SandboxUnavailable(f"E2B can't be used: {why.strip()[:500]}") from error
        self._free.append(machine)

    async def _try_batch(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        async with self._gate:
            machine, clean = None, False
            try:
                machine = await self._take()
                outcomes = await machine.run(jobs, self._settings)
                clean = not any(outcome.failed_by_us for outcome in outcomes)
            except Exception as error:  # noqa: BLE001 - the boundary: whatever the service or its client raises is ours
                outcomes = [failed(job, error) for job in jobs]
            finally:  # after a failure or a cancellation it may still run something
                if machine is not None and clean and machine.batches < self._settings.batches_per_machine:
                    self._free.append(machine)
                elif machine is not None:
                    await asyncio.shield(self._end(machine))
            return outcomes

    async def _take(self) -> _Machine:
        if self.spent_usd >= self._settings.max_usd:
            raise WireError(f"the price of {self._settings.max_usd} USD is reached")
        while self._free:
            machine = self._free.pop()
            if machine.ends - time.monotonic() > _START_S:
                return machine
            await self._end(machine)
        await self._wait_for_turn()
        settings = self._settings
        vm: Any = await self._kind.create(
            template=settings.template,
            timeout=settings.life_s,
            metadata=_ASIDE,
            allow_internet_access=False,
            api_key=settings.api_key,
            **settings.options,
        )
        machine = _Machine(vm, time.monotonic(), time.monotonic() + settings.life_s)
        self._all.add(machine)
        try:
            await vm.files.write(_AGENT, archive())
        except BaseException:
            await self._end(machine)
            raise
        return machine

    async def _wait_for_turn(self) -> None:
        """One creation at a time, as many a second as the service allows, with jitter."""
        async with self._creation:
            wait_s = self._next_creation - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s * random.uniform(1.0, 1.2))  # noqa: S311 - no secret
            self._next_creation = time.monotonic() + 1 / self._settings.creations_per_s

    async def _end(self, machine: _Machine) -> None:
        if machine in self._all:
            self._all.remove(machine)
            self._spent_usd += self._price(machine, time.monotonic())
            await machine.kill()

    def _price(self, machine: _Machine, now: float) -> float:
        return (now - machine.born) / 3600 * self._settings.usd_per_hour


async def open_e2b(settings: E2BSettings | None = None) -> E2BSandbox:
    """Start one machine and see that our layers hold in it; more are started as jobs need them.

    Args:
        settings: how the service is used.

    Raises:
        MissingExtra: the extra ``e2b`` is not installed.
        SandboxUnavailable: no machine can be had, or not with the level.
    """
    sandbox = E2BSandbox(settings or E2BSettings())
    await sandbox.probe()
    return sandbox
