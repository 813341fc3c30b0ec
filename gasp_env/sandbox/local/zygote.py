"""The pool's handle on one zygote process: start it, run one child at a time, end it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from gasp_env.sandbox.bundle import source
from gasp_env.sandbox.guest.wire import KILL, PROGRESS, Order, Report, note
from gasp_env.sandbox.local.frames import FrameError, FrameReader

__all__ = ("Settings", "StartError", "Zygote", "ZygoteLost")

START_S = 30.0
"""A zygote that is not ready by then is given up."""
GRACE_S = 5.0
"""Beyond a test's wall limit, without a report or progress: the zygote is lost."""
PROGRESS_S = 0.05
_CHUNK = 1 << 16
_RUN = "import os,sys;exec(os.pread(int(sys.argv[1]),1<<24,0).decode())"
_ZONES = ("UTC0", "GAP-13:37")
"""TZ of the two kinds; the second is another day for half of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a zygote is started with."""

    namespaces: bool
    landlock: bool
    seccomp: bool
    user: int | None = None
    """User id of children; None keeps the zygote's."""
    site_packages: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()


class StartError(Exception):
    """A zygote could not be started; the message says which step was refused."""


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

    @classmethod
    async def start(cls, settings: Settings, *, seed: int) -> "Zygote":
        """Start a zygote and wait until it is ready.

        Args:
            settings: layers and paths.
            seed: PYTHONHASHSEED, and which time zone.

        Raises:
            StartError: it is not ready.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        log = os.memfd_create("log", os.MFD_CLOEXEC)
        process = None
        try:
            with theirs:
                process = _spawn(settings, seed, theirs, log)
            async with asyncio.timeout(START_S):
                answer = await asyncio.get_running_loop().sock_recv(ours, 4096)
            facts: dict[str, Any] = json.loads(answer) if answer else {"error": _tail(log)}
            if "error" in facts:
                raise StartError(str(facts["error"]))  # noqa: TRY301 - ended like any other failure to start
        except BaseException as error:
            _end(process, ours)
            if isinstance(error, TimeoutError | OSError):
                raise StartError(f"{type(error).__name__}: {error}") from None
            raise
        finally:
            os.close(log)
        return cls(process, ours, facts)

    async def run(self, payload: bytes, order: Order, reader: FrameReader) -> tuple[Report, FrameError | None]:
        """Run one child to its end.

        Args:
            payload: what the child is told.
            order: its limits; the serial is set here.
            reader: takes what it writes.

        Returns:
            What the kernel says, and why reading ended early, if it did.

        Raises:
            ZygoteLost: there is no report; end this zygote.
        """
        self.serial += 1
        self.jobs += 1
        run = _Run(self.control, order._replace(serial=self.serial), reader)
        try:
            run.begin(payload)
            return await run.wait(), run.fault
        finally:
            run.end()

    def stop(self) -> None:
        """End the process and everything below it."""
        _end(self.process, self.control)


def _spawn(settings: Settings, seed: int, control: socket.socket, log: int) -> "subprocess.Popen[bytes]":
    config = {name: getattr(settings, name) for name in Settings.__slots__}
    code = os.memfd_create("code", os.MFD_CLOEXEC)
    try:
        os.write(code, source().encode())
        arguments = [str(code), json.dumps(config), str(control.fileno())]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-P", "-s", "-S", "-B", "-c", _RUN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(code, control.fileno()),
            env=_environment(seed),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(code)


def _environment(seed: int) -> dict[str, str]:
    """Nothing of ours but where the shared libraries are."""
    fixed = {"PYTHONHASHSEED": str(seed), "TZ": _ZONES[seed % 2], "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
    found = os.environ.get("LD_LIBRARY_PATH")
    return fixed | threads | ({"LD_LIBRARY_PATH": found} if found else {})


def _tail(log: int) -> str:
    text = os.pread(log, 1 << 16, 0).decode("utf-8", "replace").strip()
    return text.splitlines()[-1] if text else "the process ended at once"


def _end(process: "subprocess.Popen[bytes] | None", control: socket.socket) -> None:
    control.close()
    if process is not None:
        process.kill()
        process.wait()


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
    report: "asyncio.Future[Report]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def begin(self, payload: bytes) -> None:
        loop = asyncio.get_running_loop()
        memory = os.memfd_create("payload", os.MFD_CLOEXEC)
        self.out, far = os.pipe2(os.O_CLOEXEC)
        try:
            _write_all(memory, payload)
            socket.send_fds(self.control, [self.order.pack()], [memory, far])
        except OSError as error:
            raise ZygoteLost(str(error)) from None
        finally:
            os.close(memory)
            os.close(far)
        os.set_blocking(self.out, False)
        self.beat = self.told = time.monotonic()
        loop.add_reader(self.out, self._on_output)
        loop.add_reader(self.control, self._on_control)

    async def wait(self) -> Report:
        patience = self.order.wall_s + GRACE_S
        while True:
            done, _ = await asyncio.wait((self.report,), timeout=patience)
            if done:
                break
            if time.monotonic() - self.beat >= patience:
                raise ZygoteLost("no report in time")
        report = self.report.result()
        if self.fault is None:
            self._drain()
        return report

    def end(self) -> None:
        loop = asyncio.get_running_loop()
        if self.out >= 0:
            loop.remove_reader(self.out)
            os.close(self.out)
        if self.control.fileno() >= 0:
            loop.remove_reader(self.control)
        if self.report.done():
            self.report.exception()  # seen

    def _on_output(self) -> None:
        data = self._read()
        if data is None:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self.out)
            return
        before = len(self.reader.outcomes)
        self._feed(data)
        self.beat = time.monotonic()
        if self.fault is not None:
            asyncio.get_running_loop().remove_reader(self.out)
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

    def _on_control(self) -> None:
        try:
            packet = self.control.recv(256)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        report = Report.unpack(packet)
        if self.report.done():
            return
        if report is None or report.serial != self.order.serial:
            asyncio.get_running_loop().remove_reader(self.control)
            self.report.set_exception(ZygoteLost("the zygote ended" if not packet else "a stray report"))
        else:
            self.report.set_result(report)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
