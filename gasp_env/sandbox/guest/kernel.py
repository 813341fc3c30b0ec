"""The few kernel calls that the standard library does not wrap, through ctypes; each raises OSError with its name."""

import ctypes
import os

__all__ = ("call", "die_with_parent", "drop_capabilities", "forget_dumps", "fork", "no_new_privileges", "syscall")

_LIBC = ctypes.CDLL(None, use_errno=True)
_FORK = ctypes.PyDLL(None, use_errno=True).fork
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_V3 = 0x20080522


def call(name: str, *args: object) -> int:
    """Call a function of the C library.

    Raises:
        OSError: it returned -1.
    """
    return _checked(name, getattr(_LIBC, name)(*args))


def syscall(name: str, number: int, *args: object) -> int:
    """Make a system call that the C library may lack.

    Raises:
        OSError: it failed.
    """
    return _checked(name, _LIBC.syscall(ctypes.c_long(number), *args))


def _checked(name: str, result: int) -> int:
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def no_new_privileges() -> None:
    """No exec of this process or its children ever gains a right."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def forget_dumps(*, dumpable: bool = False) -> None:
    """Close /proc/self of this process to others of its user."""
    call("prctl", _PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def die_with_parent(signal: int = 9) -> None:
    """Get ``signal`` when the parent dies."""
    call("prctl", _PR_SET_PDEATHSIG, signal, 0, 0, 0)


def drop_capabilities() -> None:
    """Give every capability up."""
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_V3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def fork() -> int:
    """Fork without Python's hooks (locks, seeds), which a process of one thread does not need and a child would pay for.

    Raises:
        OSError: the system refuses.
    """
    return _checked("fork", int(_FORK()))
