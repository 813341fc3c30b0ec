"""The system-call filter: an allow-list in classic BPF, assembled here, for x86_64 and aarch64.

Default is EPERM, so that ``try: import socket`` style code lives on; calls that no honest program makes kill the process
(SIGSYS, verdict ``forbidden``); the other machine's calls and x32 kill too. Allowed calls carry checks of their arguments
where these matter: threads but no processes, limits read but not raised, signals to oneself only, no socket but a
connected stream pair (asyncio needs one), and ``sendto`` without an address.

The kernel works long on a long filter, so it is split: `outer` holds the fork server too and is inherited, `inner` takes from
a child what only the fork server may do. The kernel applies both, the stricter answer counts; together they are `assemble`.
"""

import ctypes
import errno
import struct
from collections.abc import Iterable
from typing import NamedTuple

from gasp_env.sandbox.guest.kernel import call
from gasp_env.sandbox.guest.syscalls import ALLOW, AUDIT_ARCH, FILES, KILL, NUMBERS

__all__ = ("OWN_PID", "Filter", "assemble", "inner", "install", "outer")

OWN_PID = 0x7FEDCBA9
"""Stands for the process's own id in a filter."""

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_DO_ALLOW, _DO_KILL, _DO_ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _DO_ERRNO | errno.EPERM
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_CLONE_NEW = 0x7E020080
"""Every namespace."""
_ANY = 0xFFFFFFFF


class _Check(NamedTuple):
    """One 32-bit half of an argument, masked, must be one of ``values``."""

    arg: int
    values: tuple[int, ...]
    mask: int = _ANY
    high: bool = False


class _Rule(NamedTuple):
    checks: tuple[_Check, ...]
    otherwise: int = _REFUSE


def _null(arg: int) -> tuple[_Check, ...]:
    return _Check(arg, (0,)), _Check(arg, (0,), high=True)


_PRCTL = (15, 16, 0x53564D41)
"""Names of threads and of memory areas."""
_RULES = {
    "clone": _Rule((_Check(0, (_CLONE_THREAD,), mask=_CLONE_THREAD | _CLONE_NEW),), _DO_KILL),
    "prlimit64": _Rule(_null(2)),
    "sendto": _Rule(_null(4)),
    "socketpair": _Rule((_Check(0, (1,)), _Check(1, (1,), mask=0xF))),  # AF_UNIX, SOCK_STREAM
    "ioctl": _Rule((_Check(1, (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)),)),  # TCGETS FIONBIO FIONREAD FIO(N)CLEX
    "fcntl": _Rule((_Check(1, (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1031, 1032)),)),  # no F_SETOWN: it aims signals
    "prctl": _Rule((_Check(0, _PRCTL),)),
    "kill": _Rule((_Check(0, (OWN_PID,)),)),
    "tgkill": _Rule((_Check(0, (OWN_PID,)),)),
}

_FSTAT = _Rule((_Check(3, (0x1000,), mask=0x1000),))
"""Without file access glibc's fstat still needs it, with AT_EMPTY_PATH; a path given too can be looked at, not opened."""


_SERVER = {
    "clone": _Rule(()),
    "prlimit64": _Rule(()),
    "kill": _Rule(()),
    "tgkill": _Rule(()),
    "socketpair": _Rule((_Check(0, (1,)),)),  # AF_UNIX, with packets too
    "prctl": _Rule((_Check(0, (*_PRCTL, 1, 22)),)),  # the parent's death, and the inner filter
}
"""Where the fork server may do more than a child."""
_SERVER_ONLY = ("wait4", "memfd_create", "sendmsg", "pidfd_open", "pidfd_send_signal")
"""System calls that a child may not make at all."""


def assemble(machine: str, *, files: bool) -> bytes:
    """The whole filter of a child, as one program.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        files: allow reading by path (Landlock decides which).

    Raises:
        KeyError: unknown machine.
    """
    return _program(machine, _rules(files=files), (*ALLOW, *(FILES if files else ())), KILL)


def outer(machine: str, *, files: bool) -> bytes:
    """The part that the fork server puts in force for itself and all its children."""
    allowed = (*ALLOW, *_SERVER_ONLY, *(FILES if files else ()))
    killed = [name for name in KILL if name not in _SERVER_ONLY]
    return _program(machine, _rules(files=files) | _SERVER, allowed, killed)


def inner(machine: str) -> bytes:
    """The part that a child adds."""
    numbers = NUMBERS[machine]
    lines = [_op(_LOAD, 0)]
    for name in _SERVER_ONLY:
        lines += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, _DO_KILL if name in KILL else _REFUSE)]
    for name in _SERVER:
        block = _block(_RULES[name])
        lines += [_op(_EQUAL, numbers[name], 0, len(block)), *block]
    return b"".join([*lines, _op(_RETURN, _DO_ALLOW)])


def _rules(*, files: bool) -> dict[str, _Rule]:
    return _RULES if files else _RULES | {"newfstatat": _FSTAT}


def _program(machine: str, rules: dict[str, _Rule], allowed: Iterable[str], killed: Iterable[str]) -> bytes:
    numbers = NUMBERS[machine]
    lines = [_op(_LOAD, 4), _op(_EQUAL, AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _DO_KILL), _op(_LOAD, 0)]
    if machine == "x86_64":
        lines += [_op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _DO_KILL)]
    for names, answer in ((allowed, _DO_ALLOW), (killed, _DO_KILL)):
        for name in names:
            if name in numbers:
                lines += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, answer)]
    lines += [_op(_EQUAL, numbers["clone3"], 0, 1), _op(_RETURN, _DO_ERRNO | errno.ENOSYS)]  # glibc falls back
    for name, rule in rules.items():
        block = _block(rule)
        lines += [_op(_EQUAL, numbers[name], 0, len(block)), *block]
    return b"".join([*lines, _op(_RETURN, _REFUSE)])


def _block(rule: _Rule) -> list[bytes]:
    lines: list[bytes] = []
    for check in rule.checks:
        lines += [_op(_LOAD, 16 + 8 * check.arg + 4 * check.high), _op(_AND, check.mask)]
        count = len(check.values)
        lines += [_op(_EQUAL, value, count - at, 0) for at, value in enumerate(check.values)]
        lines.append(_op(_RETURN, rule.otherwise))
    return [*lines, _op(_RETURN, _DO_ALLOW)]


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Filter:
    """A filter made ready before a fork, so that a child only fills its process id in."""

    def __init__(self, program: bytes) -> None:
        """Copy ``program``, in which `OWN_PID` stands for the process."""
        self._code = ctypes.create_string_buffer(program, len(program))
        mark = struct.pack("<I", OWN_PID)
        self._places = [at for at in range(4, len(program), 8) if program[at : at + 4] == mark]
        self._program = _Program(len(program) // 8, ctypes.cast(self._code, ctypes.c_char_p))
        self._address = ctypes.byref(self._program)

    def install(self, pid: int) -> None:
        """Put it in force for this process, for good; needs no_new_privs.

        Raises:
            OSError: the kernel refuses.
        """
        for place in self._places:
            struct.pack_into("<I", self._code, place, pid)
        call("prctl", 22, 2, self._address, 0, 0)


def install(program: bytes) -> None:
    """Put a filter without `OWN_PID` in force for this process and its children, for good.

    Raises:
        OSError: the kernel refuses.
    """
    Filter(program).install(0)
