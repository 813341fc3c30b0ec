"""Sandboxes of Prime Intellect as a backend: a few virtual machines, batches of jobs in each, our own layers inside.

    async with await open_prime(PrimeSettings(machines=4, max_usd=2.0)) as sandbox:
        outcomes = await sandbox.run(jobs)

The law of this module is that of `gasp_env.sandbox.remote.pool`: a fault of the service is never a reward, and there is a price at
which it stops. Machines have no network, and none of ours is left when the pool is closed. Needs the extra ``prime``.
"""

import asyncio
import contextlib
import math
import uuid
from dataclasses import dataclass, field
from typing import Any

from gasp_env._optional import require
from gasp_env.sandbox.remote.base import START_S
from gasp_env.sandbox.remote.codec import WireError
from gasp_env.sandbox.remote.pool import MachinePool, PoolSettings

__all__ = ("PrimeSandbox", "PrimeSettings", "open_prime")

_LABEL = "gasp-env"
"""On every machine, so that lost ones can be found and deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimeSettings(PoolSettings):
    """How the service is used."""

    image: str = "python:3.13-slim"
    """Any with ``python3`` 3.11 or later; the service builds a machine of it when it is first asked for, which takes minutes."""
    cpu_cores: int = 2
    memory_gb: int = 4
    disk_gb: int = 5
    life_s: int = 7200
    """A machine ends by itself after so long, at most 24 hours; the service gives no more later."""
    creation_s: float = 3600.0
    """Most seconds to wait for a machine, the first time with its image."""
    usd_per_hour: float = 0.145
    """Price of a running machine, used or not: 0.05 a core, 0.01 a GB of memory, 0.001 a GB of disk."""
    api_key: str | None = field(default=None, repr=False)
    """None: the environment variable PRIME_API_KEY, or what ``prime login`` left."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Further fields of ``CreateSandboxRequest``, such as ``team_id`` or ``region``."""


@dataclass(frozen=True, slots=True)
class _Machine:
    client: Any
    name: str

    async def start(self) -> None:
        """Wait until it takes commands."""
        await self.client.wait_for_creation(self.name)

    async def write(self, path: str, data: bytes) -> None:
        """Make a file."""
        await self.client.upload_bytes(self.name, path, data, path.rpartition("/")[2])

    async def call(self, command: str, timeout_s: float) -> str:
        """Standard output, which the client collects in full."""
        done = await self.client.execute_command(self.name, command, timeout=math.ceil(timeout_s))
        if done.exit_code != 0:
            raise WireError(f"exit code {done.exit_code}: {(done.stdout or done.stderr).strip()[-300:]}")
        output: str = done.stdout
        return output

    async def prolong(self, life_s: int) -> bool:  # noqa: ARG002 - the service has no call for it
        """Never."""
        return False

    async def kill(self) -> None:
        """Delete it."""
        await self.client.delete(self.name)


class PrimeSandbox(MachinePool):
    """A pool of machines; made by `open_prime`. Safe for many tasks of the event loop that opened it."""

    def __init__(self, settings: PrimeSettings) -> None:
        """No machine yet."""
        super().__init__("Prime", settings)
        self._settings = settings
        self._sdk: Any = require("prime_sandboxes", extra="prime")
        self._client: Any = self._sdk.AsyncSandboxClient(api_key=settings.api_key)
        self._label = f"{_LABEL}-{uuid.uuid4().hex}"
        """Of this pool only."""

    async def _make(self, life_s: int) -> _Machine:
        settings = self._settings
        wanted = {
            "name": _LABEL,
            "docker_image": settings.image,
            "cpu_cores": settings.cpu_cores,
            "memory_gb": settings.memory_gb,
            "disk_size_gb": settings.disk_gb,
            "network_allowlist": [],  # nothing may be reached, names included
            "timeout_minutes": math.ceil(life_s / 60),
            "labels": [_LABEL, self._label],
        }
        request = self._sdk.CreateSandboxRequest(**(settings.options | wanted))
        return _Machine(self._client, (await self._client.create(request)).id)

    async def _release(self) -> None:
        await super()._release()
        with contextlib.suppress(Exception):  # then they end with their life
            async with asyncio.timeout(START_S):  # those whose creation was cancelled before we heard of them
                await self._client.bulk_delete(labels=[self._label])
        await self._client.aclose()


async def open_prime(settings: PrimeSettings | None = None) -> PrimeSandbox:
    """Start one machine and see that our layers hold in it; more are started as jobs need them.

    Args:
        settings: how the service is used.

    Raises:
        MissingExtra: the extra ``prime`` is not installed.
        SandboxUnavailable: no machine can be had, or not with the level.
    """
    sandbox = PrimeSandbox(settings or PrimeSettings())
    await sandbox.probe()
    return sandbox
