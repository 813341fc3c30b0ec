"""Messages between the pool, the zygote and the child: fixed structs, no pickles, no text to evaluate.

The zygote's control socket carries one `Order` down and one `Report` up for each job, each a packet. The child writes
frames to a pipe that the pool alone reads; they are claims of a hostile process and are checked by
`gasp_env.sandbox.local.frames`.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

__all__ = ("FRAME", "KILL", "PROGRESS", "Cause", "FrameKind", "Order", "Report", "note")

FRAME = struct.Struct("<IIB")
"""Length of the body, index of the test, kind."""
PROGRESS = b"P"
"""A test ended: its clocks start anew."""
KILL = b"K"
_NOTE = struct.Struct("<cI")
_ORDER = struct.Struct("<cIddddQQ")
_REPORT = struct.Struct("<cIiiddd")


class FrameKind(IntEnum):
    """What a frame of the child says."""

    SETUP = 0
    """Every layer is in force; what follows is the program's doing."""
    READY = 1
    """The program was loaded."""
    VALUE = 2
    """Canonical text."""
    STDOUT = 3
    """Standard output, raw."""
    ERROR = 4
    """JSON: verdict, type, message, line."""
    DONE = 5


class Cause(IntEnum):
    """Why the zygote thinks that a child ended."""

    EXITED = 0
    CPU = 1
    WALL = 2
    JOB_CPU = 3
    KILLED = 4
    """By the pool's wish."""
    FAILED = 5
    """It could not be started."""
    JOB_WALL = 6


def note(kind: bytes, serial: int) -> bytes:
    """A progress or kill message."""
    return _NOTE.pack(kind, serial)


class Order(NamedTuple):
    """One job: its limits. Payload and pipe come along as descriptors."""

    serial: int
    cpu_s: float
    wall_s: float
    job_cpu_s: float
    job_wall_s: float
    memory_bytes: int
    file_bytes: int

    def pack(self) -> bytes:
        """As one packet."""
        return _ORDER.pack(b"J", *self)

    @classmethod
    def unpack(cls, packet: bytes) -> "Order | None":
        """None if the packet is another one."""
        if packet[:1] != b"J" or len(packet) != _ORDER.size:
            return None
        return cls(*_ORDER.unpack(packet)[1:])


class Report(NamedTuple):
    """How a child ended, from the kernel."""

    serial: int
    status: int
    """As of wait4."""
    cause: int
    cpu_s: float
    wall_s: float
    max_rss_mb: float

    def pack(self) -> bytes:
        """As one packet."""
        return _REPORT.pack(b"R", *self)

    @classmethod
    def unpack(cls, packet: bytes) -> "Report | None":
        """None if the packet is another one."""
        if packet[:1] != b"R" or len(packet) != _REPORT.size:
            return None
        return cls(*_REPORT.unpack(packet)[1:])
