"""Groups E (time) and F (memory, processes, disk)."""

from gasp_env.sandbox.corpus.record import QUICK, Attack, Verdict, attack
from gasp_env.types import InputStyle, Limits

__all__ = ("ATTACKS",)

_OK, _ERROR, _SLOW = Verdict.OK, Verdict.RUNTIME_ERROR, Verdict.TIMEOUT
_FULL, _KILLED, _FLOOD = Verdict.MEMORY, Verdict.FORBIDDEN, Verdict.OUTPUT_LIMIT

_E = (
    attack(
        "E1",
        "loop in a bare except",
        "def f(x):\n    while True:\n        try:\n            while True: pass\n        except: pass",
        _SLOW,
    ),
    attack(
        "E2",
        "ignore every signal, cancel the alarm",
        """
import signal
def f(x):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.alarm(0)
    while True: pass
""",
        _SLOW,
    ),
    attack("E3", "sleep for days", "import time\ndef f(x):\n    time.sleep(10**6)", _SLOW),
    attack("E4a", "one long call in C", "def f(x):\n    return 3 ** (10 ** 9)", _SLOW, _FULL),
    attack(
        "E4b",
        "a regex that backtracks",
        "import re\ndef f(x):\n    return bool(re.match('(a+)+$', 'a' * 64 + 'b'))",
        _SLOW,
    ),
    attack(
        "E5",
        "a thread that never ends",
        "import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin).start()\ndef f(x):\n    return x",
        _OK,
        _SLOW,
    ),
    attack(
        "E6",
        "just under the limit, a hundred times",
        "import time\ndef f(x):\n    end = time.process_time() + 0.4\n    while time.process_time() < end: pass\n    return x",
        _OK,
        _SLOW,
        Verdict.SKIPPED,
        inputs=tuple(map(str, range(100))),
    ),
    attack("E7", "input() with no input", "def f(x):\n    return input()", _ERROR),
    attack(
        "E8",
        "busy at exit",
        "import atexit\ndef spin():\n    while True: pass\natexit.register(spin)\nprint(1)",
        _OK,
        _SLOW,
        style=InputStyle.STDIN,
        inputs=("",),
    ),
)

_F = (
    attack("F1", "8 GB at once", "def f(x):\n    return len(bytearray(8 << 30))", _FULL),
    attack(
        "F2",
        "eat memory, catch the error, go on",
        "def f(x):\n    kept = []\n    while True:\n        try: kept.append(bytearray(1 << 20))\n        except MemoryError: pass",
        _FULL,
        _SLOW,
    ),
    attack(
        "F3",
        "anonymous files and shared maps",
        """
import mmap, os
def f(x):
    fd = os.memfd_create("m")
    os.truncate(fd, 4 << 30)
    area = mmap.mmap(fd, 4 << 30)
    for at in range(0, 4 << 30, 4096): area[at] = 1
""",
    ),
    attack("F4", "fork bomb", "import os\ndef f(x):\n    while True: os.fork()", _KILLED),
    attack(
        "F5",
        "3,000 threads",
        """
import threading, time
def f(x):
    threading.stack_size(1 << 20)
    for _ in range(3000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
""",
        _ERROR,
        _FULL,
        _SLOW,
    ),
    attack(
        "F6",
        "write a file of 1 GB",
        """
def f(x):
    with open("@DIR@/big", "wb") as file:
        for _ in range(1024): file.write(bytes(1 << 20))
""",
        _ERROR,
        _KILLED,
    ),
    attack("F7a", "flood stdout", "def f(x):\n    while True: print('a' * 65536)", _FLOOD, _SLOW),
    attack(
        "F7b",
        "flood stderr",
        "import sys\ndef f(x):\n    while True: sys.stderr.write('a' * 65536)",
        _FLOOD,
        _SLOW,
        _ERROR,
    ),
    attack(
        "F7c",
        "flood the report",
        "import os\ndef f(x):\n    while True: os.write(3, b'\\0' * 65536)",
        Verdict.PROTOCOL_ERROR,
        _FLOOD,
    ),
    attack(
        "F7d",
        "flood stdout of a script",
        "while True: print('a' * 65536)",
        _FLOOD,
        style=InputStyle.STDIN,
        inputs=("",),
    ),
    attack(
        "F8",
        "recursion until the stack ends",
        "import sys\nsys.setrecursionlimit(10**9)\ndef g(x):\n    return [*map(g, [x])]\ndef f(x):\n    return g(x)",
        _ERROR,
        _FULL,
    ),
    attack("F9", "recursion until Python stops it", "def f(x):\n    return f(x)", _ERROR),
    attack("F10", "use up every descriptor", "import os\ndef f(x):\n    while True: os.dup(0)", _ERROR),
    attack(
        "F11",
        "a sparse file of a terabyte",
        "import os\ndef f(x):\n    fd = os.memfd_create('m')\n    os.ftruncate(fd, 1 << 40)\n    return os.fstat(fd).st_size",
        _ERROR,
        _FLOOD,
        _KILLED,
    ),
    attack("F12a", "a million brackets to compile", "(" * 10**5, _ERROR, _FULL),
    attack("F12b", "a long chain to compile", "x = " + "-" * 10**5 + "1", _ERROR, _FULL),
    attack("F12c", "a million digits to read", "def f(x):\n    return int('9' * 10**7)", _ERROR, _SLOW),
    attack("F12d", "source over the limit", "#" * (1 << 19) + "\ndef f(x): return x", _ERROR),
    attack(
        "F13",
        "more tests than the job's budget",
        "def f(x):\n    while True: pass",
        _SLOW,
        Verdict.SKIPPED,
        inputs=tuple("123456789"),
        limits=Limits(cpu_s=QUICK.cpu_s, job_cpu_s=1.0, memory_mb=256, output_bytes=1 << 20),
    ),
)

ATTACKS: tuple[Attack, ...] = _E + _F
