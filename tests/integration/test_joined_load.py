"""Many episodes and many processes on one run: nothing leaks between episodes, nothing is accepted twice."""

import asyncio
import subprocess
import sys
from pathlib import Path

import joined_worker
import pytest
from adapter_cases import Script, make_run, summary

from gasp_env.play import RunFolder, join_run, read_ticket
from gasp_env.store import open_curriculum


def accepted(folder):
    run = RunFolder.open(folder)
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        return [one.question for one in curriculum.state.questions.values()]


def test_sixty_four_episodes_at_once(tmp_path):
    """Each episode's turns are of its own ticket, whatever runs beside it."""
    folder = tmp_path / "run"
    rows = [row["prompt"] for row in make_run(folder, rows=64)]

    async def go():
        joined = await join_run(folder)
        script = Script()
        found = await asyncio.gather(*(joined.play(read_ticket(row), policy=script) for row in rows))
        await joined.close()
        return found

    for row, played in zip(rows, asyncio.run(go()), strict=True):
        assert played.result.ticket == read_ticket(row)
        if played.result.question is not None:
            assert played.result.question.program in played.result.turns[0].completions[0]
            assert len(played.result.attempts) == 10
    assert summary(folder)["settled"] == 64
    programs = [one.program for one in accepted(folder)]
    assert len(programs) == len(set(programs)) > 1


@pytest.mark.slow
def test_eight_processes_on_one_run(tmp_path):
    """All propose the same questions for the same tickets; each is accepted once."""
    folder = tmp_path / "run"
    rows = [row["prompt"] for row in make_run(folder, rows=10, mix__solve="0.5")]
    workers = [
        subprocess.Popen([sys.executable, joined_worker.__file__, folder, "4"], stdin=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for worker in workers:
        worker.stdin.write("\n".join(rows))
        worker.stdin.close()
    assert [worker.wait() for worker in workers] == [0] * 8
    total = summary(folder)
    assert total["settled"] == len(total["episodes"]) == 80
    programs = [one.program for one in accepted(folder)]
    assert len(programs) == len(set(programs)) > 1
    assert len(list(Path(folder).glob("transcripts-*.jsonl"))) == 8
