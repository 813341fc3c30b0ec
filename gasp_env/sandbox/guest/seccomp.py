"""The system-call filter: an allow-list in classic BPF, assembled here, for x86_64 and aarch64.

Default is EPERM, so that ``try: import socket`` style code lives on; calls that no honest program makes kill the process
(SIGSYS, verdict ``forbidden``); the other machine's calls and x32 kill too. Allowed calls carry checks of their arguments
where these matter: threads but no processes, limits read but not raised, signals to oneself only, no socket but a
connected stream pair (asyncio needs one), and ``sendto`` without an address.
"""

import ctypes
import errno
import struct
from typing import NamedTuple

from gasp_env.sandbox.guest.kernel import call
from gasp_env.sandbox.guest.syscalls import ALLOW, AUDIT_ARCH, FILES, KILL, NUMBERS

__all__ = ("OWN_PID", "assemble", "for_pid", "install")

OWN_PID = 0x7FEDCBA9
"""Stands for the process's own id until `for_pid`."""

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_DO_ALLOW, _DO_KILL, _DO_ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _DO_ERRNO | errno.EPERM
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
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


_RULES = {
    "clone": _Rule((_Check(0, (_CLONE_THREAD,), mask=_CLONE_THREAD),), _DO_KILL),
    "prlimit64": _Rule(_null(2)),
    "sendto": _Rule(_null(4)),
    "socketpair": _Rule((_Check(0, (1,)), _Check(1, (1,), mask=0xF))),  # AF_UNIX, SOCK_STREAM
    "ioctl": _Rule((_Check(1, (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)),)),  # TCGETS FIONBIO FIONREAD FIO(N)CLEX
    "fcntl": _Rule((_Check(1, (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1031, 1032)),)),  # no F_SETOWN: it aims signals
    "prctl": _Rule((_Check(0, (15, 16, 0x53564D41)),)),  # names of threads and of memory areas
    "kill": _Rule((_Check(0, (OWN_PID,)),)),
    "tgkill": _Rule((_Check(0, (OWN_PID,)),)),
}

_FSTAT = _Rule((_Check(3, (0x1000,), mask=0x1000),))
"""Without file access glibc's fstat still needs it, with AT_EMPTY_PATH; a path given too can be looked at, not opened."""


def assemble(machine: str, *, files: bool) -> bytes:
    """The filter's program.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        files: allow reading by path (Landlock decides which).

    Raises:
        KeyError: unknown machine.
    """
    numbers = NUMBERS[machine]
    lines = [_op(_LOAD, 4), _op(_EQUAL, AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _DO_KILL), _op(_LOAD, 0)]
    if machine == "x86_64":
        lines += [_op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _DO_KILL)]
    for name in [*ALLOW, *(FILES if files else ())]:
        if name in numbers:
            lines += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, _DO_ALLOW)]
    for name in KILL:
        if name in numbers:
            lines += [_op(_EQUAL, numbers[name], 0, 1), _op(_RETURN, _DO_KILL)]
    lines += [_op(_EQUAL, numbers["clone3"], 0, 1), _op(_RETURN, _DO_ERRNO | errno.ENOSYS)]  # glibc falls back
    rules = _RULES if files else _RULES | {"newfstatat": _FSTAT}
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


def for_pid(program: bytes, pid: int) -> bytes:
    """The filter for one process."""
    return program.replace(struct.pack("<I", OWN_PID), struct.pack("<I", pid))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Put the filter in force for this process, for good; needs no_new_privs.

    Raises:
        OSError: the kernel refuses.
    """
    call("prctl", 22, 2, ctypes.byref(_Program(len(program) // 8, program)), 0, 0)
