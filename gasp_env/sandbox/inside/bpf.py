"""Assembles the seccomp filter of the sandboxed child as classic BPF. Standard library only, no privilege needed.

wrong architecture, x32 call      -> kill
never honest (`syscalls.KILLED`)  -> kill (SIGSYS: the parent says ``forbidden``)
allowed (`syscalls.ALLOWED`)      -> allow
allowed for some arguments        -> clone: threads only; ioctl: a few; prlimit64: read only; socketpair: AF_UNIX;
                                     tgkill: this process; clone3 -> ENOSYS, so that glibc falls back to clone
everything else                   -> EPERM
"""

import errno
import struct

from syscalls import ALLOWED, ARCHES, KILLED, OPENING  # pyright: ignore  # found beside this file in the child

__all__ = ("ALLOW", "DENY", "KILL", "NOSYS", "assemble")

ALLOW = 0x7FFF0000
KILL = 0x80000000
DENY = 0x00050000 | errno.EPERM
NOSYS = 0x00050000 | errno.ENOSYS

_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGS = 0, 4, 16
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_AF_UNIX = 1
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX

Row = tuple  # (code, jump if true, jump if false, constant)


def assemble(machine: str, *, pid: int, strict: bool = False) -> bytes:
    """The filter program for one child.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        pid: of the child, for ``tgkill`` to itself (``abort``).
        strict: leave out every call that opens or looks at a path (L1).

    Raises:
        KeyError: no table for the machine.
    """
    arch, number = ARCHES[machine]
    rows = [_load(_ARCH), _if_equal(arch, 1, 0), _ret(KILL), _load(_NUMBER), (_JUMP_GE, 0, 1, _X32), _ret(KILL)]
    for name in KILLED:
        rows += _on(number, name, [_ret(KILL)])
    for name in ALLOWED:
        if not (strict and name in OPENING):
            rows += _on(number, name, [_ret(ALLOW)])
    rows += _on(number, "clone", [_load(_ARGS), (_JUMP_SET, 0, 1, _CLONE_THREAD), _ret(ALLOW), _ret(DENY)])
    rows += _on(number, "clone3", [_ret(NOSYS)])
    rows += _on(number, "ioctl", [_load(_ARGS + 8), *_any_of(_IOCTLS)])
    rows += _on(number, "socketpair", [_load(_ARGS), *_any_of((_AF_UNIX,))])
    rows += _on(number, "tgkill", [_load(_ARGS), *_any_of((pid,))])
    pointer = _ARGS + 16
    null = [_load(pointer), _if_equal(0, 0, 3), _load(pointer + 4), _if_equal(0, 0, 1), _ret(ALLOW), _ret(DENY)]
    rows += _on(number, "prlimit64", null)
    rows.append(_ret(DENY))
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def _load(offset):
    return (_LOAD, 0, 0, offset)


def _ret(value):
    return (_RETURN, 0, 0, value)


def _if_equal(value, yes, no):
    return (_JUMP_EQ, yes, no, value)


def _on(number, name, block):
    """Run ``block`` (it ends in a return) where the call is ``name``; nothing where the machine lacks it."""
    return [_if_equal(number[name], 0, len(block)), *block] if name in number else []


def _any_of(values):
    checks = [row for value in values for row in (_if_equal(value, 0, 1), _ret(ALLOW))]
    return [*checks, _ret(DENY)]
