"""The pool's handle on one zygote process: start it, run one child at a time, end it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from gasp_env.sandbox.guest.wire import KILL, PROGRESS, Order, Report, note
from gasp_env.sandbox.local.frames import FrameError, FrameReader
from gasp_env.sandbox.local.launch import Settings, StartError, end, last_words, spawn

__all__ = ("Settings", "StartError", "Zygote", "ZygoteLost")

START_S = 30.0
"""A zygote that is not ready by then is given up."""
GRACE_S = 5.0
"""Beyond a test's wall limit, without a report or progress: the zygote is lost."""
PROGRESS_S = 0.05
LAZY_S = 0.02
"""Output is looked at after this long, or at the end: a quick job costs the event loop one wake-up, not one a test."""
_CHUNK = 1 << 18


class ZygoteLost(Exception):  # noqa: N818 - an event, not a mistake
    """The zygote died or fell silent."""


@dataclass(slots=True, eq=False)
class Zygote:
    """One fork server. Not safe for two tasks at once."""

    process: "subprocess.Popen[bytes]"
    control: socket.socket
    facts: dict[str, Any]
    serial: int = 0
    jobs: int = 0
    current: "_Run | None" = None
    """The last run; after a cancellation it may not have ended yet."""

    @classmethod
    async def start(cls, settings: Settings, *, seed: int) -> "Zygote":
        """Start a zygote and wait until it is ready.

        Args:
            settings: layers and paths.
            seed: PYTHONHASHSEED, and which time zone.

        Raises:
            StartError: it is not ready.
        """
        log, process = -1, None
        ours, theirs = _socket_pair()
        try:
            log = os.memfd_create("log", os.MFD_CLOEXEC)
            process = spawn(settings, seed, theirs, log)
            theirs.close()
            facts = await _first_words(ours, log)
        except BaseException as error:
            end(process, ours)
            if isinstance(error, TimeoutError | OSError):
                raise StartError(f"{type(error).__name__}: {error}") from None
            raise
        finally:
            theirs.close()
            if log >= 0:
                os.close(log)
        made = cls(process, ours, facts)
        asyncio.get_running_loop().add_reader(ours, made.on_control)
        return made

    async def run(self, payload: bytes, order: Order, reader: FrameReader) -> tuple[Report, FrameError | None]:
        """Run one child to its end; cancelling kills the child and leaves the zygote fit for the next.

        Args:
            payload: what the child is told.
            order: its limits; the serial is set here.
            reader: takes what it writes.

        Returns:
            What the kernel says, and why reading ended early, if it did.

        Raises:
            ZygoteLost: there is no report; end this zygote.
        """
        await self._idle()
        self.serial += 1
        self.jobs += 1
        run = self.current = _Run(self.control, order._replace(serial=self.serial), reader)
        try:
            run.begin(payload)
            return await run.wait()
        finally:
            run.end()

    async def _idle(self) -> None:
        """Wait for the end of a child that was given up."""
        if self.current is not None and not self.current.report.done():
            done, _ = await asyncio.wait((self.current.report,), timeout=GRACE_S)
            if not done:
                raise ZygoteLost("a cancelled child did not end")

    def on_control(self) -> None:
        """Take a packet of the control socket."""
        try:
            packet = self.control.recv(256)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            asyncio.get_running_loop().remove_reader(self.control)
        if self.current is not None:
            self.current.on_report(packet)

    def stop(self) -> None:
        """End the process and everything below it."""
        if self.control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.control)
        end(self.process, self.control)
        if self.current is not None:
            self.current.on_report(b"")


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise StartError(f"{type(error).__name__}: {error}") from None
    ours.settimeout(0)
    return ours, theirs


async def _first_words(control: socket.socket, log: int) -> dict[str, Any]:
    """What a zygote says when it is ready, or why it is not."""
    async with asyncio.timeout(START_S):
        answer = await asyncio.get_running_loop().sock_recv(control, 4096)
    facts: dict[str, Any] = json.loads(answer) if answer else {"error": last_words(log)}
    if "error" in facts:
        raise StartError(str(facts["error"]))
    return facts


