"""Resource limits of a child: what the kernel counts, whatever the program does."""

import os
import resource
import sys

__all__ = ("address_space", "fixed", "of_job")

_FILES = 64
_STACK = 64 << 20
_OF_JOB = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
_HARD = [sys.maxsize] * len(_OF_JOB)


def fixed() -> None:
    """Limits that are the same for every job; those of a job can't be above what the system gives."""
    for kind, most in ((resource.RLIMIT_NOFILE, _FILES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_STACK, _STACK)):
        value = min(most, _hard(kind))
        resource.setrlimit(kind, (value, value))
    _HARD[:] = [_hard(kind) for kind in _OF_JOB]


def of_job(memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Limits of one job: address space, CPU seconds, size of any file."""
    for kind, most, hard in zip(_OF_JOB, (memory_bytes, cpu_s, file_bytes), _HARD, strict=True):
        value = min(most, hard)
        resource.setrlimit(kind, (value, value))


def _hard(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def address_space(proc: int) -> int:
    """Bytes of address space in use, then close ``proc``, a descriptor of /proc."""
    opened = os.open("self/statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    text = os.read(opened, 128)
    os.close(opened)
    os.close(proc)
    return int(text.split()[0]) * resource.getpagesize()
