"""Groups F and G, continued: every door of the kernel that a program might try."""

from gasp_env.sandbox.corpus.record import ALIVE, FAULTS, REFUSED, Attack, Verdict, hostile
from gasp_env.types import Limits

__all__ = ("ATTACKS",)

_FORBIDDEN = (Verdict.FORBIDDEN,)
_GONE = (Verdict.MEMORY, Verdict.RUNTIME_ERROR, Verdict.TIMEOUT)
_ALARMED = (Verdict.RUNTIME_ERROR,)

_F = (
    hostile(
        id="F3b",
        tries="memory that no limit counts",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import mmap\ndef f(x): return tried(memfd=lambda: os.memfd_create('x'), shared=lambda: mmap.mmap(-1, 8 << 30),\n"
            "    secret=lambda: syscall(447, 0), stdout=lambda: os.posix_fallocate(1, 0, 1 << 30),\n"
            "    locked=lambda: syscall(151 if X86 else 230, 1))"
        ),
    ),
    hostile(
        id="F3c",
        tries="fill every pipe's buffer",
        allowed=(*ALIVE, Verdict.TIMEOUT),
        program=(
            "import fcntl\ndef f(x):\n    kept = []\n    try:\n        while True:\n            r, w = os.pipe()\n"
            "            kept.append((r, w))\n            os.set_blocking(w, False)\n"
            "            try: fcntl.fcntl(w, 1031, 1 << 20)\n            except OSError: pass\n"
            "            try: os.write(w, bytes(1 << 20))\n            except OSError: pass\n    except OSError: pass\n"
            "    return len(kept) < 40"
        ),
    ),
    hostile(
        id="F4b",
        tries="fork by a bare system call",
        allowed=_FORBIDDEN,
        program="def f(x): return syscall(56 if X86 else 220, 17, 0, 0, 0, 0)",
    ),
    hostile(
        id="F6b",
        tries="write a big file anywhere",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def fill(path):\n    with open(path, 'wb') as file:\n        for _ in range(1024): file.write(bytes(1 << 20))\n"
            "def f(x): return tried(**{path: lambda path=path: fill(path + '/@MARK@')\n"
            "    for path in ('/tmp', '/dev/shm', '/var/tmp', '.', '@DIR@', os.path.dirname(os.__file__))})"
        ),
    ),
    hostile(
        id="F7e",
        tries="flood descriptor 1",
        allowed=(Verdict.OUTPUT_LIMIT,),
        program="def f(x):\n    while True: os.write(1, b'x' * 65536)",
    ),
    hostile(
        id="F7f",
        tries="results of 1 MB in each of 40 tests",
        allowed=(Verdict.OK, Verdict.OUTPUT_LIMIT, Verdict.SKIPPED),
        inputs=("1",) * 40,
        program="def f(x): return 'x' * 1_000_000",
    ),
    hostile(
        id="F8b",
        tries="recursion through C",
        allowed=_GONE,
        program="sys.setrecursionlimit(10 ** 9)\nclass R:\n    def __repr__(self): return repr(self)\ndef f(x): return repr(R())",
    ),
    hostile(
        id="F11b",
        tries="a sparse standard output of 1 TB",
        allowed=(Verdict.OUTPUT_LIMIT, Verdict.RUNTIME_ERROR),
        program="def f(x): os.ftruncate(1, 1 << 40)",
    ),
    hostile(
        id="F12e", tries="eval of a million brackets", allowed=_GONE, program="def f(x): return eval('(' * 10 ** 6)"
    ),
    hostile(
        id="F12f", tries="eval of a million signs", allowed=_GONE, program="def f(x): return eval('-' * 10 ** 6 + '1')"
    ),
    hostile(
        id="F12g",
        tries="a constant for the compiler to fold",
        allowed=FAULTS,
        program="x = 'a' * 4096 * 4096 * 4096\ndef f(x): return 1",
    ),
    hostile(
        id="F12h",
        tries="arguments that are a bomb for the parser",
        allowed=_GONE,
        inputs=("(" * 50_000 + ")" * 50_000, "-" * 100_000 + "1"),
        program="def f(x): return 1",
    ),
    hostile(
        id="F14",
        tries="memory just under the limit, held asleep",
        allowed=(Verdict.TIMEOUT, Verdict.MEMORY),
        limits=Limits(cpu_s=0.3, job_cpu_s=0.3, memory_mb=128),
        program="import time\ndef f(x):\n    kept = bytearray(100 << 20)\n    time.sleep(1e6)",
    ),
)