@dataclass(slots=True, eq=False)
class _Run:
    """One child, watched from the event loop."""

    control: socket.socket
    order: Order
    reader: FrameReader
    fault: FrameError | None = None
    out: int = -1
    beat: float = 0.0
    """When something was last heard."""
    told: float = 0.0
    """When progress was last passed on."""
    listening: bool = False
    timer: asyncio.TimerHandle | None = None
    report: "asyncio.Future[Report]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def begin(self, payload: bytes) -> None:
        theirs: list[int] = []
        try:
            theirs.append(os.memfd_create("payload", os.MFD_CLOEXEC))
            self.out, far = os.pipe2(os.O_CLOEXEC)
            theirs.append(far)
            _write_all(theirs[0], payload)
            socket.send_fds(self.control, [self.order.pack()], theirs)
        except OSError as error:  # the zygote has gone, or this process has no descriptor or memory left
            self.on_report(b"")
            raise ZygoteLost(str(error)) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        os.set_blocking(self.out, False)
        self.beat = self.told = time.monotonic()
        self.timer = asyncio.get_running_loop().call_later(LAZY_S, self._listen)

    async def wait(self) -> tuple[Report, FrameError | None]:
        report = await asyncio.shield(self.report)
        if self.fault is None:
            self._drain()
        if self.fault is None and self.reader.unchecked:
            try:  # on another thread, so that the event loop goes on
                await asyncio.to_thread(self.reader.check_rest)
            except FrameError as error:
                self.fault = error
        return report, self.fault

    def end(self) -> None:
        """Let go: nothing is read any more, a child that still runs is killed."""
        if self.timer is not None:
            self.timer.cancel()
        self._deafen()
        if self.out >= 0:
            os.close(self.out)
        if not self.report.done():
            self._tell(KILL)
        elif not self.report.cancelled():
            self.report.exception()  # seen

    def on_report(self, packet: bytes) -> None:
        report = Report.unpack(packet)
        if self.report.done():
            return
        if report is None or report.serial != self.order.serial:
            self.report.set_exception(ZygoteLost("a stray report" if packet else "the zygote ended"))
            self.report.exception()  # seen, if nobody waits
        else:
            self.report.set_result(report)

    def _listen(self) -> None:
        """The job takes longer: read what it writes, and see that the zygote reports in time."""
        self.listening = True
        loop = asyncio.get_running_loop()
        loop.add_reader(self.out, self._on_output)
        self.timer = loop.call_later(self.order.wall_s + GRACE_S, self._lose_patience)

    def _deafen(self) -> None:
        if self.listening:
            self.listening = False
            asyncio.get_running_loop().remove_reader(self.out)

    def _lose_patience(self) -> None:
        left = self.beat + self.order.wall_s + GRACE_S - time.monotonic()
        if left > 0:
            self.timer = asyncio.get_running_loop().call_later(left, self._lose_patience)
        elif not self.report.done():
            self.report.set_exception(ZygoteLost("no report in time"))

    def _on_output(self) -> None:
        data = self._read()
        if data is None:
            return
        if not data:
            self._deafen()
            return
        before = len(self.reader.outcomes)
        self._feed(data)
        self.beat = time.monotonic()
        if self.fault is not None:
            self._deafen()
            self._tell(KILL)
        elif len(self.reader.outcomes) > before and self.beat - self.told > PROGRESS_S:
            self.told = self.beat
            self._tell(PROGRESS)

    def _read(self) -> bytes | None:
        try:
            return os.read(self.out, _CHUNK)
        except BlockingIOError:
            return None

    def _feed(self, data: bytes) -> None:
        try:
            self.reader.feed(data)
        except FrameError as error:
            self.fault = error

    def _drain(self) -> None:
        """Read what a dead child left in the pipe."""
        while self.fault is None and (data := self._read()):
            self._feed(data)

    def _tell(self, kind: bytes) -> None:
        with contextlib.suppress(OSError):  # a lost zygote shows at once as the end of its socket
            self.control.send(note(kind, self.order.serial))


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
