"""Jobs in batches side by side, what failed by our fault once more: what every remote backend does alike."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gasp_env.types import Job, JobOutcome, TestOutcome, Verdict

__all__ = ("failed", "run_in_batches")

logger = logging.getLogger(__name__)
Attempt = Callable[[Sequence[Job]], Awaitable[list[JobOutcome]]]
"""Runs one batch; faults are outcomes (`failed`), never raised."""


def failed(job: Job, error: Exception) -> JobOutcome:
    """A job that the far end failed to run."""
    cause = f"{type(error).__name__}: {error}"[:200]
    return JobOutcome(tests=(TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error=cause),) * len(job.inputs))


async def run_in_batches(jobs: Sequence[Job], size: int, attempt: Attempt) -> list[JobOutcome]:
    """Outcomes, aligned with jobs.

    Args:
        jobs: any number.
        size: most jobs of a batch.
        attempt: runs one batch.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run_batch(jobs[at : at + size], attempt)) for at in range(0, len(jobs), size)]
    return [outcome for task in tasks for outcome in task.result()]


async def _run_batch(jobs: Sequence[Job], attempt: Attempt) -> list[JobOutcome]:
    outcomes = await attempt(jobs)
    again = [place for place, outcome in enumerate(outcomes) if outcome.failed_by_us]
    if again:
        logger.warning("%d jobs failed by our fault, trying again: %s", len(again), outcomes[again[0]].tests[-1].error)
        for place, outcome in zip(again, await attempt([jobs[place] for place in again]), strict=True):
            outcomes[place] = outcome
    return outcomes
