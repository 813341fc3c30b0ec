"""The grader: an ordinary interpreter by default, the official quirks on request, no way to see or touch what is expected."""

import asyncio
import json
from dataclasses import replace

import pytest
from problem_files import CALL_PROGRAM, HUMANEVAL, LCB_CALL, LCB_STDIN, MBPP, write

from gasp_env.errors import ConfigError
from gasp_env.evaluate import calibrated_cpu_s
from gasp_env.play.grade_suite import GradeMode, Grader, GradeSettings
from gasp_env.sandbox import open_local
from gasp_env.tasks import Problem, load_problems
from gasp_env.types import InputStyle, TestCase, Verdict
from gasp_env.values import encode

ECHO = tuple(TestCase(input=f"{text}\n", output=f"{text}\n") for text in ("ab", "cd", "ef"))
LCB = {"mode": GradeMode.LCB}


def grade(problem, *programs, **settings):
    async def main():
        async with await open_local(require="L1", slots=1) as sandbox:
            return await Grader(sandbox, GradeSettings(**({"cpu_s": 1.0} | settings))).grade(problem, programs)

    return asyncio.run(main())


def stdin(tests=ECHO):
    return Problem(id="echo", statement="Echo.", style=InputStyle.STDIN, hidden=tuple(tests), preamble=True)


def call(*tests, entry="f", starter=""):
    cases = tuple(TestCase(input=given, output=encode(want)) for given, want in tests)
    return Problem(
        id="call", statement="?", style=InputStyle.JSON, hidden=cases, entry=entry, starter_code=starter, preamble=True
    )


FAST_IO = """
import os, sys
from io import BytesIO, IOBase
class FastIO(IOBase):
    def __init__(self, file):
        self._fd, self.buffer = file.fileno(), BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
    def readline(self):
        while not self.buffer.getvalue().count(b"\\n", self.buffer.tell()):
            piece, at = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192)), self.buffer.tell()
            if not piece: break
            self.buffer.seek(0, 2), self.buffer.write(piece), self.buffer.seek(at)
        return self.buffer.readline().decode()
    def write(self, text): self.buffer.write(text.encode())
    def flush(self):
        if self.writable: os.write(self._fd, self.buffer.getvalue()), self.buffer.truncate(0), self.buffer.seek(0)
sys.stdin, sys.stdout = FastIO(sys.stdin), FastIO(sys.stdout)
input = lambda: sys.stdin.readline().rstrip()
print(input())
"""
"""In the manner of fast readers that contest programs bring along: whole files by descriptor, the mode looked up."""


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        ("print(input())", Verdict.OK),
        ("import sys\nfor line in sys.stdin: print(line, end='')", Verdict.OK),
        ("import sys\nprint(sys.stdin.buffer.readline().decode(), end='')", Verdict.OK),
        ("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", Verdict.OK),
        ("print(open(0).read())", Verdict.OK),
        ("with open('/dev/stdin') as file: print(file.readline())", Verdict.OK),
        ("import threading\nthreading.Thread(target=lambda: print(input())).start()", Verdict.OK),
        ("if __name__ == '__main__':\n    print(input())\n    exit()", Verdict.OK),
        ("from __future__ import annotations\nprint(input())", Verdict.OK),
        ("print(deque([input()])[0])", Verdict.OK),
        (FAST_IO, Verdict.OK),
        (
            "import sys\nassert (sys.stdin.mode, sys.stdin.name) == ('r', '<stdin>')\nprint(input(), __file__[:0])",
            Verdict.OK,
        ),
        ("from concurrent.futures import *\nprint(ThreadPoolExecutor(1).submit(input).result())", Verdict.OK),
        ("from resource import *\nsetrlimit(RLIMIT_STACK, (RLIM_INFINITY, RLIM_INFINITY))\nprint(input())", Verdict.OK),
        (
            "from resource import *\nsetrlimit(RLIMIT_AS, (RLIM_INFINITY, RLIM_INFINITY))\nprint(input())",
            Verdict.RUNTIME_ERROR,
        ),
        ("print(input() if len(str(10**9999)) == 10**4 else 0)", Verdict.OK),
        ("print(input(), end='\\n\\n ')", Verdict.OK),
        ("print('ab')", Verdict.WRONG),
        ("print(input()); raise ValueError", Verdict.RUNTIME_ERROR),
        ("print(input()); exit(3)", Verdict.RUNTIME_ERROR),
        ("while True: pass", Verdict.TIMEOUT),
        ("print(x = )", Verdict.RUNTIME_ERROR),
        ("", Verdict.WRONG),
    ],
)
def test_default_semantics_are_an_interpreters(program, verdict):
    (graded,) = grade(stdin(), program)
    assert graded.verdict is verdict and graded.solved is (verdict is Verdict.OK)


