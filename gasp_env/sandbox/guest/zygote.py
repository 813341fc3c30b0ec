"""The fork server: trusted, tiny, started afresh with an empty environment; one hostile child at a time.

It never sees a payload (descriptors pass through), keeps the clocks, and reports what the kernel says about the child:
exit status, CPU time, memory. The next child is forked ahead and waits, still clean and trusted, so that a job does not wait
for a fork. It ends when its control socket does, and with it everything below it.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from gasp_env.sandbox.guest import child, kernel, landlock, limits, namespaces, paths, seccomp
from gasp_env.sandbox.guest.wire import KILL, PROGRESS, Cause, Order, Report, note

__all__ = ("main",)

_PACKET = 256
_GRACE_S = 0.05
"""The pool tells of finished tests at most this often, so a test's clock may have started that much early."""
_TICK_S = 0.25
_QUEUE_S = 0.003
"""An order that came sooner than this had been waiting."""
_DESCRIPTORS = 64
"""Above every descriptor of a zygote: its control socket is moved down, and ``limits.fixed`` allows no more."""
_CONTROL = socket.CMSG_SPACE(8)
_OOM_SCORE = b"500"
"""Where memory runs out, the kernel ends a sandbox before it ends the trainer."""


class _Layers:
    """What holds a child: most of it holds the fork server too, which needs no right once it is set up."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.ruleset: int | None = None
        self.filter: seccomp.Filter | None = None
        self.user: int | None = config["user"]
        self.base_bytes = 0

    def prepare(self) -> None:
        """Enter namespaces, load what programs import most, build the filters.

        Raises:
            OSError: a layer is refused; the message names it.
        """
        config = self.config
        found = paths.find(config["site_packages"])
        _be_the_victim()
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if config["namespaces"]:
            self.user = namespaces.NOBODY if namespaces.enter(found.mounts) else None
        sys.path[:] = found.imports
        for name in config["preload"]:
            with suppress(ImportError):
                import_module(name)
        paths.remember_listings(found.imports)
        child.warm_up()
        kernel.no_new_privileges()
        kernel.forget_dumps()
        if config["landlock"]:
            self.ruleset = landlock.ruleset(found.readable)
        if config["seccomp"]:
            self.filter = seccomp.Filter(seccomp.inner(os.uname().machine))
        self.base_bytes = limits.address_space(proc)

    def confine(self) -> None:
        """Put in force, for this process and all its children, what does not depend on the job.

        Raises:
            OSError: a layer is refused.
        """
        limits.fixed()
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        kernel.drop_capabilities()
        if self.config["namespaces"]:
            kernel.die_with_parent()  # again: the new user has cleared it
        if self.ruleset is not None:
            landlock.restrict(self.ruleset)
            os.close(self.ruleset)
        if self.filter is not None:
            seccomp.install(seccomp.outer(os.uname().machine, files=self.config["landlock"]))

    def enforce(self, order: Order) -> None:
        """Put the rest in force, in a child, for good.

        Raises:
            OSError: a layer is refused.
        """
        limits.of_job(self.base_bytes + order.memory_bytes, int(order.job_cpu_s) + 2, order.file_bytes)
        if self.filter is not None:
            self.filter.install(os.getpid())


def _be_the_victim() -> None:
    with suppress(OSError):
        opened = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(opened, _OOM_SCORE)
        os.close(opened)


def _forget_the_trainer() -> None:
    """Take back what a process gets from who started it: ignored and blocked signals.

    SIGPIPE stays ignored, as in every Python; the default of SIGXFSZ, which Python ignores too, says ``output_limit``.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _moved_down(control_fd: int) -> socket.socket:
    """The control socket under a low number; its own is the trainer's, which may have thousands open."""
    low = os.dup(control_fd)
    os.close(control_fd)
    return socket.socket(fileno=low)


def main(config_text: str, control_fd: int) -> NoReturn:
    """Set up, say ``ready`` (or why not) and serve until the control socket ends."""
    _forget_the_trainer()
    control = _moved_down(control_fd)
    layers = _Layers(json.loads(config_text))
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        layers.prepare()
        facts = {"landlock": landlock.abi() if layers.ruleset is not None else 0, "nobody": layers.user is not None}
        layers.confine()
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        os._exit(1)
    os.dup2(nowhere, 2, inheritable=False)
    os.close(nowhere)
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(json.dumps(facts).encode())
    _serve(control, layers)


class _Child(NamedTuple):
    """A process that waits for its job, or works at it."""

    pid: int
    pidfd: int
    link: socket.socket


