"""From frames and the kernel's report to verdicts; how many slots a machine holds."""

import signal
from pathlib import Path

import pytest

from gasp_env.sandbox.guest.wire import FRAME, Cause, FrameKind, Report
from gasp_env.sandbox.local import slots
from gasp_env.sandbox.local.frames import FrameError, FrameReader
from gasp_env.sandbox.local.settle import settle, wall_limit
from gasp_env.types import Limits, Verdict

LIMITS = Limits(cpu_s=1.0, job_cpu_s=2.0, memory_mb=100)
OK, SKIPPED = Verdict.OK, Verdict.SKIPPED


def reader(*values, tests=3, setup=True, ready=True, done=False):
    made = FrameReader(tests=tests, output_bytes=1000)
    kinds = [FrameKind.SETUP] * setup + [FrameKind.READY] * ready
    made.feed(b"".join(FRAME.pack(0, 0, kind) for kind in kinds))
    for index, value in enumerate(values):
        made.feed(FRAME.pack(len(value), index, FrameKind.VALUE) + value)
    if done:
        made.feed(FRAME.pack(0, 0, FrameKind.DONE))
    return made


def report(*, status=0, cause=Cause.EXITED, cpu_s=0.1, max_rss_mb=10.0):
    return Report(1, status, cause, cpu_s, 0.1, max_rss_mb)


def judged(read, told, fault=None, *, stop=False):
    found = settle(read, told, fault, LIMITS, stop=stop)
    return [one.verdict for one in found.outcomes], found.by_us


EXIT_1 = 1 << 8
DEATHS = [
    (report(status=0), Verdict.NO_RESULT),
    (report(status=EXIT_1), Verdict.NO_RESULT),
    (report(status=EXIT_1, max_rss_mb=95.0), Verdict.MEMORY),
    (report(status=signal.SIGSEGV), Verdict.RUNTIME_ERROR),
    (report(status=signal.SIGABRT), Verdict.RUNTIME_ERROR),
    (report(status=signal.SIGSYS), Verdict.FORBIDDEN),
    (report(status=signal.SIGXFSZ), Verdict.OUTPUT_LIMIT),
    (report(status=signal.SIGKILL), Verdict.MEMORY),
    (report(status=signal.SIGKILL, cpu_s=2.5), Verdict.TIMEOUT),
    (report(status=signal.SIGXCPU, cpu_s=2.5), Verdict.TIMEOUT),
    (report(status=signal.SIGKILL, cause=Cause.CPU), Verdict.TIMEOUT),
    (report(status=signal.SIGKILL, cause=Cause.WALL), Verdict.TIMEOUT),
]


@pytest.mark.parametrize(("told", "verdict"), DEATHS, ids=range(len(DEATHS)))
def test_a_death_is_the_next_tests(told, verdict):
    """The tests behind it are due in another child."""
    assert judged(reader(b"i1;"), told) == ([OK, verdict], False)
    assert judged(reader(b"i1;"), told, stop=True) == ([OK, verdict, SKIPPED], False)
    assert judged(reader(ready=False), told) == ([verdict] * 3, False)  # it died while loading: every test does


@pytest.mark.parametrize("cause", [Cause.JOB_CPU, Cause.JOB_WALL])
def test_a_spent_budget_skips_the_rest(cause):
    assert judged(reader(b"i1;"), report(cause=cause)) == ([OK, Verdict.TIMEOUT, SKIPPED], False)


def test_what_was_never_set_up_is_our_failure():
    assert judged(reader(setup=False, ready=False), report()) == ([Verdict.SANDBOX_FAILURE] * 3, True)
    assert judged(reader(b"i1;"), report(cause=Cause.FAILED)) == ([Verdict.SANDBOX_FAILURE] * 3, True)


def test_nothing_of_a_forger_counts():
    broken = FrameError(Verdict.PROTOCOL_ERROR, "unknown kind of frame")
    assert judged(reader(b"i1;"), report(), broken) == ([Verdict.PROTOCOL_ERROR] * 3, False)
    flood = FrameError(Verdict.OUTPUT_LIMIT, "too much")
    assert judged(reader(b"i1;"), report(cause=Cause.KILLED), flood) == ([OK] + [Verdict.OUTPUT_LIMIT] * 2, False)
    assert judged(reader(b"i1;", done=True), report()) == ([OK] + [Verdict.PROTOCOL_ERROR] * 2, False)


def test_whole_jobs_are_whole():
    assert judged(reader(b"i1;", b"N", b"T", done=True), report()) == ([OK] * 3, False)


def test_the_clock_is_wider_than_the_cpu_limit():
    assert wall_limit(6.0) == 14.0


def machine(tmp_path, monkeypatch, **files):
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    monkeypatch.setattr(slots, "_CGROUP", tmp_path)
    monkeypatch.setattr(slots.os, "sched_getaffinity", lambda _: range(9))


def test_slots_follow_cores_quota_and_memory(tmp_path, monkeypatch):
    machine(tmp_path, monkeypatch, cpu_max="max 100000")
    assert slots.slot_bounds()["cores"] == 8 and "cpu quota" not in slots.slot_bounds()
    machine(tmp_path, monkeypatch, cpu_max="350000 100000", memory_max=str(4 << 30), memory_current="0")
    assert slots.slot_bounds()["cpu quota"] == 3
    assert slots.slot_bounds()["memory"] <= 2
    assert slots.default_slots() == min(slots.slot_bounds().values())
    machine(tmp_path, monkeypatch, cpu_max="10000 100000", memory_max="1", memory_current="0")
    assert set(slots.slot_bounds().values()) == {8, 1}


def test_slots_without_proc(tmp_path, monkeypatch):
    machine(tmp_path, monkeypatch)
    monkeypatch.setattr(Path, "read_text", lambda *_: (_ for _ in ()).throw(OSError))
    assert slots.free_memory() is None and slots.default_slots() == 8
