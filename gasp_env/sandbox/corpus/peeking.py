"""Groups C (reading what is not the program's) and D (forging reports)."""

from gasp_env.sandbox.corpus.record import Attack, Verdict, attack

__all__ = ("ATTACKS",)

_OK, _ERROR, _GONE = Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.NO_RESULT
_FORGED, _ODD, _KILLED = Verdict.PROTOCOL_ERROR, Verdict.UNENCODABLE, Verdict.FORBIDDEN

_FRAME = """
import os, struct
def frame(index, kind, body=b""):
    return struct.pack("<IIB", len(body), index, kind) + body
def everywhere(data):
    for fd in range(64):
        try: os.write(fd, data)
        except OSError: pass
"""

_C = (
    attack(
        "C1",
        "walk the stack for answers",
        """
import sys
def f(x):
    found, frame = [], sys._getframe(1)
    while frame:
        found.append(repr(sorted(frame.f_locals.items(), key=str))[:20000])
        frame = frame.f_back
    return found
""",
    ),
    attack(
        "C2",
        "every object that the collector knows",
        """
import gc
def f(x):
    return [repr(one)[:200] for one in gc.get_objects() if type(one) in (dict, list, tuple)][:3000]
""",
    ),
    attack(
        "C3",
        "every loaded module",
        """
import sys
def f(x):
    return [name + repr(sorted(vars(one))[:40]) for name, one in list(sys.modules.items())][:400]
""",
    ),
    attack("C4a", "read a file of the host", "def f(x):\n    return open('@FILE@').read()", _ERROR),
    attack(
        "C4b",
        "read it below Python",
        "import os\ndef f(x):\n    fd = os.open('@FILE@', os.O_RDONLY)\n    return os.read(fd, 99)",
        _ERROR,
    ),
    attack("C4c", "list its folder", "import os\ndef f(x):\n    return os.listdir('@DIR@')", _ERROR),
    attack(
        "C5",
        "/proc of the host process",
        """
import os
def f(x):
    found = []
    for pid in ("@PID@", str(os.getppid()), "1", "self"):
        for name in ("environ", "cmdline", "mem", "fd/0", "maps", "root@FILE@", "cwd"):
            try: found.append(open(f"/proc/{pid}/{name}", "rb").read(4096))
            except OSError as error: found.append(error.errno)
    return found
""",
    ),
    attack("C6a", "ptrace", "import ctypes\ndef f(x):\n    return ctypes.CDLL(None).ptrace(16, @PID@, 0, 0)", _KILLED),
    attack(
        "C6b",
        "process_vm_readv",
        "import ctypes\ndef f(x):\n    return ctypes.CDLL(None).process_vm_readv(@PID@, None, 0, None, 0, 0)",
        _KILLED,
    ),
    attack("C7", "the environment", "import os\ndef f(x):\n    return dict(os.environ), os.getenv('@ENV@')", _OK),
    attack(
        "C8",
        "inherited descriptors",
        """
import os
def f(x):
    found = []
    for fd in range(4096):
        try: found.append((fd, os.read(fd, 4096)))
        except OSError: pass
    return found
""",
        _OK,
        _ERROR,
        Verdict.TIMEOUT,
    ),
    attack(
        "C9",
        "the last job in this process's memory",
        """
import gc
def f(x):
    return [one for one in gc.get_objects() if "@MARK@"[:12] in repr(one)[:500]] and "found"
""",
        _OK,
        _ODD,
        _ERROR,
    ),
    attack(
        "C10",
        "shared memory",
        """
import ctypes, os
def f(x):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    here = libc.shmat(@SHM@, None, 0)
    if here not in (None, 2**64 - 1):
        return ctypes.string_at(here, 32)
    return os.listdir("/dev/shm")
""",
        _ERROR,
        _KILLED,
        _OK,
    ),
)

_D = (
    attack(
        "D1",
        "a forged value on every descriptor, then leave",
        _FRAME + "def f(x):\n    everywhere(frame(0, 2, b'i1;'))\n    os._exit(0)",
        _OK,
        _FORGED,
        _GONE,
    ),
    attack(
        "D2a",
        "two results for one test",
        _FRAME + "def f(x):\n    everywhere(frame(0, 2, b'i1;') * 2)\n    return x",
        _FORGED,
    ),
    attack(
        "D2b",
        "bytes after the end",
        _FRAME + "def f(x):\n    everywhere(frame(0, 2, b'i1;') + frame(0, 5) + b'more')\n    os._exit(0)",
        _FORGED,
    ),
    attack(
        "D3",
        "half a frame",
        _FRAME + "def f(x):\n    os.write(3, frame(0, 2, b'i1;')[:7])\n    os._exit(0)",
        _GONE,
        _FORGED,
    ),
    attack(
        "D4a",
        "more results than tests",
        _FRAME + "def f(x):\n    everywhere(b''.join(frame(i, 2, b'i1;') for i in range(9)))\n    return x",
        _FORGED,
    ),
    attack("D4b", "done before a result", _FRAME + "def f(x):\n    everywhere(frame(0, 5))\n    os._exit(0)", _FORGED),
    attack(
        "D5", "a length of 4 GB", _FRAME + "def f(x):\n    everywhere(struct.pack('<IIB', 0xFFFFFFFF, 0, 2))", _FORGED
    ),
    attack(
        "D6",
        "patch what the harness may use",
        """
import builtins, json, os, struct, sys
def f(x):
    for name in ("repr", "len", "str", "bytes", "type", "isinstance", "sorted", "list", "int"):
        setattr(builtins, name, lambda *a, **k: 42)
    json.dumps = json.loads = lambda *a, **k: "42"
    struct.pack = lambda *a: b"\\0" * 9
    sys.modules["struct"] = None
    return x
""",
    ),
    attack(
        "D7",
        "patch sys.stdout and print",
        "import sys, builtins\nclass Out:\n    def write(self, t): return 1 / 0\n    def flush(self): return 1 / 0\n"
        "def f(x):\n    sys.stdout = sys.__stdout__ = Out()\n    builtins.print = None\n    return x",
        _OK,
        _ERROR,
    ),
    attack(
        "D8",
        "trace, profile and audit the harness",
        """
import sys
seen = []
def spy(*a):
    seen.append(repr(a)[:200])
    return spy
def f(x):
    sys.settrace(spy); sys.setprofile(spy); sys.addaudithook(lambda *a: seen.append(repr(a)[:200]))
    return x
""",
    ),
    attack(
        "D9a",
        "an error report that is a JSON bomb",
        _FRAME + "def f(x):\n    everywhere(frame(0, 4, b'[' * 4000))\n    os._exit(0)",
        _FORGED,
    ),
    attack(
        "D9b",
        "a value that is not UTF-8",
        _FRAME + "def f(x):\n    everywhere(frame(0, 2, b'\\xff\\xfe'))\n    os._exit(0)",
        _FORGED,
    ),
    attack(
        "D9c",
        "a value that is no canonical text",
        _FRAME + "def f(x):\n    everywhere(frame(0, 2, b'[' * 60))\n    os._exit(0)",
        _FORGED,
    ),
    attack(
        "D10",
        "close every descriptor and hang",
        "import os, time\ndef f(x):\n    os.closerange(0, 64)\n    time.sleep(1000)",
        Verdict.TIMEOUT,
    ),
    attack(
        "D11",
        "results in another order",
        _FRAME + "def f(x):\n    everywhere(frame(1, 2, b'i1;') + frame(0, 2, b'i2;'))\n    os._exit(0)",
        _FORGED,
        inputs=("1", "2"),
    ),
)

ATTACKS: tuple[Attack, ...] = _C + _D
