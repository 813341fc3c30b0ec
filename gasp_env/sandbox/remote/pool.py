"""A few rented machines, batches of jobs in each: what backends of services that rent machines do alike.

The law of this module: every error of the service is `Verdict.SANDBOX_FAILURE` after one more try on another machine, never a
reward; machines are made at the pace that the service allows, live only while they are used, and stop at a price.
"""

import asyncio
import contextlib
import random
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gasp_env.sandbox.remote.archive import archive
from gasp_env.sandbox.remote.base import START_S, RemoteSandbox
from gasp_env.sandbox.remote.codec import WireError, dump_jobs, load_outcomes
from gasp_env.types import Job, JobOutcome

__all__ = ("Machine", "MachinePool", "PoolSettings")

_AGENT = "/tmp/gasp-env.pyz"  # noqa: S108 - in the virtual machine


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What every pool of machines can be told; each service has its own defaults."""

    machines: int = 4
    """At a time."""
    batch: int = 32
    """Most jobs in one command."""
    level: str = "L2"
    """Isolation between jobs inside a machine."""
    life_s: int = 300
    """A machine that nobody asks for ends by itself after so long; a long batch gets more."""
    batches_per_machine: int = 200
    creations_per_s: float = 1.0
    creation_s: float = 300.0
    """Most seconds to wait for a machine."""
    usd_per_hour: float = 0.0
    """Price of a running machine, used or not."""
    max_usd: float = 5.0
    """No machine is started or used beyond; jobs then end as sandbox failures."""


class Machine(Protocol):
    """One machine of a service. Whatever its methods raise is a fault of the service."""

    async def start(self) -> None:
        """Wait until it takes files and commands."""

    async def write(self, path: str, data: bytes) -> None:
        """Make a file."""

    async def call(self, command: str, timeout_s: float) -> str:
        """Standard output, in full, of a shell command that ended with 0."""
        ...

    async def prolong(self, life_s: int) -> bool:
        """Let it live so many seconds from now; False: the service can't."""
        ...

    async def kill(self) -> None:
        """End it."""


@dataclass(slots=True, eq=False)
class _Rented:
    machine: Machine
    born: float
    ends: float
    """When the service will end it."""
    batches: int = 0

    async def reaches(self, budget_s: float, life_s: int) -> bool:
        """Whether it lives long enough for a batch, with more life if need be."""
        left_s = self.ends - time.monotonic()
        if left_s >= budget_s:
            return True
        more_s = int(max(budget_s, life_s)) + 1
        if left_s < START_S or not await self.machine.prolong(more_s):
            return False
        self.ends = time.monotonic() + more_s
        return True

    async def run(self, jobs: Sequence[Job], level: str, budget_s: float) -> list[JobOutcome]:
        """One batch, in one command."""
        self.batches += 1
        path = f"/tmp/jobs-{self.batches}.json"  # noqa: S108 - in the virtual machine
        await self.machine.write(path, dump_jobs(jobs).encode())
        command = f"python3 -I -S {_AGENT} {path} {level} 0; code=$?; rm -f {path}; exit $code"
        return load_outcomes(await self.machine.call(command, budget_s), jobs)


class MachinePool(RemoteSandbox):
    """A backend of rented machines; a service says how one is made. Safe for many tasks of one event loop."""

    def __init__(self, service: str, settings: PoolSettings) -> None:
        """No machine yet.

        Args:
            service: its name; in lower case that of the backend.
            settings: how it is used.
        """
        super().__init__(service, service.lower(), batch=settings.batch, at_once=settings.machines)
        self._pool = settings
        self._free: list[_Rented] = []
        self._all: set[_Rented] = set()
        self._spent_usd = 0.0
        self._creation = asyncio.Lock()
        self._next_creation = 0.0

    @abstractmethod
    async def _make(self, life_s: int) -> Machine:
        """Ask for one machine, with no network, that ends by itself after ``life_s`` seconds."""

    @property
    def spent_usd(self) -> float:
        """Price so far of all machines, by our own clock."""
        now = time.monotonic()
        return self._spent_usd + sum(self._price(rented, now) for rented in self._all)

    async def _release(self) -> None:
        await asyncio.gather(*(self._end(rented) for rented in tuple(self._all)))

    async def _ask(self) -> str:
        rented = await self._take(START_S)
        async with self._whole(rented):
            said = await rented.machine.call(f"python3 -I -S {_AGENT} - {self._pool.level} 0", START_S)
        self._free.append(rented)
        return said

    async def _attempt(self, jobs: Sequence[Job], budget_s: float) -> list[JobOutcome]:
        rented = await self._take(budget_s)
        async with self._whole(rented), asyncio.timeout(budget_s + START_S):
            outcomes = await rented.run(jobs, self._pool.level, budget_s)
        if self._closed or self._worn(rented) or any(outcome.failed_by_us for outcome in outcomes):
            await asyncio.shield(self._end(rented))
        else:
            self._free.append(rented)
        return outcomes

    def _worn(self, rented: _Rented) -> bool:
        return rented.batches >= self._pool.batches_per_machine

    async def _take(self, budget_s: float) -> _Rented:
        if self._closed:
            raise WireError("the sandbox is closed")
        if self.spent_usd >= self._pool.max_usd:
            raise WireError(f"the price of {self._pool.max_usd} USD is reached")
        while self._free:
            rented = self._free.pop()
            async with self._whole(rented):
                if await rented.reaches(budget_s, self._pool.life_s):
                    return rented
            await self._end(rented)
        await self._wait_for_turn()
        life_s = int(max(budget_s, self._pool.life_s)) + 1
        born = time.monotonic()
        async with asyncio.timeout(self._pool.creation_s):
            rented = _Rented(await self._make(life_s), born, born + life_s)
            self._all.add(rented)
            async with self._whole(rented):
                await rented.machine.start()
                await rented.machine.write(_AGENT, archive())
        return rented

    @contextlib.asynccontextmanager
    async def _whole(self, rented: _Rented) -> AsyncGenerator[None, None]:
        """End the machine if what is done with it fails or is cancelled: it may still run something."""
        try:
            yield
        except BaseException:
            await asyncio.shield(self._end(rented))
            raise

    async def _wait_for_turn(self) -> None:
        """One creation at a time, as many a second as the service allows, with jitter."""
        async with self._creation:
            wait_s = self._next_creation - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s * random.uniform(1.0, 1.2))  # noqa: S311 - no secret
            self._next_creation = time.monotonic() + 1 / self._pool.creations_per_s

    async def _end(self, rented: _Rented) -> None:
        if rented in self._all:
            self._all.remove(rented)
            self._spent_usd += self._price(rented, time.monotonic())
            with contextlib.suppress(Exception):  # then the service does, at the end of its life
                async with asyncio.timeout(START_S):
                    await rented.machine.kill()

    def _price(self, rented: _Rented, now: float) -> float:
        return (now - rented.born) / 3600 * self._pool.usd_per_hour
