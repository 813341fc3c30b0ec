"""Run as a script: joins a run and plays its tickets, many at once."""

import asyncio
import sys

from adapter_cases import Script

from gasp_env.play import join_run, read_ticket


async def work(folder: str, rows: list[str], at_once: int) -> None:
    joined = await join_run(folder)
    gate = asyncio.Semaphore(at_once)
    script = Script()

    async def one(row):
        async with gate:
            await joined.play(read_ticket(row), policy=script)

    await asyncio.gather(*(one(row) for row in rows))
    await joined.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.stdin.read().splitlines(), int(sys.argv[2])))
