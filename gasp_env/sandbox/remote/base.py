"""What every backend at the far end of a wire does alike: it is probed once, runs batches, and is closed.

The law of this module: a backend opens with the level that it was asked for, or not at all; a fault is never raised out of `run`.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.local.frames import safe_text
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.sandbox.remote.batches import failed, run_in_batches
from gasp_env.types import Job, JobOutcome

__all__ = ("START_S", "RemoteSandbox")

START_S = 60.0
"""To start the agent and to move a batch, in seconds."""


class RemoteSandbox(ABC):
    """A `gasp_env.sandbox.protocol.Sandbox` without the wire. Safe for many tasks of the event loop that opened it."""

    def __init__(self, service: str, backend: str, *, batch: int, at_once: int) -> None:
        """Nothing is sent yet.

        Args:
            service: its name in messages.
            backend: its name in reports.
            batch: most jobs of one attempt.
            at_once: attempts at a time.
        """
        self._service, self._batch, self._closed = service, batch, False
        self._gate = asyncio.Semaphore(at_once)
        self._report = SandboxReport(backend=backend, level="", layers={}, reasons=(), slots=0, python="")

    @abstractmethod
    async def _ask(self) -> str:
        """What the agent says of the isolation there (its ``-``)."""

    @abstractmethod
    async def _attempt(self, jobs: Sequence[Job], budget_s: float) -> list[JobOutcome]:
        """Run one batch once, within so many seconds; whatever it raises is the far end's fault."""

    @abstractmethod
    async def _release(self) -> None:
        """End what is at the far end."""

    @property
    def report(self) -> SandboxReport:
        """The isolation between jobs at the far end; what the service puts around them is a further wall."""
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
        """Run jobs in batches side by side; outcomes align with jobs. Cancelling ends the batches.

        Raises:
            SandboxUnavailable: it was closed.
        """
        if self._closed:
            raise SandboxUnavailable("the sandbox is closed; open another")
        return await run_in_batches(jobs, self._batch, self._try_batch)

    async def close(self) -> None:
        """End what is at the far end; nothing runs any more."""
        self._closed = True
        await self._release()

    async def probe(self) -> None:
        """See that the agent runs at the far end, and what isolation it gives there.

        Raises:
            SandboxUnavailable: it does not, or not with the level; the message says why.
        """
        try:
            facts = json.loads(await self._ask())
            own = {"backend": self._report.backend, "reasons": tuple(facts["reasons"])}
            self._report = SandboxReport(**(facts | own))
        except Exception as error:
            await self.close()
            why = getattr(error, "stdout", "") or f"{type(error).__name__}: {error}"
            raise SandboxUnavailable(f"{self._service} can't be used: {safe_text(why, 500).strip()}") from error
        except BaseException:  # cancelled
            await asyncio.shield(self.close())
            raise

    async def _try_batch(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        async with self._gate:
            try:
                return await self._attempt(jobs, self._longest_s(jobs))
            except Exception as error:  # noqa: BLE001 - the boundary: whatever a service or its client raises is ours
                return [failed(job, error) for job in jobs]

    def _longest_s(self, jobs: Sequence[Job]) -> float:
        """Most seconds that a batch takes, as many jobs at a time as the far end runs."""
        each = [2 * job.limits.job_cpu_s + 2 for job in jobs]
        return START_S + (sum(each) - max(each)) / max(1, self._report.slots) + max(each)