@pytest.mark.parametrize(
    ("program", "default", "official"),
    [
        ("import threading\nthreading.Thread(target=lambda: print(input())).start()", Verdict.OK, Verdict.WRONG),
        ("import sys\nfor line in sys.stdin: print(line, end='')", Verdict.OK, Verdict.RUNTIME_ERROR),
        ("print(open(0).read())", Verdict.OK, Verdict.TIMEOUT),
        ("from sys import stdin\nprint(stdin.readline())", Verdict.OK, Verdict.OK),
        ("from sys import stdin\nfor line in stdin: print(line)", Verdict.OK, Verdict.WRONG),
        (
            "from sys import stdin\nprint(stdin.readline())\nstdin.readline()\nstdin.readline()",
            Verdict.OK,
            Verdict.RUNTIME_ERROR,
        ),
        ("from sys import stdout\nstdout.write(input())", Verdict.OK, Verdict.WRONG),
        (
            "import sys\nassert sys.stdin.readline() == 'ab\\n' and not sys.stdin.readline()\nprint('ab')",
            Verdict.OK,
            Verdict.OK,
        ),
        ("import sys\nsys.stdout.buffer.write(b'ab')", Verdict.OK, Verdict.RUNTIME_ERROR),
        ("import sys\nsys.stdin.readline(); print(sys.stdin.read().split()[0])", Verdict.RUNTIME_ERROR, Verdict.OK),
        ("x = 1\ndef f():\n    global x\n    x += 1\nf()\nprint(input())", Verdict.OK, Verdict.RUNTIME_ERROR),
        ("print(input()); exit(3)", Verdict.RUNTIME_ERROR, Verdict.OK),
        ("if __name__ == '__main__':\n    print(input())", Verdict.OK, Verdict.OK),
        (
            "import threading\nt = threading.Thread(target=lambda: print('ab'))\nt.start()\nt.join()",
            Verdict.OK,
            Verdict.OK,
        ),
        ("print(input()); quit()", Verdict.OK, Verdict.RUNTIME_ERROR),
        ("import os\nos.getcwd()\nprint(input())", Verdict.OK, Verdict.RUNTIME_ERROR),
        ("import resource\nprint(input())", Verdict.OK, Verdict.RUNTIME_ERROR),
    ],
    ids=[
        "thread",
        "iterate",
        "open(0)",
        "early stdin",
        "early iteration",
        "early end",
        "early stdout",
        "line ends",
        "buffer",
        "read again",
        "global",
        "exit code",
        "main",
        "join",
        "quit",
        "os",
        "resource",
    ],
)
def test_official_quirks_are_kept_in_their_mode_only(program, default, official):
    problem = stdin(ECHO[:1])
    assert grade(problem, program)[0].verdict is default
    assert grade(problem, program, **LCB)[0].verdict is official


def test_functional_tests(tmp_path):
    (problem,) = load_problems(write(tmp_path / "set.jsonl", LCB_CALL))
    right, wrong, bare = grade(
        problem, CALL_PROGRAM, CALL_PROGRAM.replace("n > bound", "n < bound"), "def countAbove(nums, b): return 0"
    )
    assert right.solved and wrong.verdict is Verdict.WRONG and bare.failed == 0
    assert grade(problem, CALL_PROGRAM, **LCB)[0].solved


@pytest.mark.parametrize(
    ("body", "want", "verdict"),
    [
        ("return (1, 2)", [1, 2], Verdict.OK),
        ("return [(1, 2)]", [[1, 2]], Verdict.WRONG),
        ("return True", 1, Verdict.OK),
        ("return 2.0", 2, Verdict.OK),
        ("return Counter('ab')", {"a": 1, "b": 1}, Verdict.OK),
        ("d = defaultdict(list); d['a'].append(1); return d", {"a": [1]}, Verdict.OK),
        ("return deque([1])", [1], Verdict.UNENCODABLE),
        ("return None", None, Verdict.OK),
        ("return float('nan')", 1, Verdict.WRONG),
        ("import sys; sys.exit(0)", 1, Verdict.RUNTIME_ERROR),
        ("return type('A', (), {'__eq__': lambda s, o: True})()", 1, Verdict.UNENCODABLE),
        ("return type('A', (int,), {'__eq__': lambda s, o: True, '__hash__': int.__hash__})(7)", 1, Verdict.WRONG),
    ],
)
def test_values_are_compared_as_data(body, want, verdict):
    (graded,) = grade(call(("0", want)), f"def f(x):\n    {body}")
    assert graded.verdict is verdict


