"""``gasp-env rewind``: a run goes on from a trainer's checkpoint as if nothing later had been played."""

import asyncio
import os
import time
from datetime import datetime, timedelta, timezone

import pytest
from adapter_cases import Script, make_run, summary

from gasp_env.cli import main
from gasp_env.play import join_run, read_ticket


def play(folder, tickets):
    async def go():
        joined = await join_run(folder)
        script = Script()
        for ticket in tickets:
            await joined.play(ticket, policy=script)
        await joined.close()

    asyncio.run(go())


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    told = capsys.readouterr()
    return stop.value.code, told.out, told.err


def test_the_rest_played_again_gives_the_same_curriculum(tmp_path, capsys):
    folder, checkpoint = tmp_path / "run", tmp_path / "ckpt" / "global_step_4"
    tickets = [read_ticket(row["prompt"]) for row in make_run(folder, rows=8)]
    play(folder, tickets[:4])
    written = time.time()
    then = summary(folder)
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"x")
    os.utime(checkpoint / "model.safetensors", (written, written))
    os.utime(checkpoint, (0, 0))  # the newest file counts
    play(folder, tickets[4:])
    whole = summary(folder)
    assert (then["settled"], whole["settled"]) == (4, 8)
    code, out, _ = run(capsys, "rewind", folder, "--to", checkpoint)
    assert code == 0 and "4 episodes remain" in out
    assert {key: summary(folder)[key] for key in ("questions", "settled")} == {
        key: then[key] for key in ("questions", "settled")
    }
    assert run(capsys, "rewind", folder, "--to", checkpoint)[1].startswith("0 events")
    play(folder, tickets[4:])
    again = summary(folder)
    assert (again["questions"], again["settled"]) == (whole["questions"], whole["settled"])


@pytest.mark.parametrize(
    ("to", "why"),
    [("ckpt/none", "neither a checkpoint that is there nor a time"), ("1999-01-01T00:00:00Z", "was begun later")],
)
def test_nothing_to_go_back_to_is_one_clear_error(tmp_path, capsys, to, why):
    make_run(tmp_path / "run", rows=1)
    play(tmp_path / "run", ())
    code, _, err = run(capsys, "rewind", tmp_path / "run", "--to", to)
    assert code == 2 and why in err and "Traceback" not in err


def test_a_time_counts_in_its_zone(tmp_path, capsys):
    make_run(tmp_path / "run", rows=1)
    play(tmp_path / "run", ())
    east = timezone(timedelta(hours=9))
    later = datetime.now(east) + timedelta(seconds=1)
    assert run(capsys, "rewind", tmp_path / "run", "--to", later.isoformat())[1].startswith("0 events")
    earlier = later - timedelta(hours=1)
    assert run(capsys, "rewind", tmp_path / "run", "--to", earlier.isoformat())[0] == 2