_CALLS = {
    "setns": (308, 268, "0, 0"),
    "pivot_root": (155, 41, "b'/', b'/'"),
    "chroot": (161, 51, "b'/'"),
    "bpf": (321, 280, "0, None, 0"),
    "perf_event_open": (298, 241, "None, 0, 0, 0, 0"),
    "keyctl": (250, 219, "0, 0"),
    "add_key": (248, 217, "b'user', b'x', b'x', 1, -3"),
    "userfaultfd": (323, 282, "0"),
    "open_by_handle_at": (304, 265, "0, None, 0"),
    "kexec_load": (246, 104, "0, 0, None, 0"),
    "init_module": (175, 105, "None, 0, b''"),
    "reboot": (169, 142, "0, 0, 0, None"),
    "process_madvise": (440, 440, "0, None, 0, 0, 0"),
    "seccomp": (317, 277, "1, 0, None"),
    "personality": (135, 92, "0"),
}
"""No honest program makes them; numbers on x86_64 and aarch64, arguments."""

_SIGNALS = """
def f(x):
    acts = {}
    for pid in (os.getppid(), @PID@, -@PID@, 1, 0, -1):
        for number in (19, 9):
            acts[f"kill {pid} {number}"] = lambda pid=pid, number=number: os.kill(pid, number)
            acts[f"group {pid} {number}"] = lambda pid=pid, number=number: os.killpg(abs(pid), number)
            acts[f"tkill {pid} {number}"] = lambda pid=pid, number=number: syscall(200 if X86 else 130, pid, number)
            acts[f"tgkill {pid} {number}"] = lambda pid=pid, number=number: syscall(234 if X86 else 131, pid, pid, number)
            acts[f"queue {pid} {number}"] = lambda pid=pid, number=number: syscall(129 if X86 else 138, pid, number, bytes(128))
    return tried(**acts)
"""

