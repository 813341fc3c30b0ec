"""Runs attacks and looks at the host afterwards: canary file, listeners, environment, processes, descriptors, the next job.

The law of this module: an attack is held only if nothing of the host changed or leaked, the verdict is one that the attack
may have, no secret expected value was met, and an honest job on the same sandbox is right afterwards.
"""

import asyncio
import ctypes
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gasp_env.sandbox.corpus.record import Attack
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.types import InputStyle, Job, JobOutcome, Limits, TestOutcome, Verdict
from gasp_env.values import CompareMode, encode, equal

__all__ = ("PREVIOUS", "Finding", "HostWatch", "run_attack", "run_corpus")

_SLACK_S = 3.0
"""Beyond its wall limit, for the machine to be busy."""
_STALL_S = 2.0
"""A host whose event loop stands still for longer was attacked."""
_LONG = 1 << 14
"""No text of this length is the secret; decoding it would only take time."""
PREVIOUS = f"PREVIOUS-JOB-{secrets.token_hex(12)}"
"""An input of every honest job, which no later job may find."""
_HONEST = """
import builtins, decimal, difflib, json, locale, math, os, random, sys, threading
def f(x):
    return [
        x, len("ab"), sorted([3, 1, 2]), math.sqrt(4), json.loads("[1]"), dict(os.environ), random.random(),
        decimal.getcontext().prec, sys.getrecursionlimit(), threading.active_count(), len(sys.meta_path), len(dir(builtins)),
    ]
"""
_IPC_CREAT, _IPC_RMID = 0o1000, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one attack came to."""

    attack: Attack
    verdicts: tuple[Verdict, ...]
    """Distinct, in order of the tests."""
    detail: str
    """Exception, signal or cause of the first test."""
    problems: tuple[str, ...]
    """What got through; empty if the attack was held."""


class HostWatch:
    """Canaries in the host that attacks go for. A context manager; one thread."""

    def __init__(self) -> None:
        """Nothing is set out yet."""
        self.secret = secrets.token_hex(12)
        """In the canary file, the environment and shared memory: must never come out."""
        self.mark = secrets.token_hex(12)
        """What an attack tries to leave behind."""
        self._variable = f"GASP_ENV_CANARY_{secrets.token_hex(4)}"
        self._folder = tempfile.TemporaryDirectory(prefix="gasp-env-check-")
        self._sockets = {
            "TCP": socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            "UDP": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "UNIX": socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        }
        self._shared = -1

    def __enter__(self) -> Self:
        """Set the canaries out."""
        self.folder = Path(self._folder.name).resolve()
        self.file = self.folder / "canary"
        self.file.write_text(self.secret)
        self._before = self._state()
        os.environ[self._variable] = self.secret
        abstract = f"gasp-env-{secrets.token_hex(6)}"
        self._sockets["UNIX"].bind(f"\0{abstract}")
        for name in ("TCP", "UDP"):
            self._sockets[name].bind(("127.0.0.1", 0))
        for name in ("TCP", "UNIX"):
            self._sockets[name].listen()
        for one in self._sockets.values():
            one.settimeout(0)
        self._shared = _shared_memory(self.secret.encode())
        ports = {name: str(self._sockets[name].getsockname()[1]) for name in ("TCP", "UDP")}
        self._words = ports | {
            "UNIX": abstract,
            "FILE": str(self.file),
            "DIR": str(self.folder),
            "ENV": self._variable,
            "PID": str(os.getpid()),
            "SHM": str(self._shared),
            "MARK": self.mark,
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take them in."""
        os.environ.pop(self._variable, None)
        for one in self._sockets.values():
            one.close()
        if self._shared >= 0:
            ctypes.CDLL(None).shmctl(self._shared, _IPC_RMID, None)
        self._folder.cleanup()

    def aim(self, program: str) -> str:
        """Put the canaries' names into an attack."""
        for name, word in self._words.items():
            program = program.replace(f"@{name}@", word)
        return program

    def effects(self) -> list[str]:
        """What happened to the canaries since they were set out."""
        try:
            changed = self._state() != self._before
        except OSError:  # no longer what it was
            changed = True
        found = ["the canary's folder changed"] if changed else []
        for name, one in self._sockets.items():
            if _contacted(one):
                found.append(f"the {name} listener was reached")
        left = [where for where in ("/tmp", "/dev/shm") if (Path(where) / self.mark).exists()]  # noqa: S108
        return found + [f"a file was left in {where}" for where in left]

    def _state(self) -> tuple[tuple[str, str, int, int], ...]:
        found = sorted(self.folder.iterdir())
        return tuple(
            (one.name, one.read_text(errors="replace"), one.stat().st_mode, one.stat().st_mtime_ns) for one in found
        )


