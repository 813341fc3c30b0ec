"""Security never breaks honest programs: what ordinary Python does works under every layer."""

import pytest

from gasp_env.errors import SandboxUnavailable
from gasp_env.play import LoopThread
from gasp_env.sandbox import open_local
from gasp_env.types import InputStyle, Job, Limits, Verdict
from gasp_env.values import encode

EASY = Limits(cpu_s=5.0, job_cpu_s=10.0, memory_mb=512)


def opened(level, **options):
    with LoopThread() as loop:
        try:
            sandbox = loop.run(open_local(level=level, require=level, slots=1, **options))
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        yield lambda *jobs: loop.run(sandbox.run(jobs))
        loop.run(sandbox.close())


@pytest.fixture(scope="module", params=["L3", "L2"])
def run(request):
    yield from opened(request.param)


@pytest.fixture(scope="module")
def strict():
    yield from opened("L1")


def value(run, program, text="1", **fields):
    (outcome,) = run(Job(program=program, inputs=(text,), limits=EASY, **fields))
    (test,) = outcome.tests
    assert test.verdict is Verdict.OK, test
    return test.value


ORDINARY = {
    "threads": """
import threading
def f(x):
    found = []
    threads = [threading.Thread(target=found.append, args=(i,)) for i in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
    return sorted(found) == list(range(8))
""",
    "a thread pool": """
from concurrent.futures import ThreadPoolExecutor
def f(x):
    with ThreadPoolExecutor(4) as pool: return list(pool.map(abs, range(-9, 0))) == list(range(9, 0, -1))
""",
    "deep recursion": """
import sys
sys.setrecursionlimit(100_000)
def g(n): return 0 if n == 0 else 1 + g(n - 1)
def f(x): return g(50_000) == 50_000
""",
    "deep recursion in a thread with a large stack": """
import sys, threading
sys.setrecursionlimit(100_000)
threading.stack_size(256 << 20)
def g(n): return 0 if n == 0 else 1 + g(n - 1)
def f(x):
    found = []
    t = threading.Thread(target=lambda: found.append(g(50_000)))
    t.start(); t.join()
    return found == [50_000]
""",
    "a database in memory": """
import sqlite3
def f(x):
    db = sqlite3.connect(":memory:")
    db.execute("create table t (a int)")
    db.executemany("insert into t values (?)", [(i,) for i in range(10)])
    return db.execute("select sum(a) from t").fetchone() == (45,)
""",
    "asyncio": """
import asyncio
async def main(): return await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3)))
def f(x): return asyncio.run(main()) == [0, 1, 2]
""",
    "ids and hashes": """
import hashlib, secrets, uuid
def f(x): return (len(uuid.uuid4().hex), len(secrets.token_hex(4)), hashlib.sha256(b"a").hexdigest()[:4]) == (32, 8, "ca97")
""",
    "times": """
import datetime, time
def f(x):
    time.sleep(0.01)
    return datetime.datetime.now().year > 2000 and time.localtime().tm_year > 2000 and time.perf_counter() > 0
""",
    "a timer": """
import signal
def f(x):
    found = []
    signal.signal(signal.SIGALRM, lambda *_: found.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    return found == [1]
""",
    "logging": "import logging\ndef f(x):\n    logging.warning('a')\n    return True",
    "facts of the machine": """
import os, platform, sys
def f(x): return os.cpu_count() > 0 and len(os.sched_getaffinity(0)) > 0 and platform.system() == "Linux" and sys.maxsize > 0
""",
    "lazy imports": """
def f(x):
    import email.message, http.client, lzma, bz2, ssl, unittest, xml.etree.ElementTree, csv, argparse, difflib, pprint, graphlib
    return xml.etree.ElementTree.fromstring("<a b='c'/>").get("b") == "c"
""",
    "exact numbers": """
from decimal import Decimal, getcontext
from fractions import Fraction
def f(x):
    getcontext().prec = 50
    return str(Decimal(2).sqrt())[:6] == "1.4142" and Fraction(1, 3) * 3 == 1
""",
    "generators, decorators, dataclasses, enums": """
import functools, enum, dataclasses
@dataclasses.dataclass(frozen=True, order=True)
class P: a: int
class E(enum.Enum): A = 1
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def f(x): return fib(200) % 1000 == 525 and min(P(2), P(1)) == P(1) and E(1) is E.A and sum(i for i in range(4)) == 6
""",
    "pattern matching, walrus, three-argument pow": """
def f(x):
    match [1, 2]:
        case [a, b] if (c := a + b) == 3: return pow(c, -1, 7) == 5
""",
    "big memory below the limit": "def f(x): return len(bytearray(300 << 20)) > 0",
    "exec and eval of its own": "def f(x):\n    space = {}\n    exec('y = 2', space)\n    return eval('y + 1', space) == 3",
    "pickle and copy of its own": "import copy, pickle\nclass A: pass\ndef f(x): return pickle.loads(pickle.dumps([1])) == copy.deepcopy([1])",
    "collector": "import gc\ndef f(x):\n    a = []\n    a.append(a)\n    del a\n    return gc.collect() >= 1 and gc.isenabled()",
    "text in memory": "import io\ndef f(x):\n    b = io.StringIO()\n    print('a', file=b)\n    return b.getvalue() == 'a\\n'",
    "printing beside the result": "def f(x):\n    print('noise', flush=True)\n    return True",
    "global names": "count = 0\ndef f(x):\n    global count\n    count += 1\n    return count == 1",
    "star import of builtins": "from builtins import *\nfrom math import *\nfrom collections import *\ndef f(x): return floor(2.5) == 2",
    "main guard": "def f(x): return True\nif __name__ == '__main__':\n    raise SystemExit(1)",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_programs_run(run, name):
    assert value(run, ORDINARY[name]) == "T"


WITHOUT_FILES = [name for name in ORDINARY if name != "lazy imports"]


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_most_run_where_no_file_can_be_opened(strict, name):
    """Level L1: what is imported most is there already."""
    assert value(strict, ORDINARY[name]) == "T"


@pytest.fixture(scope="module")
def science():
    yield from opened("L2", site_packages=True)


def test_numpy(science):
    program = """
import numpy as np
def f(x):
    a = np.arange(9.0).reshape(3, 3) + np.eye(3)
    ok = np.allclose(a @ np.linalg.inv(a), np.eye(3)) and abs(np.fft.fft(np.ones(8))[0] - 8) < 1e-9
    return bool(ok and np.random.default_rng(1).integers(9) >= 0)
"""
    assert value(science, program) == "T"


REFUSED = {
    "processes": ("import os\ndef f(x): os.fork()", Verdict.FORBIDDEN),
    "pools of processes": (
        "import multiprocessing\ndef f(x):\n    with multiprocessing.Pool(2) as p: return p.map(abs, [1])",
        Verdict.RUNTIME_ERROR,
    ),
    "temporary files": ("import tempfile\ndef f(x): tempfile.TemporaryFile()", Verdict.RUNTIME_ERROR),
    "the root folder": ("import os\ndef f(x): return os.listdir('/')", Verdict.RUNTIME_ERROR),
    "sockets": ("import socket\ndef f(x): return socket.socket().fileno()", Verdict.RUNTIME_ERROR),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_so(run, name):
    program, verdict = REFUSED[name]
    (outcome,) = run(Job(program=program, inputs=("1",), limits=EASY))
    assert outcome.tests[0].verdict in (verdict, Verdict.FORBIDDEN)


SCRIPTS = {
    "input": "print(sum(int(input()) for _ in range(2)))",
    "lines": "import sys\nprint(sum(int(line) for line in sys.stdin))",
    "read": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "readline": "import sys\ninput = sys.stdin.readline\nprint(int(input()) + int(input()))",
    "readlines": "from sys import stdin\nprint(sum(map(int, stdin.readlines())))",
    "buffer": "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
    "buffer lines": "import sys\nr = sys.stdin.buffer.readline\nprint(int(r()) + int(r()))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "open(0) again": "a, b = map(int, open(0))\nprint(a + b)",
    "os.read": "import os\nprint(sum(map(int, os.read(0, 99).split())))",
    "fileinput": "import fileinput\nprint(sum(int(line) for line in fileinput.input()))",
    "a thread, joined": "import threading\ndef main():\n    print(int(input()) + int(input()))\nt = threading.Thread(target=main)\nt.start()\nt.join()",
    "a thread, left": "import threading, sys\nsys.setrecursionlimit(10**6)\nthreading.stack_size(64 << 20)\ndef main():\n    print(int(input()) + int(input()))\nthreading.Thread(target=main).start()",
    "main guard": "def main():\n    print(int(input()) + int(input()))\nif __name__ == '__main__':\n    main()",
    "global": "total = 0\ndef add():\n    global total\n    total += int(input())\nadd()\nadd()\nprint(total)",
    "exit": "import sys\nprint(int(input()) + int(input()))\nsys.exit(0)",
    "raise SystemExit": "print(int(input()) + int(input()))\nraise SystemExit",
    "exit()": "print(int(input()) + int(input()))\nexit()",
    "quit()": "print(int(input()) + int(input()))\nquit()",
    "write": "import sys\nsys.stdout.write(str(int(input()) + int(input())) + '\\n')",
    "os.write": "import os\nos.write(1, str(int(input()) + int(input())).encode() + b'\\n')",
    "buffer write": "import sys\nsys.stdout.buffer.write(b'%d\\n' % (int(input()) + int(input())))",
    "StringIO": "import io, os, sys\nsys.stdin = io.StringIO(os.read(0, 99).decode())\nprint(int(input()) + int(input()))",
    "print at exit": "import atexit\natexit.register(print, int(input()) + int(input()))",
    "redirected": "import io, sys\nout, sys.stdout = sys.stdout, io.StringIO()\ntotal = int(input()) + int(input())\nsys.stdout = out\nprint(total)",
    "preamble": "from string import *\nfrom re import *\nfrom builtins import *\nfrom typing import *\nimport math\nprint(pow(int(input()) + int(input()), 1, 1000))",
    "recursion": "import sys\nsys.setrecursionlimit(10**6)\ndef g(n): return 0 if n == 0 else 1 + g(n - 1)\nprint(g(30_000) - 30_000 + int(input()) + int(input()))",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_as_contests_have_them(run, name):
    (outcome,) = run(Job(program=SCRIPTS[name], inputs=("1\n2\n", "30\n12"), style=InputStyle.STDIN, limits=EASY))
    assert [(test.verdict, test.stdout) for test in outcome.tests] == [(Verdict.OK, "3\n"), (Verdict.OK, "42\n")]


def test_tests_of_a_script_share_nothing(run):
    program = "import sys, random\ntry:\n    sys.seen += 1\nexcept AttributeError:\n    sys.seen = 1\nprint('x' in globals())\nx = 1"
    (outcome,) = run(Job(program=program, inputs=("", ""), style=InputStyle.STDIN, limits=EASY))
    assert [test.stdout for test in outcome.tests] == ["False\n", "False\n"]


FUNCTIONAL = """
from typing import List, Optional
class Solution:
    def __init__(self): self.seen = 0
    def total(self, nums: List[int], names: List[str], table: Optional[dict] = None) -> tuple:
        self.seen += 1
        return sum(nums) + (0xbeef if table is None else len(table)) - 0xbeef * (table is None), names[::-1], self.seen
"""


def test_functions_as_contests_have_them(run):
    job = Job(
        program=FUNCTIONAL,
        inputs=('[1, 2]\n["a", "b"]', '[1e2, -3]\n["\\u00e9"]\n{"a": null}'),
        style=InputStyle.JSON,
        entry="Solution().total",
        limits=EASY,
    )
    (outcome,) = run(job)
    assert [test.value for test in outcome.tests] == [encode((3, ["b", "a"], 1)), encode((98.0, ["é"], 1))]


def test_a_large_input_arrives_whole(run):
    (outcome,) = run(
        Job(program="def f(x): return len(x), sum(x)", inputs=("[" + "7," * 400_000 + "]",), limits=EASY),
    )
    assert outcome.tests[0].value == encode((400_000, 2_800_000))
    (outcome,) = run(Job(program="print(len(input()))", inputs=("x" * 3_000_000,), style=InputStyle.STDIN, limits=EASY))
    assert outcome.tests[0].stdout == "3000000\n"
