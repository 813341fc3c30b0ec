"""Sandboxes of E2B as a backend: a few virtual machines, batches of jobs in each, our own layers inside, expected values at home.

    async with await open_e2b(E2BSettings(machines=4, max_usd=2.0)) as sandbox:
        outcomes = await sandbox.run(jobs)

The law of this module is that of `gasp_env.sandbox.remote.pool`: a fault of the service is never a reward, and there is a price at
which it stops. Needs the extra ``e2b``.
"""

from dataclasses import dataclass, field
from typing import Any

from gasp_env._optional import require
from gasp_env.sandbox.remote.pool import MachinePool, PoolSettings

__all__ = ("E2BSandbox", "E2BSettings", "open_e2b")

_ASIDE = {"app": "gasp-env"}
"""Put on every machine, so that lost ones can be found and ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class E2BSettings(PoolSettings):
    """How the service is used."""

    machines: int = 4
    """At a time; the service allows 20 (hobby) to 1,100."""
    template: str | None = None
    """None: the service's code interpreter; any with Python 3.11 or later will do."""
    creations_per_s: float = 1.0
    """The service allows 1 (hobby) or 5 (pro)."""
    usd_per_hour: float = 0.109
    """Price of a running machine, used or not."""
    api_key: str | None = field(default=None, repr=False)
    """None: the environment variable E2B_API_KEY."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Further options of ``AsyncSandbox.create``."""


@dataclass(frozen=True, slots=True)
class _Machine:
    vm: Any

    async def start(self) -> None:
        """It was running when it was made."""

    async def write(self, path: str, data: bytes) -> None:
        """Make a file."""
        await self.vm.files.write(path, data)

    async def call(self, command: str, timeout_s: float) -> str:
        """Standard output; another exit code than 0 is the client's own error."""
        done = await self.vm.commands.run(command, timeout=timeout_s)
        output: str = done.stdout
        return output

    async def prolong(self, life_s: int) -> bool:
        """Ask for more life."""
        await self.vm.set_timeout(life_s)
        return True

    async def kill(self) -> None:
        """End it."""
        await self.vm.kill()


class E2BSandbox(MachinePool):
    """A pool of machines; made by `open_e2b`. Safe for many tasks of the event loop that opened it."""

    def __init__(self, settings: E2BSettings) -> None:
        """No machine yet."""
        super().__init__("E2B", settings)
        self._settings = settings
        self._kind: Any = require("e2b_code_interpreter", extra="e2b").AsyncSandbox

    async def _make(self, life_s: int) -> _Machine:
        settings = self._settings
        vm: Any = await self._kind.create(
            template=settings.template,
            timeout=life_s,
            metadata=_ASIDE,
            allow_internet_access=False,
            api_key=settings.api_key,
            **settings.options,
        )
        return _Machine(vm)


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
