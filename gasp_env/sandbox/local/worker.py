"""One fork server, as the trusted process sees it: start it, hand it a job, gather frames and the kernel's report."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.frames import Frames, State
from gasp_env.types import Job

__all__ = ("Hello", "Report", "Worker", "WorkerDied")

_ZYGOTE = Path(__file__).parent.parent / "inside" / "zygote.py"
_START_S = 30.0
_HASH_SEEDS = ("0", "3141592653")
"""PYTHONHASHSEED of the two lanes."""


class WorkerDied(Exception):  # noqa: N818
    """The fork server did not answer: our fault, not the program's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a started fork server says of itself."""

    layers: dict[str, bool]
    landlock_abi: int
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the kernel says that a child ended."""

    exit: int | None
    signal: int | None
    killed: str | None
    """``cpu`` or ``wall`` where the fork server killed it for its budget; ``cancel`` where the parent asked for it."""
    cpu: float
    rss: float
    """MB."""
    wall: float


class Worker:
    """One fork server. One job at a time; from one event loop."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, hello: Hello) -> None:
        """Use `start`."""
        self._process, self._control = process, control
        self.hello, self.jobs = hello, 0

    @classmethod
    async def start(cls, *, level: str, lane: int) -> Self:
        """Start a fork server at a level.

        Raises:
            SandboxUnavailable: the level can't be had here; the message is the kernel's own.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            settings = json.dumps({"control": theirs.fileno(), "level": level, "lane": lane})
            python = getattr(sys, "_base_executable", sys.executable) or sys.executable
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own file; a start takes some milliseconds
                [python, "-s", "-S", "-P", "-B", str(_ZYGOTE), settings],
                pass_fds=(theirs.fileno(),),
                env={"PYTHONHASHSEED": _HASH_SEEDS[lane], "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)  # noqa: FBT003
        try:
            hello = await _hello(ours)
        except BaseException:
            _end(process, ours)
            raise
        return cls(process, ours, hello)

    async def run(self, job: Job, first: int, job_cpu_s: float) -> tuple[Frames, Report]:
        """Run the tests of ``job`` from ``first`` on in one child.

        Cancelling kills the child; the fork server lives on.

        Raises:
            WorkerDied: no answer.
        """
        self.jobs += 1
        payload_r, payload_w = os.pipe()
        frames_r, frames_w = os.pipe()
        order = _order(job, first, job_cpu_s)
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], [payload_r, frames_w])
        except OSError as error:
            os.close(payload_w)
            os.close(frames_r)
            raise WorkerDied(str(error)) from error
        finally:
            os.close(payload_r)
            os.close(frames_w)
        with _Writing(payload_w, _payload(job, first)), _Reading(frames_r, job, first, self._say) as reading:
            report = await self._report(order["job_wall_s"])
            reading.drain()
            return reading.frames, report

    async def _report(self, wall_s: float) -> Report:
        waiting = asyncio.ensure_future(self._receive(wall_s + 5))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            self._say(b"k")
            with contextlib.suppress(WorkerDied):
                await waiting
            raise

    async def _receive(self, timeout_s: float) -> Report:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                data = await loop.sock_recv(self._control, 1 << 16)
        except (TimeoutError, OSError) as error:
            raise WorkerDied(f"the fork server did not answer: {error!r}") from error
        if not data:
            raise WorkerDied("the fork server ended")
        return Report(**json.loads(data))

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self._control.send(word)

    def close(self) -> None:
        """End the fork server and whatever it runs."""
        _end(self._process, self._control)


class _Writing:
    """Feeds the payload to the child as fast as it reads."""

    def __init__(self, handle: int, data: bytes) -> None:
        self._handle, self._data, self._loop = handle, memoryview(data), asyncio.get_running_loop()
        os.set_blocking(handle, False)

    def __enter__(self) -> Self:
        self._push()
        if self._handle >= 0:
            self._loop.add_writer(self._handle, self._push)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _push(self) -> None:
        try:
            self._data = self._data[os.write(self._handle, self._data) :]
        except BlockingIOError:
            return
        except OSError:
            self._data = self._data[:0]  # the child is gone; its report says why
        if not self._data:
            self._stop()

    def _stop(self) -> None:
        if self._handle >= 0:
            self._loop.remove_writer(self._handle)
            os.close(self._handle)
            self._handle = -1


class _Reading:
    """Reads frames as they come; says so to the fork server, since each finished test has a budget of its own."""

    def __init__(self, handle: int, job: Job, first: int, say: Any) -> None:  # noqa: ANN401 - a callable
        self.frames = Frames(job, first)
        self._handle, self._say, self._loop = handle, say, asyncio.get_running_loop()
        os.set_blocking(handle, False)

    def __enter__(self) -> Self:
        self._loop.add_reader(self._handle, self._pull)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)

    def _pull(self) -> None:
        try:
            data = os.read(self._handle, 1 << 18)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._handle)
            return
        completed = self.frames.feed(data)
        if self.frames.state is State.BROKEN:
            self._say(b"k")
        elif completed and self.frames.state is State.READY:
            self._say(b"t")

    def drain(self) -> None:
        """Take what lies in the pipe after the child's end."""
        while self.frames.state not in (State.BROKEN, State.FAILED):
            try:
                data = os.read(self._handle, 1 << 18)
            except BlockingIOError:
                return
            if not data:
                return
            self.frames.feed(data)


def _order(job: Job, first: int, job_cpu_s: float) -> dict[str, Any]:
    limits = job.limits
    return {
        "cpu_s": limits.cpu_s,
        "wall_s": 2 * limits.cpu_s + 2,
        "job_cpu_s": job_cpu_s,
        "job_wall_s": 2 * job_cpu_s + 2,
        "memory_mb": limits.memory_mb,
        "output_bytes": limits.output_bytes,
        "input_bytes": max((len(text) for text in job.inputs[first:]), default=0) * 4,
    }


def _payload(job: Job, first: int) -> bytes:
    fields = {
        "program": job.program,
        "inputs": job.inputs[first:],
        "first": first,
        "style": job.style,
        "entry": job.entry,
        "stop_early": job.stop_early,
        "output_bytes": job.limits.output_bytes,
    }
    return json.dumps(fields).encode()


async def _hello(control: socket.socket) -> Hello:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_START_S):
            data = await loop.sock_recv(control, 1 << 16)
    except (TimeoutError, OSError) as error:
        raise SandboxUnavailable(f"the fork server did not start: {error!r}") from error
    if not data:
        raise SandboxUnavailable("the fork server ended while starting")
    said = json.loads(data)
    if not said.pop("ready"):
        raise SandboxUnavailable(said["why"])
    return Hello(**said)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    process.kill()
    process.wait()
