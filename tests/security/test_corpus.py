"""Every attack of the cheat suite, at every level that gives isolation: nothing gets through."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gasp_env.errors import SandboxUnavailable
from gasp_env.play import LoopThread
from gasp_env.sandbox import open_local
from gasp_env.sandbox.corpus import ATTACKS, HostWatch, run_attack
from gasp_env.types import Job

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["L3", "L2", "L1"])
def held(request):
    """A warm sandbox at one level, and the loop it lives on."""
    with LoopThread() as loop:
        try:
            sandbox = loop.run(open_local(level=request.param, require="L1", slots=1))
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        warm = [Job(program="def f(x): return x", inputs=("1",), hash_seed=seed) for seed in (0, 1)]
        loop.run(sandbox.run(warm))
        yield loop, sandbox
        loop.run(sandbox.close())


WAIT = ("D10", "E3", "E6", "E6b", "E6c", "E10", "F7f", "F14")
"""These sit until a wall limit ends them."""


@pytest.mark.parametrize(
    "attack",
    [pytest.param(one, id=one.id, marks=[pytest.mark.slow] * (one.id in WAIT)) for one in ATTACKS],
)
def test_nothing_gets_through(held, attack):
    loop, sandbox = held
    with HostWatch() as watch:
        finding = loop.run(run_attack(sandbox, attack, watch))
    assert finding.problems == ()


def test_the_suite_notices_what_gets_through():
    """Without isolation the same attacks show: the canaries are live."""

    async def main():
        async with await open_local(level="L0", require="L0", slots=1) as sandbox:
            await sandbox.run([Job(program="def f(x): return x", inputs=("1",))])
            found = {}
            for attack in ATTACKS:
                if attack.id in ("C7", "H1", "H2", "H3"):
                    with HostWatch() as watch:
                        found[attack.id] = (await run_attack(sandbox, attack, watch)).problems
            return found

    found = asyncio.run(main())
    assert found["C7"] == ()  # the environment is scrubbed at every level
    assert all(any("listener was reached" in one for one in found[name]) for name in ("H1", "H2", "H3"))


CODE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from gasp_env.sandbox import open_local
from gasp_env.sandbox.corpus import ATTACKS, run_corpus
async def main():
    async with await open_local(require="L2", slots=1) as sandbox:
        found = await run_corpus(sandbox, ATTACKS)
        print([(one.attack.id, one.problems) for one in found if one.problems])
asyncio.run(main())
"""


def readable_python():
    """An interpreter that every user may run."""
    for path in (sys.executable, *(f"/usr/bin/python3.{minor}" for minor in (13, 12, 11))):
        real = Path(path).resolve()
        if real.exists() and all(part.stat().st_mode & 0o5 == 0o5 for part in (real, *real.parents)):
            return path
    pytest.skip("no Python that other users can run")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_an_unprivileged_user_is_held_too():
    """As nobody, without any capability, as in most GPU containers."""
    python = readable_python()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(ROOT / "gasp_env", Path(folder) / "gasp_env", ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [python, "-B", "-c", CODE, folder],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.environ["PATH"]},
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
