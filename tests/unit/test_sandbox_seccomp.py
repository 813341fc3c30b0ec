"""The system-call filter decides as it says, on both machines, in a BPF interpreter; and as one or as two programs."""

import errno

import bpf
import pytest

from gasp_env.errors import SandboxUnavailable
from gasp_env.play import LoopThread
from gasp_env.sandbox import open_local
from gasp_env.sandbox.guest.seccomp import OWN_PID, assemble, inner, outer
from gasp_env.sandbox.guest.syscalls import ALLOW, AUDIT_ARCH, FILES, KILL, NUMBERS

MACHINES = ("x86_64", "aarch64")
EPERM, ENOSYS = bpf.ERRNO | errno.EPERM, bpf.ERRNO | errno.ENOSYS
THREAD = 0x3D0F00
"""Flags that glibc starts a thread with."""
CASES = [
    ("clone", (THREAD,), bpf.ALLOW),
    ("clone", (0x1200011,), bpf.KILL),  # a fork
    ("clone", (0x4111,), bpf.KILL),  # a vfork
    *(("clone", (THREAD | flag,), bpf.KILL) for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x80)),
    ("clone3", (0, 88), ENOSYS),
    ("kill", (OWN_PID, 9), bpf.ALLOW),
    ("kill", (1, 9), EPERM),
    ("kill", (0xFFFFFFFF, 9), EPERM),
    ("kill", (0, 9), EPERM),
    ("tgkill", (OWN_PID, 7, 6), bpf.ALLOW),
    ("tgkill", (7, 7, 6), EPERM),
    ("prlimit64", (0, 9, 0, 4096), bpf.ALLOW),
    ("prlimit64", (0, 9, 4096, 0), EPERM),
    ("prlimit64", (0, 9, 1 << 32, 0), EPERM),
    ("socketpair", (1, 1, 0), bpf.ALLOW),
    ("socketpair", (1, 1 | 0x80000, 0), bpf.ALLOW),
    ("socketpair", (1, 2, 0), EPERM),
    ("socketpair", (1, 5, 0), EPERM),
    ("socketpair", (2, 1, 0), EPERM),
    ("sendto", (3, 4096, 1, 0, 0, 0), bpf.ALLOW),
    ("sendto", (3, 4096, 1, 0, 4096, 16), EPERM),
    ("sendto", (3, 4096, 1, 0, 1 << 40, 16), EPERM),
    ("ioctl", (0, 0x5401), bpf.ALLOW),
    ("ioctl", (0, 0x5412), EPERM),  # TIOCSTI types into a terminal
    ("ioctl", (0, 0x8901), EPERM),  # FIOSETOWN
    ("fcntl", (3, 1, 0), bpf.ALLOW),
    ("fcntl", (3, 8, 1), EPERM),  # F_SETOWN
    ("fcntl", (3, 10, 9), EPERM),  # F_SETSIG
    ("prctl", (15,), bpf.ALLOW),
    ("prctl", (1, 0), EPERM),  # the signal of the parent's death
    ("prctl", (22, 2), EPERM),
    ("prctl", (4, 1), EPERM),  # dumpable
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "args", "answer"), CASES, ids=str)
def test_arguments_count(machine, name, args, answer):
    program = assemble(machine, files=True)
    assert bpf.run(program, arch=AUDIT_ARCH[machine], number=NUMBERS[machine][name], args=args) == answer


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("files", [True, False])
def test_every_name_gets_its_answer(machine, files):
    program, numbers = assemble(machine, files=files), NUMBERS[machine]
    for names, answer in ((ALLOW, bpf.ALLOW), (KILL, bpf.KILL), (FILES, bpf.ALLOW if files else EPERM)):
        for name in names:
            if name in numbers and (files or name != "newfstatat"):
                assert bpf.run(program, arch=AUDIT_ARCH[machine], number=numbers[name]) == answer, name
    if not files:  # glibc's fstat needs newfstatat with AT_EMPTY_PATH
        number = numbers["newfstatat"]
        assert bpf.run(program, arch=AUDIT_ARCH[machine], number=number, args=(3, 1, 1, 0x1000)) == bpf.ALLOW
        assert bpf.run(program, arch=AUDIT_ARCH[machine], number=number, args=(3, 1, 1, 0)) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_what_nobody_named_is_refused(machine):
    known, program = set(NUMBERS[machine].values()), assemble(machine, files=True)
    for number in set(range(600)) - known:
        assert bpf.run(program, arch=AUDIT_ARCH[machine], number=number) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_other_machines_are_killed(machine):
    program = assemble(machine, files=True)
    for arch in (0x40000003, 0x40000028, *AUDIT_ARCH.values()):
        answer = bpf.run(program, arch=arch, number=NUMBERS[machine]["getpid"])
        assert answer == (bpf.ALLOW if arch == AUDIT_ARCH[machine] else bpf.KILL)


def test_x32_is_killed():
    program = assemble("x86_64", files=True)
    for number in (0x40000000, 0x40000000 + 39, 0xFFFFFFFF):
        assert bpf.run(program, arch=AUDIT_ARCH["x86_64"], number=number) == bpf.KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("files", [True, False])
def test_two_programs_decide_as_one(machine, files):
    """The part that a child inherits and the part that it adds are together the whole filter."""
    whole, parts = assemble(machine, files=files), (outer(machine, files=files), inner(machine))
    calls = [(number, ()) for number in range(500)]
    calls += [(NUMBERS[machine][name], args) for name, args, _ in CASES]
    calls += [(number, (value,) * 6) for number in NUMBERS[machine].values() for value in (1, OWN_PID, (1 << 40) + 22)]
    for arch in AUDIT_ARCH.values():
        for number, args in calls:
            answers = [bpf.run(part, arch=arch, number=number, args=args) for part in parts]
            assert bpf.strictest(*answers) == bpf.run(whole, arch=arch, number=number, args=args), (number, args)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("files", [True, False])
def test_programs_are_well_formed(machine, files):
    """As the kernel checks them: short enough, every jump forward and inside, the last line an answer."""
    for program in (assemble(machine, files=files), outer(machine, files=files), inner(machine)):
        lines = bpf.instructions(program)
        assert len(lines) < 4096
        assert lines[-1][0] == bpf.RETURN
        for at, (code, yes, no, value) in enumerate(lines):
            assert code in (bpf.LOAD, bpf.EQUAL, bpf.AT_LEAST, bpf.AND, bpf.RETURN)
            assert code == bpf.RETURN or at + 1 + max(yes, no) < len(lines)
            if code == bpf.LOAD:
                assert value % 4 == 0
                assert value < 64


def test_numbers_are_distinct():
    for numbers in NUMBERS.values():
        assert len(set(numbers.values())) == len(numbers)
    assert not set(ALLOW) & set(KILL)
    assert {"open", "fork", "stat", "dup2", "pipe", "poll"}.isdisjoint(NUMBERS["aarch64"])


@pytest.mark.parametrize(("platform", "word"), [("win32", "Windows"), ("darwin", "macOS")])
def test_other_systems_are_refused_with_a_word(monkeypatch, platform, word):
    monkeypatch.setattr("sys.platform", platform)
    with LoopThread() as loop, pytest.raises(SandboxUnavailable, match=word):
        loop.run(open_local(require="L0", allow_unsafe=True))
