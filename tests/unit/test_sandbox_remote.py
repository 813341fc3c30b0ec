"""Jobs and outcomes on a wire: whole where honest, refused where the far end lies; the archive runs on a bare Python."""

import asyncio
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gasp_env.errors import ConfigError, SandboxUnavailable
from gasp_env.sandbox import open_sandbox
from gasp_env.sandbox.remote.archive import archive
from gasp_env.sandbox.remote.codec import WireError, dump_jobs, dump_outcome, load_jobs, load_outcomes
from gasp_env.types import InputStyle, Job, JobOutcome, Limits, TestOutcome, Verdict

CALL = Job(program="def f(x): return x\ud800", inputs=("1", "2"), limits=Limits(output_bytes=99))
SCRIPT = Job(program="print(1)", inputs=("é",), style=InputStyle.STDIN, hash_seed=1, stop_early=True)
CALLED = JobOutcome(
    tests=(
        TestOutcome(verdict=Verdict.OK, value="i1;"),
        TestOutcome(verdict=Verdict.RUNTIME_ERROR, error="ValueError", message="no", line=3),
    ),
    cpu_s=0.5,
    level="L3",
    python="3.12.1",
)
PRINTED = JobOutcome(tests=(TestOutcome(verdict=Verdict.OK, stdout="1\n"),))


def lines(*outcomes):
    return "\n".join(dump_outcome(place, outcome) for place, outcome in enumerate(outcomes))


def test_jobs_and_outcomes_come_back_whole():
    assert load_jobs(dump_jobs([CALL, SCRIPT])) == [CALL, SCRIPT]
    text = "\n".join(reversed(lines(CALLED, PRINTED).split("\n")))
    assert load_outcomes(text, [CALL, SCRIPT]) == [CALLED, PRINTED]


def changed(**facts):
    return json.dumps(json.loads(dump_outcome(0, CALLED)) | facts)


def test_of(**facts):
    return changed(tests=[{"verdict": "ok", "value": "i1;"} | facts, {"verdict": "ok", "value": "i1;"}])


test_of.__test__ = False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "nonsense",
        "[" * 100_000,
        changed(place=1),
        changed(place=True),
        changed(place="0"),
        changed() + "\n" + changed(),
        changed(tests=[]),
        changed(tests="ok"),
        changed(tests=[1, 2]),
        changed(cpu_s="much"),
        changed(cpu_s=-1),
        changed(wall_s=1e400),
        test_of(verdict="wrong"),
        test_of(verdict="fine"),
        test_of(verdict=["ok"]),
        test_of(value=1),
        test_of(value="<i2;,i1;>"),
        test_of(value='s"' + "a" * 99 + '"'),
        test_of(stdout="a function does not print"),
    ],
    ids=range(22),
)
def test_lies_are_refused(text):
    with pytest.raises(WireError):
        load_outcomes(text, [CALL])


def test_texts_are_made_safe():
    (outcome,) = load_outcomes(test_of(error="\ud800" * 200, message={"a": 1}, line=1 << 40), [CALL])
    assert (outcome.tests[0].error, outcome.tests[0].message, outcome.tests[0].line) == ("?" * 80, "", None)


@given(
    st.text()
    | st.recursive(
        st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    ).map(json.dumps)
)
def test_any_text_is_read_or_refused(text):
    with pytest.raises(WireError):
        load_outcomes(text, [CALL])


def test_the_archive_runs_on_a_bare_interpreter(tmp_path):
    assert archive() == archive.__wrapped__()
    (tmp_path / "agent.pyz").write_bytes(archive())
    (tmp_path / "jobs.json").write_text(dump_jobs([CALL, SCRIPT]))
    command = [sys.executable, "-I", "-S", str(tmp_path / "agent.pyz")]
    done = subprocess.run(
        [*command, str(tmp_path / "jobs.json"), "L0", "1"], capture_output=True, text=True, check=True
    )
    first, second = load_outcomes(done.stdout, [CALL, SCRIPT])
    assert first.tests[0].error == "UnicodeEncodeError"
    assert second.tests[0].stdout == "1\n"
    refused = subprocess.run([*command, "-", "L9", "1"], capture_output=True, text=True, check=False)
    assert refused.returncode == 3 and "L9" in json.loads(refused.stdout)["error"]


@pytest.mark.parametrize("name", ["firejail", "local:image", "e2b:image", "prime:image", ""])
def test_a_backend_that_is_not_there_is_named(name):
    with pytest.raises(ConfigError, match="choose local, ray, e2b, prime, docker, podman, fusion"):
        asyncio.run(open_sandbox(name))


def test_an_engine_that_is_not_there_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxUnavailable, match="podman can't be used: FileNotFoundError"):
        asyncio.run(open_sandbox("podman:python:3.13", slots=1))
