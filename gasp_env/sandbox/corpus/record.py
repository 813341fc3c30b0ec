"""What an attack is: a program, and how it may end. Expected values are random secrets that only the host knows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gasp_env.types import InputStyle, Limits, Verdict

__all__ = ("ALIVE", "FAULTS", "QUICK", "REFUSED", "Attack", "Verdict", "attack", "hostile")

QUICK = Limits(cpu_s=0.5, job_cpu_s=1.5, memory_mb=256, output_bytes=1 << 20)
FAULTS = frozenset(Verdict) - {Verdict.WRONG, Verdict.SKIPPED, Verdict.SANDBOX_FAILURE}
"""Every way to end but ours."""
ALIVE = (Verdict.OK, Verdict.RUNTIME_ERROR)
"""The program may go on; what it tried must have had no effect."""
REFUSED = (Verdict.FORBIDDEN, Verdict.RUNTIME_ERROR)
"""Killed by the system-call filter, or an exception."""
_PRELUDE = """
import os, sys
def tried(**acts):
    worked = []
    for name, act in acts.items():
        try:
            act()
        except BaseException:
            continue
        worked.append(name)
    return worked
def syscall(number, *args):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *args)
    if result == -1:
        raise OSError(ctypes.get_errno(), 'refused')
    return result
X86 = os.uname().machine == 'x86_64'
def frame(kind, index, body=b''):
    import struct
    return struct.pack('<IIB', len(body), index, kind) + body
"""


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
    nothing: bool = False
    """The program returns what worked for it: must be the empty list."""
    wants: str = ""
    """Standard output expected of the program, which its own must not match; without it a random secret."""
    lanes: bool = False
    """It is not deterministic: if the two interpreters agree, it would pass as a question."""


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


def hostile(
    *,
    id: str,  # noqa: A002 - the field's name
    tries: str,
    program: str,
    allowed: Iterable[Verdict],
    inputs: tuple[str, ...] = ("1",),
    style: InputStyle = InputStyle.LITERAL,
    **more: Any,  # noqa: ANN401 - the other fields
) -> Attack:
    """Make an attack whose program may use ``tried`` (names of the acts that worked), ``syscall``, ``frame`` and ``X86``."""
    return Attack(
        id=id,
        title=tries,
        program=_PRELUDE + program,
        allowed=frozenset(allowed),
        inputs=inputs,
        style=style,
        **more,
    )
