"""How many children at a time this machine can hold: cores, the container's CPU quota and free memory decide."""

import os
from contextlib import suppress
from pathlib import Path

from gasp_env.types import Limits

__all__ = ("default_slots", "free_memory", "slot_bounds")

_MEMORY_SHARE = 0.5
"""Of what is free; the rest is the trainer's."""
_CGROUP = Path("/sys/fs/cgroup")


def default_slots() -> int:
    """The least of `slot_bounds`."""
    return min(slot_bounds().values())


def slot_bounds() -> dict[str, int]:
    """Slots that each resource allows, at least one: one core is left for the trainer."""
    bounds = {"cores": len(os.sched_getaffinity(0)) - 1}
    quota = _cpu_quota()
    if quota is not None:
        bounds["cpu quota"] = int(quota)
    free = free_memory()
    if free is not None:
        bounds["memory"] = int(free * _MEMORY_SHARE / (Limits().memory_mb << 20))
    return {name: max(1, bound) for name, bound in bounds.items()}


def free_memory() -> int | None:
    """Bytes that this container may still use; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
        with suppress(OSError, ValueError):
            most = int((_CGROUP / "memory.max").read_text("ascii"))
            free = min(free, most - int((_CGROUP / "memory.current").read_text("ascii")))
        return free
    return None


def _cpu_quota() -> float | None:
    """Cores by cgroup (version 2, then 1); None without a quota."""
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text("ascii").split()
        return int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text("ascii"))
        if quota_us > 0:
            return quota_us / int((_CGROUP / "cpu/cpu.cfs_period_us").read_text("ascii"))
    return None