async def run_attack(sandbox: Sandbox, attack: Attack, watch: HostWatch) -> Finding:
    """Run one attack between two honest jobs and look at the host."""
    honest = await _honest(sandbox)
    job = Job(program=watch.aim(attack.program), inputs=attack.inputs, style=attack.style, limits=attack.limits)
    descriptors, began = _descriptors(), time.monotonic()
    with _stalls() as stalls:
        outcomes = [(await sandbox.run([replace(job, hash_seed=lane)]))[0] for lane in range(1 + attack.lanes)]
    wall = time.monotonic() - began
    problems = [one for outcome in outcomes for one in _judge(attack, outcome, watch.secret)] + watch.effects()
    if attack.lanes and outcomes[0].tests == outcomes[1].tests:
        problems.append("it passed as deterministic")
    if wall > len(outcomes) * (2 * attack.limits.job_cpu_s + 2) + _SLACK_S:
        problems.append(f"it took {wall:.1f} s")
    if max(stalls) > _STALL_S:
        problems.append(f"the host stood still for {max(stalls):.1f} s")
    if await _honest(sandbox) != honest:
        problems.append("the next job went wrong")
    if await _strays(sandbox):
        problems.append("a process was left")
    if _descriptors() > descriptors:
        problems.append("a descriptor was left open in the host process")
    return Finding(
        attack=attack,
        verdicts=tuple(dict.fromkeys(one.verdict for one in outcomes[0].tests)),
        detail=outcomes[0].tests[0].error,
        problems=tuple(dict.fromkeys(problems)),
    )


async def run_corpus(
    sandbox: Sandbox, attacks: Sequence[Attack], *, progress: Callable[[Finding], None] | None = None
) -> list[Finding]:
    """Run attacks one after the other.

    Args:
        sandbox: open; used for nothing else meanwhile.
        attacks: as a rule `gasp_env.sandbox.corpus.ATTACKS`.
        progress: told of each finding.
    """
    findings: list[Finding] = []
    await sandbox.run([Job(program="def f(x): return x", inputs=("1",), hash_seed=seed) for seed in (0, 1)])
    for attack in attacks:
        with HostWatch() as watch:
            findings.append(await run_attack(sandbox, attack, watch))
        if progress:
            progress(findings[-1])
    return findings


async def _honest(sandbox: Sandbox) -> list[tuple[Verdict, str | None]]:
    """What an honest job says of its interpreter: the same before and after an attack."""
    job = Job(program=_HONEST, inputs=(repr(PREVIOUS), "0"), limits=Limits(cpu_s=5.0, job_cpu_s=5.0))
    (outcome,) = await sandbox.run([job])
    return [(one.verdict, one.value) for one in outcome.tests]


@contextmanager
def _stalls() -> Generator[list[float]]:
    """Seconds between rounds of the event loop, meanwhile."""
    gaps, before = [0.0], time.monotonic()

    async def watch() -> None:
        nonlocal before
        while True:
            await asyncio.sleep(0.02)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()

    task = asyncio.ensure_future(watch())
    try:
        yield gaps
    finally:
        gaps.append(time.monotonic() - before)
        task.cancel()


def _judge(attack: Attack, outcome: JobOutcome, secret: str) -> list[str]:
    found: list[str] = []
    for one in outcome.tests:
        if one.verdict not in attack.allowed:
            found.append(f"ended as {one.verdict} ({one.error}: {one.message})")
        said = f"{one.value} {one.stdout} {one.error} {one.message}"
        if secret in said or secret.encode().hex() in said:
            found.append("it read a canary")
        if PREVIOUS in said:
            found.append("it read the previous job")
        if attack.nothing and one.value not in (None, "[]"):
            found.append(f"it could do {one.value}")
        if _passes(one, attack, secret):
            found.append("it forged a pass")
    return found


def _passes(one: TestOutcome, attack: Attack, secret: str) -> bool:
    """True if it would count as right, under any comparison, where the secret was expected."""
    if one.verdict is not Verdict.OK:
        return False
    if attack.style is InputStyle.STDIN:
        return equal(one.stdout or "", attack.wants or secret, mode=CompareMode.STDOUT)
    if len(one.value or "") > _LONG:
        return False
    modes = (CompareMode.EXACT, CompareMode.PYTHON_EQ, CompareMode.LCB_CALL, CompareMode.CLOSE)
    return any(equal(one.value or "", encode(secret), mode=mode) for mode in modes)


def _contacted(one: socket.socket) -> bool:
    try:
        if one.type == socket.SOCK_DGRAM:
            one.recv(16)
        else:
            one.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _shared_memory(content: bytes) -> int:
    """A private System V segment that any process of this user may attach; -1 where there are none."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = int(libc.shmget(0, ctypes.c_size_t(4096), _IPC_CREAT | 0o666))
    if made < 0:
        return -1
    libc.shmat.restype = ctypes.c_void_p
    here = libc.shmat(made, None, 0)
    ctypes.memmove(here, content, len(content))
    libc.shmdt(ctypes.c_void_p(here))
    return made


@runtime_checkable
class _Local(Protocol):
    def strays(self) -> frozenset[int]: ...


async def _strays(sandbox: Sandbox) -> frozenset[int]:
    """Processes on this machine that no backend started for good; one that was killed may take a moment to go."""
    found: frozenset[int] = frozenset()
    for _ in range(40):
        found = sandbox.strays() if isinstance(sandbox, _Local) else found
        if not found:
            break
        await asyncio.sleep(0.05)
    return found


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
