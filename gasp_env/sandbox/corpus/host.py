"""Groups G (the host), H (the network), I (what a job leaves behind) and J (determinism and output)."""

from gasp_env.sandbox.corpus.record import Attack, Verdict, attack
from gasp_env.types import InputStyle

__all__ = ("ATTACKS",)

_OK, _ERROR, _KILLED, _GONE = Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.FORBIDDEN, Verdict.NO_RESULT


def _libc(call: str) -> str:
    return f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ndef f(x):\n    return {call}, ctypes.get_errno()"


def _raw(number: int) -> str:
    return _libc(f"libc.syscall(ctypes.c_long({number}), 0, 0, 0, 0, 0, 0)")


_G = (
    attack(
        "G1",
        "signals to the host, to the parent and to all",
        """
import os, signal
def f(x):
    found = []
    for pid in (@PID@, os.getppid(), -1, 0, 1):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try: os.kill(pid, number); found.append(pid)
            except OSError as error: found.append(error.errno)
    return found
""",
        _OK,
        _GONE,
        _ERROR,
    ),
    attack(
        "G2a",
        "subprocess",
        "import subprocess\ndef f(x):\n    return subprocess.run(['touch', '@DIR@/made']).returncode",
        _ERROR,
        _KILLED,
    ),
    attack("G2b", "os.system", "import os\ndef f(x):\n    return os.system('touch @DIR@/made')", _ERROR, _KILLED, _OK),
    attack(
        "G2c",
        "execve",
        "import os\ndef f(x):\n    os.execv('/bin/sh', ['sh', '-c', 'touch @DIR@/made'])",
        _ERROR,
        _KILLED,
    ),
    attack(
        "G3",
        "unlink, rename, chmod, truncate, link",
        """
import os
def f(x):
    found = []
    for act in (lambda: os.unlink("@FILE@"), lambda: os.rename("@FILE@", "@DIR@/made"), lambda: os.chmod("@FILE@", 0),
                lambda: os.truncate("@FILE@", 0), lambda: os.link("@FILE@", "@DIR@/made"), lambda: os.mkdir("@DIR@/made"),
                lambda: os.symlink("@FILE@", "@DIR@/made"), lambda: os.utime("@FILE@", (0, 0)), lambda: open("@FILE@", "a")):
        try: act(); found.append("done")
        except OSError as error: found.append(error.errno)
    return found
""",
        _OK,
    ),
    attack(
        "G4",
        "raise the limits",
        "import resource\ndef f(x):\n    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        _ERROR,
    ),
    attack("G5", "priority and affinity", "import os\ndef f(x):\n    os.setpriority(os.PRIO_PROCESS, 0, -20)", _ERROR),
    attack("G6", "a user namespace of its own", _libc("libc.unshare(0x10000000)"), _KILLED),
    attack("G7a", "mount", _libc("libc.mount(b'none', b'/', b'tmpfs', 0, None)"), _KILLED),
    attack("G7b", "bpf", _raw(321), _KILLED, _OK),
    attack("G7c", "perf_event_open", _raw(298), _KILLED, _OK),
    attack("G7d", "keyctl", _raw(250), _KILLED, _OK),
    attack("G7e", "userfaultfd", _raw(323), _KILLED, _OK),
    attack("G7f", "io_uring_setup", _raw(425), _KILLED, _OK),
    attack("G8", "an x32 call", _raw(0x40000000 + 39), _KILLED, _OK),
    attack("G9", "type into the terminal", "import fcntl\ndef f(x):\n    return fcntl.ioctl(0, 0x5412, b'x')", _ERROR),
    attack("G10", "devices", "def f(x):\n    return open('/dev/mem', 'rb').read(1)", _ERROR),
    attack(
        "G11",
        "a daemon that outlives the job",
        "import os, time\ndef f(x):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(60)\n    return x",
        _KILLED,
        _ERROR,
    ),
    attack(
        "G12",
        "a core dump",
        "import os, resource\ndef f(x):\n    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\n    os.abort()",
        _ERROR,
    ),
)

_H = (
    attack(
        "H1",
        "TCP to a listener of the host",
        "import socket\ndef f(x):\n    socket.create_connection(('127.0.0.1', @TCP@), 1).send(b'x')",
        _ERROR,
    ),
    attack(
        "H2",
        "UDP to a listener of the host",
        "import socket\ndef f(x):\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    s.sendto(b'x', ('127.0.0.1', @UDP@))",
        _ERROR,
    ),
    attack(
        "H3",
        "an abstract Unix socket of the host",
        "import socket\ndef f(x):\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0@UNIX@')\n    s.send(b'x')",
        _ERROR,
    ),
    attack("H4a", "netlink", "import socket\ndef f(x):\n    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", _ERROR),
    attack("H4b", "raw", "import socket\ndef f(x):\n    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", _ERROR),
    attack("H4c", "vsock", "import socket\ndef f(x):\n    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)", _ERROR),
    attack(
        "H5",
        "the cloud's metadata",
        "import urllib.request\ndef f(x):\n    urllib.request.urlopen('http://169.254.169.254/', timeout=1)",
        _ERROR,
    ),
    attack(
        "H6",
        "a pair of sockets that connects elsewhere",
        "import socket\ndef f(x):\n    a, b = socket.socketpair()\n    a.sendto(b'x', '\\0@UNIX@')\n    return 1",
        _ERROR,
        _OK,
    ),
)

_I = (
    attack(
        "I1",
        "patch builtins for the next job",
        "import builtins\nbuiltins.sorted = builtins.len = lambda *a, **k: '@MARK@'\ndef f(x):\n    return sorted([x])",
        _OK,
    ),
    attack(
        "I2",
        "leave a file",
        "def f(x):\n    for where in ('/tmp/@MARK@', '/dev/shm/@MARK@', '@DIR@/made'):\n        open(where, 'w')",
        _ERROR,
    ),
    attack(
        "I3",
        "leave seeds, environment, locale, decimal context",
        """
import decimal, locale, os, random, sys
def f(x):
    random.seed(1); os.environ["X"] = "@MARK@"; decimal.getcontext().prec = 2; sys.setrecursionlimit(60)
    return x
""",
        _OK,
        _ERROR,
    ),
    attack(
        "I4",
        "leave a thread",
        "import threading, time\ndef f(x):\n    threading.Thread(target=time.sleep, args=(99,)).start()\n    return x",
        _OK,
        Verdict.TIMEOUT,
    ),
    attack(
        "I5",
        "leave an import hook",
        "import sys\nsys.path.insert(0, '@DIR@')\nsys.meta_path.insert(0, None)\ndef f(x):\n    return x",
        _OK,
    ),
)

_J = (
    attack(
        "J6",
        "a script that prints a part and leaves",
        "print('@MARK@'[:2])\nraise SystemExit(0)",
        _OK,
        style=InputStyle.STDIN,
        inputs=("",),
    ),
    attack(
        "J9",
        "print, do not flush, leave",
        "import os\nprint('1')\nos._exit(0)",
        _GONE,
        style=InputStyle.STDIN,
        inputs=("",),
    ),
    attack(
        "J10",
        "write below print",
        "import os\nprint('a')\nos.write(1, b'b\\n')\nprint('c')",
        _OK,
        style=InputStyle.STDIN,
        inputs=("",),
    ),
)

ATTACKS: tuple[Attack, ...] = _G + _H + _I + _J
