"""The wheel works alone: no trainer, no torch, from another directory, and ships its data."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_wheel_alone(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True, timeout=200
    )
    (wheel,) = tmp_path.glob("gasp_env-*.whl")
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True, timeout=300)

    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    installed = run(str(python), "-m", "pip", "list", "--format=freeze").lower()
    assert not any(name in installed for name in ("torch", "trl", "ray", "vllm", "transformers"))
    assert "play" in run(str(tmp_path / "bare" / "bin" / "gasp-env"), "--help")
    checks = (
        "from gasp_env.game.prompts import STYLES, TEMPLATES, template\n"
        "from importlib.resources import files\n"
        "assert all(template(s, t) for s in STYLES for t in TEMPLATES)\n"
        "assert (files('gasp_env') / 'py.typed').is_file()\n"
        "assert (files('gasp_env') / 'recipes' / 'trl' / 'README.md').is_file()\n"
        "import gasp_env.game, gasp_env.store, gasp_env.sandbox, gasp_env.play, gasp_env.policy, gasp_env.report\n"
    )
    run(str(python), "-c", checks)
