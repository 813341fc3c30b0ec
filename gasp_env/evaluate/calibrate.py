"""Time limits that mean the same on a slow machine: a fixed program is timed in the sandbox first."""

from gasp_env.sandbox.protocol import Sandbox
from gasp_env.types import Job, Limits

__all__ = ("REFERENCE_S", "calibrated_cpu_s")

REFERENCE_S = 0.30
"""CPU seconds of the program below where a limit is taken as it is written."""
_SLOWEST = 8.0
_PROGRAM = """
def f(n):
    total, seen = 0, {}
    for i in range(n):
        total = (total * 31 + i) % 1000003
        seen[total & 4095] = i
        if i % 3 == 0: total ^= len(seen)
    return total
"""
_STEPS = 1_500_000


async def calibrated_cpu_s(sandbox: Sandbox, cpu_s: float, *, runs: int = 3) -> tuple[float, float]:
    """A time limit for this machine.

    Args:
        sandbox: where programs will run.
        cpu_s: the limit on a machine of reference speed.
        runs: timings; the best counts, since others disturb upwards only.

    Returns:
        The limit, never below ``cpu_s``, and how many times slower than the reference this machine is.
    """
    job = Job(program=_PROGRAM, inputs=(str(_STEPS),), limits=Limits(cpu_s=30, job_cpu_s=60))
    times = [(await sandbox.run([job]))[0].cpu_s for _ in range(runs)]
    factor = min(_SLOWEST, max(0.1, min(times) / REFERENCE_S))
    return cpu_s * max(1.0, factor), factor
