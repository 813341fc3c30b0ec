"""The local sandbox runs honest programs right, and names what goes wrong."""

import asyncio
import math
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gasp_env.sandbox import open_local
from gasp_env.types import InputStyle, Job, Limits, Verdict
from gasp_env.values import encode

QUICK = Limits(cpu_s=0.5, job_cpu_s=1.5, memory_mb=256)


def run(*jobs, **options):
    async def main():
        async with await open_local(**options) as sandbox:
            return await sandbox.run(jobs)

    return asyncio.run(main())


def verdicts(program, inputs=("1",), **fields):
    (outcome,) = run(Job(program=program, inputs=inputs, **({"limits": QUICK} | fields)))
    return [test.verdict for test in outcome.tests]


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("def f(x):\n    while True: pass", Verdict.TIMEOUT),
        ("def f(x):\n    import time\n    time.sleep(100)", Verdict.TIMEOUT),
        ("def f(x):\n    raise SystemExit", Verdict.RUNTIME_ERROR),
        ("import sys\nsys.exit(0)", Verdict.RUNTIME_ERROR),
        ("import os\nos._exit(0)", Verdict.NO_RESULT),
        ("import os\nos.abort()", Verdict.RUNTIME_ERROR),
        ("def f(x):\n    return bytearray(8 << 30)", Verdict.MEMORY),
        ("def f(x):\n    return 'a' * (5 << 20)", Verdict.OUTPUT_LIMIT),
        ("def f(x):\n    print('a' * (9 << 20))", Verdict.OUTPUT_LIMIT),
        ("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)", Verdict.FORBIDDEN),
        ("import os\nos.fork()", Verdict.FORBIDDEN),
        ("import socket\nsocket.socket()", Verdict.RUNTIME_ERROR),
        ("open('/etc/passwd')", Verdict.RUNTIME_ERROR),
        ("open('/tmp/x', 'w')", Verdict.RUNTIME_ERROR),
        ("import os\nos.kill(os.getppid(), 9)", Verdict.RUNTIME_ERROR),
        ("def f(x):\n    return lambda: 1", Verdict.UNENCODABLE),
        (
            "class Liar(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\ndef f(x): return Liar()",
            Verdict.UNENCODABLE,
        ),
        ("def g(x): return 1", Verdict.RUNTIME_ERROR),
        ("def f(x) return 1", Verdict.RUNTIME_ERROR),
        (
            "import os\nfor fd in range(64):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass",
            Verdict.PROTOCOL_ERROR,
        ),
    ],
)
def test_what_goes_wrong(program, verdict):
    assert verdicts(program) == [verdict]


def test_tests_behind_a_dead_one_go_on():
    program = "import os\ndef f(x):\n    if x == 2: os._exit(1)\n    return x"
    assert verdicts(program, ("1", "2", "3")) == [Verdict.OK, Verdict.NO_RESULT, Verdict.OK]
    assert verdicts(program, ("1", "2", "3"), stop_early=True) == [Verdict.OK, Verdict.NO_RESULT, Verdict.SKIPPED]


def test_standard_input_is_real():
    program = (
        "import sys, os, threading\n"
        "def main():\n"
        "    first = input()\n"
        "    rest = [line.strip() for line in sys.stdin]\n"
        "    print(first, rest)\n"
        "    sys.stdout.flush()\n"
        "    os.write(1, b'raw\\n')\n"
        "threading.Thread(target=main).start()\n"
    )
    other = "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nprint(open(0).read() == '')\nsys.exit()"
    first, second = run(
        *(Job(program=text, inputs=("1\n2\n3\n", "4\n"), style=InputStyle.STDIN) for text in (program, other))
    )
    assert [test.stdout for test in first.tests] == ["1 ['2', '3']\nraw\n", "4 []\nraw\n"]
    assert [test.stdout for test in second.tests] == ["6\nTrue\n", "4\nTrue\n"]


def test_styles_and_entries():
    solution = "class Solution:\n    def add(self, a, b):\n        a.append(b)\n        return a"
    method, literal = run(
        Job(program=solution, inputs=("[1]\n2", "[1]\n3"), style=InputStyle.JSON, entry="Solution().add"),
        Job(program="def f(a, b=2): return (a, b)", inputs=("[1], 'x'", "1", "(1, 2), 3")),
    )
    assert [test.value for test in method.tests] == [encode([1, 2]), encode([1, 3])]
    assert [test.value for test in literal.tests] == [encode(([1], "x")), encode((1, 2)), encode(((1, 2), 3))]


def test_lanes_differ():
    program = "def f(x): return list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})"
    first, again, other = run(*(Job(program=program, inputs=("1",), hash_seed=seed) for seed in (0, 0, 1)))
    assert first.tests == again.tests != other.tests


def test_cancelling_leaves_a_working_pool():
    async def main():
        async with await open_local(slots=1) as sandbox:
            endless = Job(program="while True: pass", inputs=("1",))
            for _ in range(5):
                task = asyncio.ensure_future(sandbox.run([endless]))
                await asyncio.sleep(0.02)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            (outcome,) = await sandbox.run([Job(program="def f(x): return x", inputs=("7",))])
            return outcome

    assert asyncio.run(main()).tests[0].value == "i7;"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_the_child_encodes_as_the_parent_does(values):
    finite = [value for value in values if "nan" not in repr(value) and "inf" not in repr(value)] or [1]
    (outcome,) = run(Job(program="def f(x): return x", inputs=tuple(map(repr, finite))))
    assert [test.value for test in outcome.tests] == [encode(value) for value in finite]
    assert math.isfinite(outcome.cpu_s)


ALONE = """
import asyncio, sys
from gasp_env.sandbox import open_local
from gasp_env.types import Job
async def main():
    async with await open_local(level="L2", slots=1) as sandbox:
        (outcome,) = await sandbox.run([Job(program="import os\\ndef f(x): return os.getuid(), x", inputs=("1",))])
        print(outcome.tests[0].value, sandbox.report.layers["own_user"])
asyncio.run(main())
"""


def test_a_rootless_container_that_knows_root_alone_still_has_level_two():
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", ALONE]
    if shutil.which("unshare") is None or subprocess.run([*command[:3], "true"], check=False).returncode:
        pytest.skip("user namespaces can't be made here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["(i0;,i1;)", "False"], done.stderr


CROWDED = """
import asyncio, os, resource, signal
from gasp_env.sandbox import open_local
from gasp_env.sandbox.corpus import ATTACKS, HostWatch, run_attack
async def main():
    for level in ("L1", "L2", "L3"):
        async with await open_local(level=level, require="L1", slots=1) as sandbox:
            with HostWatch() as watch:
                for attack in ATTACKS:
                    if attack.id in ("C8", "C8b", "D1", "G12b"):
                        print((await run_attack(sandbox, attack, watch)).problems)
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
crowd = [os.dup(0) for _ in range(500)]
for number in (signal.SIGCHLD, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGALRM, signal.SIGSEGV})
asyncio.run(main())
"""


def test_what_the_trainer_has_open_or_ignores_is_not_handed_down():
    done = subprocess.run([sys.executable, "-c", CROWDED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {"()"}
