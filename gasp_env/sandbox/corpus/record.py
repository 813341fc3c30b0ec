"""What an attack is: a program, and how it may end. Expected values are random secrets that only the host knows."""

from dataclasses import dataclass, field

from gasp_env.types import InputStyle, Limits, Verdict

__all__ = ("FAULTS", "QUICK", "Attack", "Verdict", "attack")

QUICK = Limits(cpu_s=0.5, job_cpu_s=1.5, memory_mb=256, output_bytes=1 << 20)
FAULTS = frozenset(Verdict) - {Verdict.WRONG, Verdict.SKIPPED, Verdict.SANDBOX_FAILURE}
"""Every way to end but ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack.

    In the program ``@FILE@`` is a canary file, ``@DIR@`` its folder, ``@TCP@``, ``@UDP@`` and ``@UNIX@`` are listeners of the
    host, ``@ENV@`` is a variable of its environment, ``@PID@`` its process, ``@SHM@`` a System V segment of its own,
    ``@MARK@`` a text that a spoiled worker would show the next job.
    """

    id: str
    """Group letter and number, as in docs/sandbox.md."""
    title: str
    program: str
    allowed: frozenset[Verdict] = FAULTS
    """How each of its tests may end."""
    inputs: tuple[str, ...] = ("1",)
    style: InputStyle = InputStyle.LITERAL
    limits: Limits = field(default=QUICK)


def attack(
    name: str,
    title: str,
    program: str,
    *allowed: Verdict,
    inputs: tuple[str, ...] = ("1",),
    style: InputStyle = InputStyle.LITERAL,
    limits: Limits = QUICK,
) -> Attack:
    """Make an attack; with no verdict named, any fault of the program is fine, or a value that proves nothing."""
    return Attack(
        id=name,
        title=title,
        program=program.strip("\n"),
        allowed=frozenset(allowed) or FAULTS,
        inputs=inputs,
        style=style,
        limits=limits,
    )
