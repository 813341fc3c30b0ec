"""Containers of Docker or Podman as a backend: a batch of jobs in each, our own layers inside, expected values at home.

    async with await open_container(ContainerSettings(engine="podman")) as sandbox:
        outcomes = await sandbox.run(jobs)

The law of this module: a container has no network, no writable file and no volume but our archive; whatever the engine does wrong
is `Verdict.SANDBOX_FAILURE` after one more try, never a reward.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gasp_env.sandbox.remote.archive import archive
from gasp_env.sandbox.remote.base import START_S, RemoteSandbox
from gasp_env.sandbox.remote.codec import WireError, dump_jobs, load_outcomes
from gasp_env.types import Job, JobOutcome

__all__ = ("ContainerSandbox", "ContainerSettings", "open_container")

_AGENT = "/gasp-env.pyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """What is run, and how much at a time."""

    engine: str = "docker"
    """Command: ``docker``, ``podman`` or a path."""
    image: str = "python:3.13-slim"
    """Any with ``python3`` 3.11 or later."""
    containers: int = 2
    """At a time."""
    slots: int = 2
    """Children at a time in each, and its cores."""
    batch: int = 64
    """Most jobs of one container."""
    level: str = "L2"
    """Isolation between jobs inside a container."""
    memory_gb: int = 4
    options: tuple[str, ...] = ()
    """Further options of ``run``, such as ``--runtime=runsc``."""


class ContainerSandbox(RemoteSandbox):
    """Starts a container a batch; made by `open_container`. Safe for many tasks of the event loop that opened it."""

    def __init__(self, settings: ContainerSettings) -> None:
        """Write the archive; nothing runs yet."""
        super().__init__(settings.engine, "container", batch=settings.batch, at_once=settings.containers)
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="gasp-env-")
        self._archive = Path(self._folder.name).resolve() / "agent.pyz"
        self._archive.write_bytes(archive())
        self._archive.chmod(0o444)
        self._archive.parent.chmod(0o755)

    async def _ask(self) -> str:
        return await self._start("-", b"", START_S)

    async def _release(self) -> None:
        self._folder.cleanup()  # containers end with the calls that started them

    async def _attempt(self, jobs: Sequence[Job], budget_s: float) -> list[JobOutcome]:
        return load_outcomes(await self._start("/dev/stdin", dump_jobs(jobs).encode(), budget_s), jobs)

    async def _start(self, path: str, data: bytes, budget_s: float) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._command(path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(budget_s):
                out, err = await process.communicate(data)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()  # the engine passes it on and removes the container
        if process.returncode != 0:
            raise WireError(f"exit code {process.returncode}: {(out or err).decode('utf-8', 'replace').strip()[-300:]}")
        return out.decode("ascii", "replace")

    def _command(self, path: str) -> list[str]:
        settings = self._settings
        walls = [
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
            "--user=65534:65534",
            "--security-opt=no-new-privileges",
            "--pids-limit=1024",
        ]
        sizes = [f"--memory={settings.memory_gb}g", f"--cpus={settings.slots}", f"--volume={self._archive}:{_AGENT}:ro"]
        agent = ["python3", "-I", "-S", _AGENT, path, settings.level, str(settings.slots)]
        return [settings.engine, "run", "--rm", "-i", *walls, *sizes, *settings.options, settings.image, *agent]


async def open_container(settings: ContainerSettings | None = None) -> ContainerSandbox:
    """See that containers start here and that our layers hold in them.

    Args:
        settings: which engine and image.

    Raises:
        SandboxUnavailable: no engine, no image, or not the level.
    """
    sandbox = ContainerSandbox(settings or ContainerSettings())
    await sandbox.probe()
    return sandbox
