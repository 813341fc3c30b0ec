"""SandboxFusion as a backend: a batch of jobs in each request, our own layers inside, expected values at home.

    async with await open_fusion(FusionSettings(url="http://localhost:8080")) as sandbox:
        outcomes = await sandbox.run(jobs)

The law of this module: whatever the service does wrong is `Verdict.SANDBOX_FAILURE` after one more try, never a reward. It cuts
standard output at 1 MiB, so outcomes are fetched as a file; it can't be told to stop, so a cancelled batch ends at its time limit.
"""

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

from gasp_env.sandbox.local.frames import safe_text
from gasp_env.sandbox.remote.archive import archive
from gasp_env.sandbox.remote.base import START_S, RemoteSandbox
from gasp_env.sandbox.remote.codec import WireError, dump_jobs, load_outcomes
from gasp_env.types import Job, JobOutcome

__all__ = ("FusionSandbox", "FusionSettings", "open_fusion")

_OUT = "outcomes.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSettings:
    """Which service, and how it is used."""

    url: str = "http://localhost:8080"
    requests: int = 4
    """At a time."""
    batch: int = 16
    """Most jobs of one request."""
    slots: int = 1
    """Programs at a time in each request; the service's own isolation gives a request one core."""
    level: str = "L2"
    """Isolation between jobs inside a request."""
    python: str = "python3"
    """Command of Python 3.11 or later in the service's image."""
    timeout_s: float | None = None
    """Most seconds of a request; None: what its jobs may take."""
    answer_mb: int = 256
    """Most of an answer; a longer one is a fault."""
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Of every request, such as a key for what stands before the service."""


class _Run(msgspec.Struct):
    status: str = ""
    return_code: int | None = None
    stderr: str = ""


class _Answer(msgspec.Struct):
    """What the service answers, as far as it is looked at; files are Base64, checked strictly."""

    status: str
    message: str = ""
    run_result: _Run | None = None
    files: dict[str, bytes] = {}


class FusionSandbox(RemoteSandbox):
    """Sends a request a batch; made by `open_fusion`. Safe for many tasks of the event loop that opened it."""

    def __init__(self, settings: FusionSettings) -> None:
        """Nothing is sent yet."""
        name = f"SandboxFusion at {settings.url}"
        super().__init__(name, "fusion", batch=settings.batch, at_once=settings.requests)
        self._settings = settings
        headers = {"Content-Type": "application/json", **settings.headers}
        self._client = httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(None, connect=10.0), trust_env=False)

    async def _ask(self) -> str:
        return await self._send("-", {}, START_S)

    async def _release(self) -> None:
        await self._client.aclose()

    async def _attempt(self, jobs: Sequence[Job], budget_s: float) -> list[JobOutcome]:
        return load_outcomes(await self._send("jobs.json", {"jobs.json": dump_jobs(jobs).encode()}, budget_s), jobs)

    async def _send(self, path: str, files: dict[str, bytes], budget_s: float) -> str:
        """What the agent wrote in one request that ran to its end."""
        settings = self._settings
        run_s = min(budget_s, settings.timeout_s or budget_s)
        agent = shlex.join([settings.python, "-I", "-S", "agent.pyz", path, settings.level, str(settings.slots)])
        order = {
            "code": f"{agent} > {_OUT}",
            "language": "bash",
            "run_timeout": run_s,
            "compile_timeout": START_S,
            "memory_limit_MB": -1,
            "stdin": None,
            "files": {"agent.pyz": archive(), **files},
            "fetch_files": [_OUT],
        }
        async with asyncio.timeout(run_s + START_S):
            return _output(await self._post(msgspec.json.encode(order)))

    async def _post(self, body: bytes) -> bytes:
        url, most = self._settings.url.rstrip("/") + "/run_code", self._settings.answer_mb << 20
        found = bytearray()
        async with self._client.stream("POST", url, content=body) as answer:
            async for part in answer.aiter_bytes():
                found += part
                if len(found) > most:
                    raise WireError(f"an answer of more than {self._settings.answer_mb} MiB")
        if answer.status_code != 200:
            raise WireError(f"HTTP {answer.status_code}: {_short(found.decode('utf-8', 'replace'))}")
        return bytes(found)


def _output(data: bytes) -> str:
    """What the agent wrote, of an answer that says that it ran to its end."""
    try:
        answer = msgspec.json.decode(data, type=_Answer)
    except (ValueError, RecursionError) as error:
        raise WireError(f"an answer that is none: {error}") from None
    run, text = answer.run_result, answer.files.get(_OUT, b"").decode("ascii", "replace")
    if answer.status == "SandboxError" or run is None:
        raise WireError(f"{_short(answer.status)}: {_short(answer.message)}")
    if run.status != "Finished" or run.return_code != 0:
        raise WireError(f"{_short(run.status)}, exit code {run.return_code}: {_short(text or run.stderr)}")
    return text


def _short(text: str) -> str:
    return safe_text(text.strip()[-300:], 300)


async def open_fusion(settings: FusionSettings | None = None) -> FusionSandbox:
    """See that the service runs our agent and that our layers hold in it.

    Args:
        settings: which service, and how it is used.

    Raises:
        SandboxUnavailable: no service, no Python 3.11 or later in it, or not the level.
    """
    sandbox = FusionSandbox(settings or FusionSettings())
    await sandbox.probe()
    return sandbox
