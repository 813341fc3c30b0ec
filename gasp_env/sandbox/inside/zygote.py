"""The fork server: one small trusted process a slot; forks a child for each job and reports how the kernel says it ended.

Started as ``python -s -S -P -B zygote.py SETTINGS`` with a scrubbed environment and one control socket. A job comes as a
message with two descriptors: the child reads its payload from the one and writes its frames to the other, so that
neither program nor result ever enters this process. Status, time and memory come from ``wait4`` and the CPU clock.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bpf  # noqa: E402
import harness  # noqa: E402
import kernel  # noqa: E402

sys.path.pop(0)

PRELOADED = (
    "abc array asyncio base64 bisect builtins calendar cmath codecs collections collections.abc contextlib copy copyreg csv dataclasses "
    "datetime decimal enum fractions functools hashlib heapq html io itertools json keyword locale math numbers operator "
    "pprint queue random re secrets string statistics struct textwrap threading time traceback types typing unicodedata uuid weakref zlib"
).split()
"""Imported before the first fork; at L1, where nothing can be opened, they are all there is."""
NULL = "/dev/null"


def main():
    """Set up the layers once, say so, then serve jobs until the control socket closes."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    try:
        server = Zygote(settings, control)
    except OSError as error:
        control.send(json.dumps({"ready": False, "why": f"{error}"}).encode())
        return
    server.serve()