@pytest.mark.parametrize(
    ("value", "want", "verdict"),
    [
        ("Fraction(6, 2)", 3, Verdict.OK),
        ("Fraction(1, 3)", 1 / 3, Verdict.UNENCODABLE),
        ("[Decimal('0.5'), Decimal(4)]", [0.5, 4], Verdict.OK),
        ("Decimal('NaN')", 0, Verdict.UNENCODABLE),
    ],
)
@pytest.mark.parametrize("mode", GradeMode)
def test_numbers_of_other_kinds_count_where_they_are_equal(value, want, verdict, mode):
    program = f"from fractions import Fraction\nfrom decimal import Decimal\ndef f(x): return {value}"
    assert grade(call(("0", want)), program, mode=mode)[0].verdict is verdict


@pytest.mark.parametrize("mode", GradeMode)
def test_numbers_of_numpy_are_numbers(mode):
    pytest.importorskip("numpy")
    program = "import numpy as np\ndef f(x): return [np.int64(x), np.float64(x) / 2, np.bool_(x)]"
    arrays = "import numpy as np\ndef f(x): return np.array([x, x])"

    async def main():
        async with await open_local(require="L1", slots=1, site_packages=True) as sandbox:
            return await Grader(sandbox, GradeSettings(mode=mode)).grade(call(("1", [1, 0.5, True])), [program, arrays])

    good, bad = asyncio.run(main())
    assert good.solved and bad.verdict is Verdict.UNENCODABLE


@pytest.mark.parametrize("mode", GradeMode)
def test_a_program_may_name_its_own_things_as_builtins(mode):
    program = "list = dict = set = type = int = str = float = eval = isinstance = 5\ndef f(x): return [x, {1: x}]"
    assert grade(call(("3", [3, {1: 3}])), program, mode=mode)[0].solved


def test_each_call_gets_a_new_object_but_not_officially():
    program = "class Solution:\n    def __init__(self): self.n = 0\n    def f(self, x):\n        self.n += 1\n        return self.n"
    problem = call(("0", 1), ("0", 1))
    assert grade(problem, program)[0].solved
    assert grade(problem, program, **LCB)[0].failed == 1


def test_a_failure_that_an_earlier_test_left_behind_does_not_count():
    leaky = "import builtins\nprint(input() if not hasattr(builtins, 'left') else 'spoiled')\nbuiltins.left = 1"
    assert grade(stdin(), leaky)[0].solved
    assert grade(stdin(), leaky, run_all=True)[0].solved


def test_stop_at_the_first_failure_or_run_all():
    program = "word = input()\nprint('?' if word == 'cd' else word)"
    assert grade(stdin(), program)[0].verdicts == (Verdict.OK, Verdict.WRONG, Verdict.SKIPPED)
    (every,) = grade(stdin(), program, run_all=True)
    assert every.verdicts == (Verdict.OK, Verdict.WRONG, Verdict.OK) and not every.solved and every.failed == 1


def test_many_tests_go_in_parts():
    tests = [TestCase(input=str(at), output=str(at)) for at in range(70)]
    late = "n = int(input())\nprint(n if n < 66 else -1)"
    good, bad = grade(stdin(tests), "print(input())", late)
    assert good.solved and len(good.verdicts) == 70
    assert bad.failed == 66 and bad.verdicts[67:] == (Verdict.SKIPPED,) * 3


@pytest.mark.parametrize(
    ("got", "tol", "solved"), [("0.333", 0, False), ("0.3333333", 1e-3, True), ("0.3", 1e-3, False)]
)
def test_float_tolerance_is_a_choice(got, tol, solved):
    problem = stdin([TestCase(input="1 3", output="0.3333334\n")])
    assert grade(problem, f"print({got!r})", float_tol=tol)[0].solved is solved
    assert grade(call(("0", 0.3333334)), f"def f(x): return {got}", float_tol=tol)[0].solved is solved


