"""The command behind ``make demo``: trains, is killed, goes on, shows, starts anew."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from gasp_env.adapters.trl import Gasp
from gasp_env.play import RunFolder
from gasp_env.store import open_curriculum

ROOT = Path(__file__).parents[2]
ENV = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
STEPS, BATCH = 7, 8


def command(run, *argv):
    sizes = ("--steps", STEPS, "--batch", BATCH, "--attempts", 2, "--held-out", 8)
    words = (sys.executable, ROOT / "examples" / "quickstart" / "run.py", "--run", run, *sizes, *argv)
    return [str(word) for word in words]


def demo(run, *argv):
    return subprocess.run(command(run, *argv), capture_output=True, text=True, env=ENV, check=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_resumed_shown_and_begun_anew(tmp_path):
    run = tmp_path / "run"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(run), env=ENV, start_new_session=True, **quiet)
    while process.poll() is None and Gasp.last_checkpoint(run / "checkpoints") is None:
        pass  # pytest's timeout bounds it
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    resumed = demo(run)
    assert resumed.returncode == 0, resumed.stderr
    assert "was interrupted; going on" in resumed.stdout and "going on from checkpoint-5" in resumed.stdout
    assert f"step   {STEPS}/{STEPS}" in resumed.stdout and "solve rate, 2 attempts a question" in resumed.stdout
    folder = RunFolder.open(run)
    assert [row.index for row in folder.transcripts] == list(range(STEPS * BATCH))
    with open_curriculum(folder.store_url, folder.manifest.config) as curriculum:
        assert len(curriculum.state.settled) == STEPS * BATCH
    assert folder.manifest.trainer["batch"] == BATCH and len(folder.manifest.trainer["weights"]) == 64
    rows = json.loads((run / "before_after.json").read_text())["rows"]
    assert rows[0]["name"] == "goalposts" and rows[0]["questions"] == 36 and rows[0]["attempts"] == 2
    assert all(low <= value <= high for row in rows for value, (low, high) in [(row["before"], row["before_interval"])])
    assert (run / "report.html").is_file() and (run / "model" / "model.safetensors").is_file()

    (run / "before_after.json").unlink()  # as if killed while it measured: it does not train again
    measured = demo(run)
    assert (
        measured.returncode == 0 and "training from" not in measured.stdout and "going on from" not in measured.stdout
    )
    assert msgspec.json.decode((run / "before_after.json").read_bytes())["rows"] == rows

    shown = demo(run)
    assert shown.returncode == 0 and "is finished; --new" in shown.stdout and "goalposts" in shown.stdout
    anew = demo(run, "--new", "--steps", 1, "--attempts", 1, "--held-out", 0)
    assert anew.returncode == 0 and "training from the start policy" in anew.stdout
    assert RunFolder.holds_run(tmp_path / "run.old-1") and len(list(RunFolder.open(run).transcripts)) == BATCH


def test_a_wrong_setting_is_one_line(tmp_path):
    done = demo(tmp_path / "run", "--set", "rules.rolouts=3")
    assert done.returncode == 1 and done.stderr.startswith("error: rules.rolouts: unknown setting")
    assert not (tmp_path / "run").exists()