_G = (
    hostile(id="G1b", tries="signals by every other call", allowed=ALIVE, nothing=True, program=_SIGNALS),
    hostile(
        id="G1c",
        tries="let the kernel signal the host",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import fcntl\ndef f(x): return tried(own=lambda: fcntl.fcntl(3, fcntl.F_SETOWN, @PID@),\n"
            "    extended=lambda: fcntl.fcntl(3, 15, b'\\1\\0\\0\\0' + (@PID@).to_bytes(4, 'little')),\n"
            "    signal=lambda: fcntl.fcntl(3, 10, 9), lease=lambda: fcntl.fcntl(3, 1024, 1))"
        ),
    ),
    hostile(
        id="G1d",
        tries="signal through a process descriptor",
        allowed=REFUSED,
        program="import signal\ndef f(x): signal.pidfd_send_signal(os.pidfd_open(@PID@), 19)",
    ),
    hostile(
        id="G2d",
        tries="posix_spawn",
        allowed=REFUSED,
        program="def f(x): os.posix_spawn('/bin/touch', ['touch', '@DIR@/made'], {})",
    ),
    hostile(
        id="G2e",
        tries="multiprocessing",
        allowed=REFUSED,
        program=(
            "import multiprocessing\ndef f(x):\n"
            "    with multiprocessing.get_context('fork').Pool(2) as pool: return pool.map(abs, [1])"
        ),
    ),
    hostile(
        id="G3b",
        tries="owner, attributes, pipes in the host's folder",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x): return tried(chown=lambda: os.chown('@FILE@', 0, 0), fifo=lambda: os.mkfifo('@DIR@/made'),\n"
            "    xattr=lambda: os.setxattr('@FILE@', 'user.x', b'1'), node=lambda: os.mknod('@DIR@/made'))"
        ),
    ),
    hostile(
        id="G4b",
        tries="limits, its own and the host's",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import resource\ndef f(x): return tried(memory=lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),\n"
            "    cpu=lambda: resource.setrlimit(resource.RLIMIT_CPU, (-1, -1)),\n"
            "    other=lambda: resource.prlimit(@PID@, resource.RLIMIT_NOFILE, (64, 64)))"
        ),
    ),
    hostile(
        id="G5b",
        tries="the host's priority, schedulers",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x): return tried(nice=lambda: os.nice(-5), host=lambda: os.setpriority(0, @PID@, 19),\n"
            "    scheduler=lambda: os.sched_setscheduler(0, 1, os.sched_param(1)),\n"
            "    affinity=lambda: os.sched_setaffinity(@PID@, {0}))"
        ),
    ),
    *(
        hostile(
            id=f"G7-{name}",
            tries=f"the system call {name}",
            allowed=_FORBIDDEN,
            program=f"def f(x): return syscall({x86} if X86 else {arm}, {args})",
        )
        for name, (x86, arm, args) in _CALLS.items()
    ),
    hostile(
        id="G8b",
        tries="the 32-bit gate of system calls",
        allowed=REFUSED,
        program=(
            "import ctypes, mmap\ndef f(x):\n    page = mmap.mmap(-1, 4096, prot=7)\n"
            "    page.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n"
            "    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\n"
            "    return call() if X86 else 1 / 0"
        ),
    ),
    hostile(
        id="G9b",
        tries="a terminal under another name",
        allowed=ALIVE,
        nothing=True,
        program=(
            "import fcntl\ndef f(x): return tried(tty=lambda: open('/dev/tty', 'w'),\n"
            "    **{f'fd{fd}': lambda fd=fd: fcntl.ioctl(fd, 0x5412, b'x') for fd in range(4)})"
        ),
    ),
    hostile(
        id="G10b",
        tries="every device",
        allowed=ALIVE,
        nothing=True,
        program=(
            "NAMES = 'nvidia0 nvidiactl nvidia-uvm mem kmsg kvm fuse sda vda dri/card0 null'.split()\n"
            "def f(x): return tried(**{name: lambda name=name: open('/dev/' + name, 'rb+') for name in NAMES})"
        ),
    ),
    hostile(
        id="G12b",
        tries="die by a signal that dumps core",
        allowed=_ALARMED,
        program="import signal\ndef f(x): signal.raise_signal(signal.SIGQUIT)",
    ),
    hostile(
        id="G13",
        tries="become root again",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x): return tried(uid=lambda: os.setuid(0), gid=lambda: os.setgid(0), groups=lambda: os.setgroups([0]),\n"
            "    all=lambda: os.setresuid(0, 0, 0),\n"
            "    caps=lambda: syscall(126 if X86 else 91, b'\\x22\\5\\x08\\x20\\0\\0\\0\\0', b'\\xff' * 24))"
        ),
    ),
    hostile(
        id="G14",
        tries="a thread with namespaces of its own",
        allowed=REFUSED,
        program="def f(x): return syscall(56 if X86 else 220, 0x50F00 | 0x20000, 0, 0, 0, 0)",
    ),
    hostile(
        id="G15",
        tries="leave the folder, watch the host's files",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x): return tried(chdir=lambda: os.chdir('/'), notify=lambda: syscall(294 if X86 else 26, 0),\n"
            "    fanotify=lambda: syscall(300 if X86 else 262, 0, 0), parent=lambda: os.open('..', os.O_RDONLY))"
        ),
    ),
)

ATTACKS: tuple[Attack, ...] = _F + _G
