"""Jobs for backends at the far end of a wire, what they must give, and how a test opens a backend for one piece of work."""

import asyncio

from gasp_env.types import Job

JOBS = [Job(program=f"def f(x): return x + {n}", inputs=("1", "2")) for n in range(5)]
WANTED = [[f"i{1 + n:x};", f"i{2 + n:x};"] for n in range(5)]


def play_with(opened, work):
    """What the work found, and the backend, closed again.

    Args:
        opened: coroutine of an open backend.
        work: coroutine function of the backend.
    """

    async def main():
        async with await opened as sandbox:
            return await work(sandbox), sandbox

    return asyncio.run(main())


def values(outcomes):
    return [[test.value for test in outcome.tests] for outcome in outcomes]


def verdicts(outcomes):
    return {test.verdict for outcome in outcomes for test in outcome.tests}
