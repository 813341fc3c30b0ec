"""The fork server: trusted, tiny, started afresh with an empty environment; one hostile child at a time.

It never sees a payload (descriptors pass through), keeps the clocks, and reports what the kernel says about the child:
exit status, CPU time, memory. It ends when its control socket does, and with it everything below it.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from gasp_env.sandbox.guest import child, kernel, landlock, namespaces, paths, seccomp
from gasp_env.sandbox.guest.wire import KILL, PROGRESS, Cause, Order, Report, note

__all__ = ("main",)

_PACKET = 256
_GRACE_S = 0.05
"""The pool tells of finished tests at most this often, so a test's clock may have started that much early."""
_TICK_S = 0.25


class _Layers:
    """What a child puts in force between fork and program."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.ruleset: int | None = None
        self.filter = b""
        self.user: int | None = config["user"]
        self.base_bytes = 0

    def prepare(self) -> None:
        """Enter namespaces, load what programs import most, build the filters.

        Raises:
            OSError: a layer is refused; the message names it.
        """
        config = self.config
        found = paths.find(config["site_packages"])
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if config["namespaces"]:
            self.user = namespaces.NOBODY if namespaces.enter(found.mounts) else None
        sys.path[:] = found.imports
        for name in config["preload"]:
            with suppress(ImportError):
                import_module(name)
        kernel.no_new_privileges()
        kernel.forget_dumps()
        if config["landlock"]:
            self.ruleset = landlock.ruleset(found.readable, found.listable)
        if config["seccomp"]:
            self.filter = seccomp.assemble(os.uname().machine, files=config["landlock"])
        self.base_bytes = _address_space(proc)

    def enforce(self, order: Order) -> None:
        """Put every layer in force for this process, for good.

        Raises:
            OSError: a layer is refused.
        """
        _limit(resource.RLIMIT_AS, self.base_bytes + order.memory_bytes)
        _limit(resource.RLIMIT_CPU, int(order.job_cpu_s) + 2)
        _limit(resource.RLIMIT_FSIZE, order.file_bytes)
        _limit(resource.RLIMIT_NOFILE, 64)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_STACK, 64 << 20)
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        kernel.drop_capabilities()
        kernel.die_with_parent()
        if self.ruleset is not None:
            landlock.restrict(self.ruleset)
        os.closerange(child.OUT + 1, 1024)
        if self.filter:
            seccomp.install(seccomp.for_pid(self.filter, os.getpid()))


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (value, value))


def _address_space(proc: int) -> int:
    """Bytes of address space in use, then close ``proc``."""
    opened = os.open("self/statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    text = os.read(opened, 128)
    os.close(opened)
    os.close(proc)
    return int(text.split()[0]) * resource.getpagesize()


def main(config_text: str, control_fd: int) -> NoReturn:
    """Set up, say ``ready`` (or why not) and serve until the control socket ends."""
    control = socket.socket(fileno=control_fd)
    layers = _Layers(json.loads(config_text))
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        layers.prepare()
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        os._exit(1)
    facts = {"landlock": landlock.abi() if layers.ruleset is not None else 0, "nobody": layers.user is not None}
    os.dup2(nowhere, 2, inheritable=False)
    os.close(nowhere)
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(json.dumps(facts).encode())
    _serve(control, layers)


def _serve(control: socket.socket, layers: _Layers) -> NoReturn:
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, _PACKET, 4)
        if not packet:
            os._exit(0)
        order = Order.unpack(packet)
        if order is None or len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            continue  # a late note about a job that has ended
        control.send(_run(control, layers, order, *descriptors).pack())


def _run(control: socket.socket, layers: _Layers, order: Order, payload: int, out: int) -> Report:
    began = time.monotonic()
    try:
        pid = os.fork()
    except OSError:
        os.close(payload)
        os.close(out)
        return Report(order.serial, 0, Cause.FAILED, 0.0, 0.0, 0.0)
    if pid == 0:
        _become_child(layers, order, payload, out)
    os.close(payload)
    os.close(out)
    pidfd = os.pidfd_open(pid)
    try:
        cause = _watch(control, order, pid, pidfd)
        if cause is not Cause.EXITED:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
    _, status, usage = os.wait4(pid, 0)
    used = usage.ru_utime + usage.ru_stime
    return Report(order.serial, status, cause, used, time.monotonic() - began, usage.ru_maxrss / 1024)


def _watch(control: socket.socket, order: Order, pid: int, pidfd: int) -> Cause:
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(pidfd, select.POLLIN)
    test_cpu, test_began = 0.0, time.monotonic()
    while True:
        used, now = _cpu(pid), time.monotonic()
        left = {
            Cause.CPU: test_cpu + order.cpu_s + _GRACE_S - used,
            Cause.JOB_CPU: order.job_cpu_s - used,
            Cause.WALL: test_began + order.wall_s - now,
        }
        cause = min(left, key=lambda one: left[one])
        if left[cause] <= 0:
            return cause
        ready = dict(poller.poll(1000 * max(0.001, min(left[cause], _TICK_S))))
        if pidfd in ready:
            return Cause.EXITED
        if control.fileno() in ready:
            packet = control.recv(_PACKET)
            if not packet:
                os.kill(pid, signal.SIGKILL)
                os._exit(0)
            if packet == note(KILL, order.serial):
                return Cause.KILLED
            if packet == note(PROGRESS, order.serial):
                test_cpu, test_began = _cpu(pid), time.monotonic()


def _cpu(pid: int) -> float:
    """CPU seconds of a process, from its own kernel clock; 0 where there is none (RLIMIT_CPU holds then)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _become_child(layers: _Layers, order: Order, payload: int, out: int) -> NoReturn:
    """Never returns: the process ends here whatever the program does."""
    status = 1
    try:
        for name in (signal.SIGINT, signal.SIGXFSZ):  # Python ignores the second; its default says output_limit
            signal.signal(name, signal.SIG_DFL)
        source = _read_all(payload)
        streams = os.memfd_create("in"), os.memfd_create("out")
        os.dup2(out, 200)
        for target, descriptor in ((child.STDIN, streams[0]), (child.STDOUT, streams[1]), (child.OUT, 200)):
            os.dup2(descriptor, target)
        layers.enforce(order)
        gc.enable()
        child.work(source)
        status = 0
    finally:
        os._exit(status)


def _read_all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    parts: list[bytes] = []
    at = 0
    while at < size:
        part = os.pread(descriptor, size - at, at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)
