"""The container backend, with a stand-in for the engine that checks its options and runs the agent on this machine."""

import asyncio
import os
import sys

import pytest

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox import Sandbox, open_sandbox
from gasp_env.sandbox.container import ContainerSettings, open_container
from gasp_env.types import Job, Verdict

ENGINE = """#!{python}
import os, sys
words = sys.argv[1:]
assert words[:3] == ["run", "--rm", "-i"], words
for wall in ("--network=none", "--read-only", "--cap-drop=ALL", "--user=65534:65534", "--security-opt=no-new-privileges"):
    assert wall in words, wall
(volume,) = (word for word in words if word.startswith("--volume="))
path, inside, mode = volume.removeprefix("--volume=").split(":")
assert mode == "ro"
words = words[words.index("some-image") + 1:]
faults = "{faults}"
if words[-3] != "-" and os.path.exists(faults):
    left = open(faults).read().split()
    if left:
        open(faults, "w").write(" ".join(left[1:]))
        print(left[0])
        sys.exit(left[0] == "137" and 137)
os.execv(sys.executable, [sys.executable, *(path if word == inside else word for word in words[1:])])
"""
JOBS = [Job(program=f"def f(x): return x + {n}", inputs=("1",)) for n in range(5)]


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "engine"
    path.write_text(ENGINE.format(python=sys.executable, faults=tmp_path / "faults"))
    path.chmod(0o755)
    return path


def play(engine, jobs, **changes):
    async def main():
        settings = ContainerSettings(
            **({"engine": str(engine), "image": "some-image", "batch": 3, "slots": 1} | changes)
        )
        async with await open_container(settings) as sandbox:
            assert isinstance(sandbox, Sandbox)
            assert sandbox.report.backend == "container" and sandbox.report.level in ("L3", "L2")
            return await sandbox.run(jobs)

    return asyncio.run(main())


def test_jobs_run_in_batches(engine):
    assert [outcome.tests[0].value for outcome in play(engine, JOBS)] == ["i1;", "i2;", "i3;", "i4;", "i5;"]


@pytest.mark.parametrize("fault", ["137", "garbage"])
def test_faults_are_tried_again_then_masked(engine, fault):
    faults = engine.with_name("faults")
    faults.write_text(fault)
    assert [outcome.tests[0].value for outcome in play(engine, JOBS[:2])] == ["i1;", "i2;"]
    faults.write_text(f"{fault} {fault}")
    assert {outcome.tests[0].verdict for outcome in play(engine, JOBS[:2])} == {Verdict.SANDBOX_FAILURE}


def test_what_is_not_there_is_said(engine):
    with pytest.raises(SandboxUnavailable, match="no-such-engine"):
        play("no-such-engine", JOBS)
    with pytest.raises(SandboxUnavailable, match="L9"):
        play(engine, JOBS, level="L9")


@pytest.mark.skipif("GASP_ENV_CONTAINER" not in os.environ, reason="GASP_ENV_CONTAINER names no engine and image")
def test_a_real_engine():
    """For example ``GASP_ENV_CONTAINER=podman:python:3.13-slim``."""

    async def main():
        sandbox = await open_sandbox(os.environ["GASP_ENV_CONTAINER"])
        try:
            return sandbox.report.level, await sandbox.run(JOBS)
        finally:
            await sandbox.close()

    level, outcomes = asyncio.run(main())
    assert level in ("L3", "L2")
    assert [outcome.tests[0].value for outcome in outcomes] == ["i1;", "i2;", "i3;", "i4;", "i5;"]
