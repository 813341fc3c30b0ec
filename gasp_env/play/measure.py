"""Solve rates of given tasks, outside the curriculum: for evaluation before and after training."""

import asyncio
from collections.abc import Callable, Sequence

from gasp_env.play.arena import Arena, Draft, Seat, cancel_all
from gasp_env.play.tickets import seat_seed
from gasp_env.policy.protocol import Policy
from gasp_env.types import RealTask, SolveRate, SolveTask, Stage, Ticket

__all__ = ("solve_rates",)


async def solve_rates(  # noqa: PLR0913 - all but the first three have defaults
    arena: Arena,
    tasks: Sequence[SolveTask | RealTask],
    n: int,
    *,
    first: int = 0,
    policy: Policy | None = None,
    concurrency: int = 256,
    progress: Callable[[int], None] | None = None,
) -> list[SolveRate]:
    """Attempt each task ``n`` times; nothing is written to the curriculum.

    Attempts are seeded by task and number, so two policies are measured on the same draws.

    Args:
        arena: sandbox and rules.
        tasks: what to attempt.
        n: attempts a task.
        first: number of the first; to go on with an earlier measurement.
        policy: None takes the arena's.
        concurrency: attempts at once.
        progress: told how many attempts ended, after each.

    Returns:
        Counts, aligned with the tasks; attempts that an infrastructure fault spoiled are left out of ``n``.
    """
    gate, ended = asyncio.Semaphore(concurrency), 0

    async def one(task: SolveTask | RealTask, name: str) -> Draft:
        nonlocal ended
        stage = Stage.REAL if isinstance(task, RealTask) else Stage.SOLVE
        seat = Seat(
            ticket=Ticket(stage=stage, draw_seed=0, split="eval"), episode_id=name, seed=seat_seed(name, arena.config)
        )
        async with gate:
            draft = await arena.draft(seat, task, policy=policy)
        ended += 1
        if progress:
            progress(ended)
        return draft

    running = [
        asyncio.create_task(one(task, f"eval-{place}-{number}"))
        for place, task in enumerate(tasks)
        for number in range(first, first + n)
    ]
    try:
        drafts = await asyncio.gather(*running)
    finally:
        await cancel_all(running)
    return [_rate(drafts[start : start + n]) for start in range(0, len(drafts), n)]


def _rate(drafts: Sequence[Draft]) -> SolveRate:
    known = [draft.result.attempts[-1].solved for draft in drafts if draft.result.attempts]
    return SolveRate(solved=sum(one is True for one in known), n=sum(one is not None for one in known))
