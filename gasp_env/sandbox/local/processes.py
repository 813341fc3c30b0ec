"""Finds processes of a pool by the mark in their command line: fork servers, and what must not have outlived a job."""

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ("find_strays", "new_mark")

_COUNTER = itertools.count(1)


def new_mark() -> str:
    """A name for one pool's processes; it shows the pool's process id to whoever looks at a process list."""
    return f"gasp-env-sandbox-of-{os.getpid()}-{next(_COUNTER)}"


def find_strays(mark: str, servers: Iterable[int]) -> frozenset[int]:
    """Processes that are marked, or below a fork server, beside what belongs there.

    A fork server has one child that waits, and at level L3 a first process of its namespace between the two.

    Args:
        mark: of the pool.
        servers: process ids that were started for it.
    """
    parents = dict(_processes())
    known = set(servers)
    below = set(known)
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    found = {pid for pid in parents if pid in below or _has_mark(pid, mark)}
    for _ in range(2):
        for parent in tuple(known):
            children = [pid for pid in found if parents[pid] == parent]
            known.update(children if len(children) == 1 else ())
    return frozenset(found - known)


def _processes() -> Iterable[tuple[int, int]]:
    """Ids and parents of all processes that can be seen, zombies left out."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                state, parent = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    yield int(entry.name), int(parent)


def _has_mark(pid: int, mark: str) -> bool:
    with suppress(OSError):
        return f'"{mark}"'.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
