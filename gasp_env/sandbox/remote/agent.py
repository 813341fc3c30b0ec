"""Runs at the far end: ``python3 -I -S agent.pyz JOBS.json LEVEL SLOTS`` prints a line an outcome, then ends.

Without a file of jobs (``-``) it prints the isolation in force there. It needs nothing but Python 3.11 and its standard library.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gasp_env.errors import GaspError
from gasp_env.sandbox.local import LocalSandbox, open_local
from gasp_env.sandbox.remote.codec import dump_outcome, load_jobs
from gasp_env.types import Job

__all__ = ("main",)


def main(arguments: Sequence[str]) -> int:
    """Run one batch; the exit code is 3 if the level can't be had."""
    path, level, slots = arguments
    try:
        asyncio.run(_work(path, level, int(slots)))
    except GaspError as error:
        _say(json.dumps({"error": str(error)}))
        return 3
    return 0


async def _work(path: str, level: str, slots: int) -> None:
    async with await open_local(require=level, slots=slots or None) as sandbox:
        if path == "-":
            _say(json.dumps(asdict(sandbox.report)))
            return
        jobs = load_jobs(Path(path).read_text("ascii"))  # noqa: ASYNC240 - nothing else runs yet
        await asyncio.gather(*(_run(sandbox, place, job) for place, job in enumerate(jobs)))


async def _run(sandbox: LocalSandbox, place: int, job: Job) -> None:
    (outcome,) = await sandbox.run([job])
    _say(dump_outcome(place, outcome))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
