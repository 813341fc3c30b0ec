"""What a sandbox backend is. Jobs hold no expected value: grading is the caller's, in the trusted process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gasp_env.types import Job, JobOutcome

__all__ = ("Sandbox", "SandboxReport")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReport:
    """What isolation a backend really has."""

    backend: str
    level: str
    """L3 namespaces + Landlock + seccomp; L2 Landlock + seccomp; L1 strict seccomp; L0 rlimits only."""
    layers: dict[str, bool]
    reasons: tuple[str, ...]
    """Why the level is not higher, each with its fix."""
    slots: int
    python: str


@runtime_checkable
class Sandbox(Protocol):
    """Runs jobs. Safe to call from many tasks of one event loop at once; cancelling a call kills its jobs."""

    @property
    def report(self) -> SandboxReport:
        """The isolation in force."""
        ...

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs side by side; outcomes align with jobs. Infrastructure faults are verdicts, never raised."""
        ...

    async def close(self) -> None:
        """End every process of the sandbox."""
        ...