def _serve(control: socket.socket, layers: _Layers) -> NoReturn:
    spare = _fork(layers)
    while True:
        waited_from = time.monotonic()
        packet, descriptors, _, _ = socket.recv_fds(control, _PACKET, 4)
        if not packet:
            os._exit(0)
        order = Order.unpack(packet)
        if order is None or len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            continue  # a late note about a job that has ended
        began = time.monotonic()
        current = spare or _fork(layers)
        used = _cpu(current.pid) if current else 0.0
        given = current is not None and _give(current, packet, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        # where jobs queue up, the next child is made beside this one; else after it, so as not to slow it down
        spare = _fork(layers) if began - waited_from < _QUEUE_S else None
        if current is None:
            control.send(Report(order.serial, 0, Cause.FAILED, 0.0, 0.0, 0.0).pack())
        else:
            control.send(_see_through(control, order, current, began, used if given else None).pack())
        spare = spare or _fork(layers)


def _fork(layers: _Layers) -> _Child | None:
    """Fork a child that waits for a job; None if the system refuses."""
    opened: list[int] = []
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            opened += [os.memfd_create("in"), os.memfd_create("out")]
            parent = os.getpid()
            pid = kernel.fork()
            if pid == 0:
                _become_child(layers, theirs, opened, parent)
        return _Child(pid, os.pidfd_open(pid), ours)
    except OSError:
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _give(current: _Child, packet: bytes, descriptors: list[int]) -> bool:
    try:
        socket.send_fds(current.link, [packet], descriptors)
    except OSError:  # it has died while it waited
        return False
    return True


def _see_through(
    control: socket.socket, order: Order, current: _Child, began: float, used_before: float | None
) -> Report:
    """Watch a child to its end.

    Args:
        control: tells of progress.
        order: the limits.
        current: the child.
        began: when it was given its job.
        used_before: its CPU seconds by then; None if it could not be given one.
    """
    pid, pidfd, link = current
    try:
        cause = Cause.FAILED if used_before is None else _watch(control, order, current, began, used_before)
        if cause is not Cause.EXITED:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)
        link.close()
    _, status, usage = os.wait4(pid, 0)
    used = max(0.0, usage.ru_utime + usage.ru_stime - (used_before or 0.0))
    return Report(order.serial, status, cause, used, time.monotonic() - began, usage.ru_maxrss / 1024)


def _watch(control: socket.socket, order: Order, current: _Child, began: float, used_before: float) -> Cause:
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(current.pidfd, select.POLLIN)
    test_cpu, test_began = used_before, began
    used, now = used_before, began
    while True:
        left = {
            Cause.CPU: test_cpu + order.cpu_s + _GRACE_S - used,
            Cause.JOB_CPU: used_before + order.job_cpu_s - used,
            Cause.WALL: test_began + order.wall_s - now,
            Cause.JOB_WALL: began + order.job_wall_s - now,
        }
        cause = min(left, key=lambda one: left[one])
        if left[cause] <= 0:
            return cause
        ready = dict(poller.poll(1000 * max(0.001, min(left[cause], _TICK_S))))
        if current.pidfd in ready:
            return Cause.EXITED
        used, now = _cpu(current.pid), time.monotonic()
        if control.fileno() in ready:
            packet = control.recv(_PACKET)
            if not packet:
                os.kill(current.pid, signal.SIGKILL)
                os._exit(0)
            if packet == note(KILL, order.serial):
                return Cause.KILLED
            if packet == note(PROGRESS, order.serial):
                test_cpu, test_began = used, now


def _cpu(pid: int) -> float:
    """CPU seconds of a process, from its own kernel clock; 0 where there is none (RLIMIT_CPU holds then)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _become_child(layers: _Layers, link: socket.socket, streams: list[int], parent: int) -> NoReturn:
    """Never returns: the process ends here whatever the program does."""
    status = 1
    try:
        kernel.die_with_parent()
        for target, descriptor in zip((child.STDIN, child.STDOUT), streams, strict=True):
            os.dup2(descriptor, target)
        if os.getppid() == parent:
            order = _receive(link)
            layers.enforce(order)
            gc.enable()
            child.work()
            status = 0
    finally:
        os._exit(status)


def _receive(link: socket.socket) -> Order:
    """Wait for the job; afterwards no descriptor is open but standard ones, the payload and the pool's pipe.

    Raises:
        ValueError: the fork server has ended, or sent something else.
    """
    packet, ancillary, _, _ = link.recvmsg(_PACKET, _CONTROL)
    order = Order.unpack(packet)
    if order is None or not ancillary:
        raise ValueError("not an order")
    os.dup2(_keep(ancillary[0][2][:4]), child.PAYLOAD)
    os.dup2(_keep(ancillary[0][2][4:8]), child.OUT)
    os.closerange(child.PAYLOAD + 1, _DESCRIPTORS)
    return order


def _keep(number: bytes) -> int:
    """A descriptor out of the way of the numbers that a child uses."""
    descriptor = int.from_bytes(number, sys.byteorder)
    return descriptor if descriptor > child.PAYLOAD else os.dup2(descriptor, _DESCRIPTORS // 2)