class Zygote:
    """What a forked child needs, made once."""

    def __init__(self, settings, control):
        self.settings, self.control, self.level = settings, control, settings["level"]
        self.machine = os.uname().machine
        self.preload()
        self.base = _virtual_memory()
        self.stdlib = os.path.dirname(os.__file__)
        self.drop = _can_change_user() and (self.level == "L3" or self.world_readable())
        if self.level == "L3":
            self.drop = self.drop and not kernel.enter_namespaces()
            self.become_init()
            kernel.new_root(_free_place(self.shown()), self.shown(), self.machine)
        self.ruleset = None
        if self.level in ("L2", "L3"):  # kept out of the way of the descriptors that `doors` lays out
            self.ruleset = os.dup2(kernel.landlock_rules(self.readable()), 250)
        kernel.no_new_privileges()
        kernel.set_undumpable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        missing = self.self_test()
        if missing:
            raise OSError(0, f"self-test: {missing}")

    def preload(self):
        """Import what programs use, and fill the import system's caches before anything is hidden."""
        for name in PRELOADED:
            __import__(name)
        harness.encode([{"a": (1, 2.5)}, {None}])
        for finder in list(sys.path_importer_cache.values()):
            if finder is not None and hasattr(finder, "find_spec"):
                finder.find_spec("no_such_module")

    def become_init(self):
        """Fork into the new process-id namespace; the outer process only waits, and takes the inner one with it."""
        child = os.fork()
        if child:
            self.control.close()
            os.waitpid(child, 0)
            os._exit(0)
        kernel.set_death_signal(signal.SIGKILL)

    def shown(self):
        """Paths that exist in the new root: the standard library, shared libraries, two devices, time zones."""
        libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]
        base = os.path.join(sys.base_prefix, "lib")
        found = [
            self.stdlib,
            *libraries,
            base,
            "/etc/ld.so.cache",
            "/etc/localtime",
            "/usr/share/zoneinfo",
            NULL,
            "/dev/urandom",
        ]
        wanted = [path for path in dict.fromkeys([*found, *map(os.path.realpath, found)]) if os.path.lexists(path)]
        return sorted(wanted, key=len)

    def readable(self):
        """Paths that Landlock lets a child read: the library's own files, without installed packages."""
        hidden = ("site-packages", "dist-packages", "__pycache__")
        inside = [os.path.join(self.stdlib, name) for name in sorted(os.listdir(self.stdlib)) if name not in hidden]
        cached = os.path.join(self.stdlib, "__pycache__")
        shared = [path for path in self.shown() if path.startswith(("/lib", "/usr/lib", "/etc", "/usr/share", "/dev"))]
        return [*inside, cached, *shared]

    def world_readable(self):
        """True if another user could read the standard library from here."""
        path = self.stdlib
        while path != "/":
            if not os.stat(path).st_mode & 0o005 == 0o005:
                return False
            path = os.path.dirname(path)
        return True

    def serve(self):
        """Answer jobs one at a time."""
        layers = {
            "namespaces": self.level == "L3",
            "landlock": self.ruleset is not None,
            "seccomp": self.level != "L0",
            "rlimits": True,
            "uid": self.drop,
        }
        hello = {
            "ready": True,
            "layers": layers,
            "landlock_abi": kernel.landlock_abi(),
            "python": sys.version.split()[0],
        }
        self.control.send(json.dumps(hello).encode())
        while True:
            message, handles, _, _ = socket.recv_fds(self.control, 1 << 16, 2)
            if not message:
                return
            if len(handles) != 2:
                continue  # a late tick or cancel for a job that has ended
            job = json.loads(message)
            self.control.send(json.dumps(self.run(job, *handles)).encode())

    def run(self, job, incoming, outgoing):
        """Fork one child and watch it to its end."""
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self.child(job, incoming, outgoing)
        os.close(incoming)
        os.close(outgoing)
        killed = Watch(pid, job, self.control).wait()
        _, status, usage = os.wait4(pid, 0)
        return {
            "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "killed": killed,
            "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss / 1024,
            "wall": time.monotonic() - started,
        }

    def child(self, job, incoming, outgoing):
        """The forked process: read the payload while still trusted, shut every door, run."""
        channel, code = harness.Channel(outgoing), 70
        try:
            payload = json.loads(_read_all(incoming))
            self.doors(job, outgoing)
            channel.handle = 3
            if payload["style"] != "stdin":
                sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
            sys.stderr = open(2, "w", closefd=False)
            self.restrict()
        except BaseException as error:  # noqa: BLE001 - ours, not the program's: say so before it runs
            channel.send(0, b"s", repr(error).encode("utf-8", "replace")[:200])
            os._exit(code)
        try:
            harness.run_job(payload, channel)
            code = 0
        finally:
            os._exit(code)

    def doors(self, job, outgoing):
        """Descriptors and limits: 0 and 1 are memory files, 2 is nothing, 3 is the channel, the rest is closed."""
        os.setsid()
        kernel.set_death_signal(signal.SIGKILL)
        high = [
            os.dup2(handle, 200 + place)
            for place, handle in enumerate((os.memfd_create("in"), os.memfd_create("out"), _open_null(), outgoing))
        ]
        for place, handle in enumerate(high):
            os.dup2(handle, place)
        if self.ruleset is not None:
            os.dup2(self.ruleset, 4)
        os.closerange(4 if self.ruleset is None else 5, 1 << 16)
        cpu = int(job["job_cpu_s"]) + 1
        size = max(job["output_bytes"], job["input_bytes"]) + 65536
        memory = self.base + (job["memory_mb"] << 20)
        limits = [
            ("AS", memory, memory),
            ("CPU", cpu, cpu + 1),
            ("FSIZE", size, size),
            ("NOFILE", 32, 32),
            ("CORE", 0, 0),
        ]
        for name, soft, hard in limits:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))
        _, most = resource.getrlimit(resource.RLIMIT_STACK)
        stack = 64 << 20 if most == resource.RLIM_INFINITY else min(64 << 20, most)
        resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))
        for number in (signal.SIGXFSZ, signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def restrict(self):
        """Give up identity, capabilities, files and system calls, in that order."""
        os.environ.clear()
        sys.argv = ["program"]
        import random

        random.seed(self.settings["lane"] + 1)
        if self.drop:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        if self.level == "L0":
            return
        kernel.drop_capabilities(self.machine)
        program = bpf.assemble(self.machine, pid=os.getpid(), strict=self.level == "L1")
        if self.ruleset is not None:
            kernel.landlock_restrict(4)
            os.close(4)
        kernel.seccomp(program)

    def self_test(self):
        """Let a child try what it must not be able to do; returns what it could, or why the layers failed."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                job = {"job_cpu_s": 5, "output_bytes": 1 << 16, "input_bytes": 0, "memory_mb": 256}
                self.doors(job, writing)
                self.restrict()
                found = [] if self.level == "L0" else _breaches()
            except BaseException as error:  # noqa: BLE001 - told to the parent in words
                found = [repr(error)]
            os.write(3, ", ".join(found).encode())
            os._exit(0)
        os.close(writing)
        found = _read_all(reading).decode()
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        return found or ("" if status == 0 else f"the test child ended with status {status}")


class Watch:
    """Ends a child that outlives its budget; a tick from the parent starts the next test's budget."""

    def __init__(self, pid, job, control):
        self.pid, self.job, self.control = pid, job, control
        self.clock = (~pid << 3) | 2  # the CPU clock of another process, as clock_getcpuclockid(3) makes it
        self.started = self.test_wall = time.monotonic()
        self.test_cpu = 0.0

    def wait(self):
        """Wait for the end; returns why the child was killed by us, or None."""
        handle = os.pidfd_open(self.pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(self.control.fileno(), select.POLLIN)
        killed = None
        try:
            while True:
                ready = {fd for fd, _ in poll.poll(max(1, min(1000, int(self.left() * 1000) + 1)))}
                if handle in ready:
                    return killed
                why = self.listen() if self.control.fileno() in ready else None
                why = why or self.overdue()
                if why and killed is None:
                    killed = why
                    os.kill(self.pid, signal.SIGKILL)
        finally:
            os.close(handle)

    def cpu(self):
        """CPU seconds used by the child."""
        try:
            return time.clock_gettime(self.clock)
        except OSError:
            return 0.0

    def left(self):
        """Seconds until the next check can find anything."""
        now = time.monotonic()
        wall = min(self.test_wall + self.job["wall_s"], self.started + self.job["job_wall_s"]) - now
        return max(0.002, min(wall, self.test_cpu + self.job["cpu_s"] - self.cpu()))

    def overdue(self):
        """Which budget is used up."""
        now = time.monotonic()
        if self.cpu() - self.test_cpu >= self.job["cpu_s"] or self.cpu() >= self.job["job_cpu_s"]:
            return "cpu"
        late = now - self.test_wall >= self.job["wall_s"] or now - self.started >= self.job["job_wall_s"]
        return "wall" if late else None

    def listen(self):
        """A tick (a test has ended) or the order to stop; a closed socket is one too."""
        word = self.control.recv(64)
        if word == b"t":
            self.test_wall, self.test_cpu = time.monotonic(), self.cpu()
            return None
        return "cancel"


def _breaches():
    """What a restricted child could still do that it must not."""
    tries = {
        "read /etc/passwd": lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)),
        "write a file": lambda: os.close(os.open("/tmp/gasp-env-self-test", os.O_WRONLY | os.O_CREAT)),  # noqa: S108
        "open a socket": lambda: socket.socket().close(),
        "fork": _fork_once,
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    found = []
    for name, attempt in tries.items():
        try:
            attempt()
        except OSError:
            continue
        found.append(name)
    return found


def _fork_once():
    if os.fork() == 0:
        os._exit(0)


def _can_change_user():
    """True with the capabilities SETUID (7) and SETGID (6)."""
    with open("/proc/self/status") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return effective >> 6 & 3 == 3


def _virtual_memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _read_all(handle):
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _open_null():
    return os.open(NULL, os.O_RDWR)


def _free_place(shown):
    """An existing folder that holds nothing we need to show, to mount the new root on."""
    for place in ("/mnt", "/media", "/srv", "/opt", "/home", "/var/tmp", "/tmp"):
        if (
            os.path.isdir(place)
            and not os.path.islink(place)
            and not any(path.startswith(place + "/") for path in shown)
        ):
            return place
    raise OSError(2, "no folder to mount a new root on")


if __name__ == "__main__":
    main()