def test_assertions_are_graded_away_from_the_program(tmp_path):
    humaneval, mbpp = (
        load_problems(write(tmp_path / f"{at}.jsonl", row))[0] for at, row in enumerate((HUMANEVAL, MBPP))
    )
    body, whole, wrong, crash, future = grade(
        humaneval,
        HUMANEVAL["canonical_solution"],
        "def shift(xs: List[float], by):\n    return [x + by for x in xs]",
        "    return xs\n",
        "    return [][0]\n",
        f"from __future__ import annotations\nset = eval = 0\n{HUMANEVAL['prompt']}{HUMANEVAL['canonical_solution']}",
    )
    assert future.solved
    assert body.solved and whole.solved and wrong.verdict is Verdict.WRONG and crash.verdict is Verdict.RUNTIME_ERROR
    assert not any(one.joined for one in (body, whole))
    reference, other = grade(mbpp, mbpp.reference, "def shared(a, b): return tuple(a)")
    assert reference.solved and not other.solved


CHEATS = {
    "equal to everything": "    class E(list):\n        def __eq__(self, other): return True\n    return E()\n",
    "early exit": "    import sys; sys.exit(0)\n",
    "hard exit": "    import os; os._exit(0)\n",
    "patched len": "    import builtins; builtins.abs = lambda x: 0; return [x for x in xs]\n",
    "no assertions": "    import sys; sys.flags = None; __builtins__['AssertionError'] = Warning; return []\n",
    "reads the stack": (
        "    import sys\n    frame = sys._getframe()\n    while frame:\n        for v in frame.f_locals.values():\n"
        "            if isinstance(v, str) and 'assert' in v: return [2.0, 3.0]\n        frame = frame.f_back\n    return []\n"
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_program_cannot_pass_assertions_by_cheating(tmp_path, name):
    (problem,) = load_problems(write(tmp_path / "set.jsonl", HUMANEVAL))
    (graded,) = grade(problem, CHEATS[name])
    assert graded.solved is False and not graded.joined


def test_objects_as_arguments_are_judged_in_the_program_and_it_is_said(tmp_path):
    row = MBPP | {
        "code": "class P:\n    def __init__(self, x): self.x = x\ndef shared(p, q):\n    return p.x == q.x",
        "test_list": ["assert shared(P(1), P(1))", "assert not shared(P(1), P(2))"],
    }
    (problem,) = load_problems(write(tmp_path / "set.jsonl", row))
    right, wrong = grade(problem, problem.reference, problem.reference.replace("==", "!="))
    assert right.solved and right.joined and wrong.verdict is Verdict.WRONG


def test_bad_settings_and_problems_are_refused(tmp_path):
    for settings in ({"cpu_s": 0}, {"float_tol": -1}, {"mode": "moon"}):
        with pytest.raises(ConfigError):
            GradeSettings(**settings)
    with pytest.raises(ConfigError, match="no tests"):
        grade(stdin(()), "print()")


def test_equal_programs_are_one_run_and_align(tmp_path):
    (problem,) = load_problems(write(tmp_path / "set.jsonl", LCB_STDIN))
    right = "print(input()[::-1])"
    found = grade(problem, right, "print(1)", right)
    assert [one.solved for one in found] == [True, False, True]


def test_large_outputs_are_compared_whole():
    text = "7 " * 3_000_000
    problem = stdin([TestCase(input="1", output=text)])
    right, wrong = grade(problem, "print('7 ' * 3_000_000)", "print('7 ' * 2_999_999 + '8')", cpu_s=6.0)
    assert right.solved and wrong.verdict is Verdict.WRONG
    many = stdin([TestCase(input="1", output="7" * 3_000_000)] * 30)  # 90 MB in all
    assert grade(many, "print('7' * 3_000_000)", cpu_s=6.0, run_all=True)[0].solved


def test_a_limit_of_the_data_set_counts_where_it_is_longer():
    slow = "import time\nstart = time.process_time()\nwhile time.process_time() - start < 1: pass\nprint(input())"
    short, long = (
        grade(replace(stdin(ECHO[:1]), time_s=time_s), slow, cpu_s=0.4)[0].verdict for time_s in (None, 10.0)
    )
    assert (short, long) == (Verdict.TIMEOUT, Verdict.OK)


def test_a_slow_machine_gets_longer_limits(monkeypatch):
    async def main():
        async with await open_local(require="L1", slots=1) as sandbox:
            return await calibrated_cpu_s(sandbox, 6.0, runs=1)

    limit, factor = asyncio.run(main())
    assert limit == 6.0 * max(1.0, factor) and factor >= 0.1
    monkeypatch.setattr("gasp_env.evaluate.calibrate.REFERENCE_S", 1e-6)
    assert asyncio.run(main()) == (48.0, 8.0)


def test_settings_survive_json():
    assert GradeSettings(mode="lcb").mode is GradeMode.LCB
    assert json.loads(json.dumps({"mode": GradeMode.LCB})) == {"mode": "lcb"}
