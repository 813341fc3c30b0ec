"""Runs attacks and looks at the host afterwards: canary file, listeners, environment, processes, descriptors, the next job.

The law of this module: an attack is held only if nothing of the host changed or leaked, the verdict is one that the attack
may have, no secret expected value was met, and an honest job on the same sandbox is right afterwards.
"""

import ctypes
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gasp_env.sandbox.corpus.record import Attack
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.types import Job, JobOutcome, Verdict

__all__ = ("Finding", "HostWatch", "run_attack", "run_corpus")

_SLACK_S = 3.0
"""Beyond its wall limit, for the machine to be busy."""
_HONEST = "import difflib\ndef f(x):\n    return sorted([x, 1, len('ab')])"
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
        found = [] if self._state() == self._before else ["the canary's folder changed"]
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
    """Run one attack and look at the host."""
    job = Job(program=watch.aim(attack.program), inputs=attack.inputs, style=attack.style, limits=attack.limits)
    processes, descriptors, began = _descendants(), _descriptors(), time.monotonic()
    (outcome,) = await sandbox.run([job])
    wall = time.monotonic() - began
    problems = [*_judge(attack, outcome, watch.secret), *watch.effects()]
    if wall > 2 * attack.limits.job_cpu_s + 4 * len(attack.inputs) + _SLACK_S:
        problems.append(f"it took {wall:.1f} s")
    (honest,) = await sandbox.run([Job(program=_HONEST, inputs=("3", "0"))])
    if [one.value for one in honest.tests] != ["[i1;,i2;,i3;]", "[i0;,i1;,i2;]"]:
        problems.append(f"the next job went wrong: {honest.tests[0].verdict} {honest.tests[0].error}")
    if _descendants() > processes:
        problems.append("a process was left")
    if _descriptors() > descriptors:
        problems.append("a descriptor was left open in the host process")
    return Finding(
        attack=attack,
        verdicts=tuple(dict.fromkeys(one.verdict for one in outcome.tests)),
        detail=outcome.tests[0].error,
        problems=tuple(problems),
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
    await sandbox.run([Job(program=_HONEST, inputs=("1",), hash_seed=seed) for seed in (0, 1)])
    for attack in attacks:
        with HostWatch() as watch:
            findings.append(await run_attack(sandbox, attack, watch))
        if progress:
            progress(findings[-1])
    return findings


def _judge(attack: Attack, outcome: JobOutcome, secret: str) -> list[str]:
    found: list[str] = []
    for one in outcome.tests:
        if one.verdict not in attack.allowed:
            found.append(f"ended as {one.verdict} ({one.error}: {one.message})")
        said = f"{one.value} {one.stdout} {one.error} {one.message}"
        if secret in said or secret.encode().hex() in said:
            found.append("it read a canary")
    return list(dict.fromkeys(found))


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


def _descendants() -> int:
    """Processes below this one, zombies left out."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            fields = _stat(place)
            if fields and fields[0] != "Z":
                parents[int(place.name)] = int(fields[1])
    mine, count = {os.getpid()}, -1
    while len(mine) > count:
        count = len(mine)
        mine |= {pid for pid, parent in parents.items() if parent in mine}
    return count - 1


def _stat(place: Path) -> list[str]:
    try:
        return (place / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
