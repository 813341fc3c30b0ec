"""Groups I and J: what one job leaves for the next; output that only looks right, determinism that is none."""

from gasp_env.sandbox.corpus.record import ALIVE, FAULTS, Attack, Verdict, hostile
from gasp_env.types import InputStyle

__all__ = ("ATTACKS",)

_OK = (Verdict.OK,)
_STDIN = InputStyle.STDIN


def _prints(name: str, tries: str, text: str, wants: str) -> Attack:
    """A program whose output must not count as ``wants``."""
    program = f"sys.stdout.buffer.write({text.encode()!r})"
    return hostile(id=name, tries=tries, allowed=_OK, style=_STDIN, inputs=("",), wants=wants, program=program)


def _drifts(name: str, tries: str, body: str) -> Attack:
    """A function that is not deterministic."""
    return hostile(id=name, tries=tries, allowed=_OK, lanes=True, program=body)


_STATE = (
    hostile(
        id="I2b",
        tries="leave a file",
        allowed=ALIVE,
        nothing=True,
        program=(
            "def f(x): return tried(tmp=lambda: open('/tmp/@MARK@', 'w'), drop=lambda: open('@DIR@/made', 'w'),\n"
            "    here=lambda: open('@MARK@', 'w'), library=lambda: open(os.__file__, 'a'))"
        ),
    ),
    hostile(
        id="I5b",
        tries="leave an import hook and a path",
        allowed=ALIVE,
        program=(
            "sys.path[:] = ['/poison']\nsys.meta_path.clear()\nsys.path_hooks.clear()\nsys.modules['math'] = None\ndef f(x): return 1"
        ),
    ),
    hostile(
        id="I6",
        tries="spoil the next tests of its own job",
        allowed=FAULTS,
        inputs=("1", "2", "3"),
        program="def f(x):\n    os.closerange(0, 3)\n    sys.modules.clear()\n    sys.stdout = None\n    return x",
    ),
)

_OUTPUT = (
    _drifts("J1", "random numbers", "import random\ndef f(x): return random.random()"),
    _drifts(
        "J1c", "a random number drawn while loading", "import random\nkept = random.random()\ndef f(x): return kept"
    ),
    _drifts("J1b", "the system's random numbers", "def f(x): return os.urandom(8)"),
    _drifts("J2", "the clock", "import time\ndef f(x): return int(time.time()) // 3600"),
    _drifts("J3", "addresses in a default repr", "def f(x): return repr(object())"),
    _drifts("J3b", "id()", "def f(x): return id(f)"),
    _drifts("J4a", "hash of a text", "def f(x): return hash('a')"),
    _drifts("J4b", "order of a set", "def f(x): return list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'})"),
    hostile(
        id="J5",
        tries="a counter in a file",
        allowed=(Verdict.RUNTIME_ERROR,),
        program="def f(x):\n    with open('/tmp/@MARK@', 'a+') as file: return file.tell()",
    ),
    _prints("J6b", "print nothing", "", "1\n"),
    _prints("J7", "print more lines than asked", "1\n2\n3\n", "1\n2\n"),
    _prints("J7b", "print every candidate", "\n".join(map(str, range(100))), "42\n"),
    _prints("J8a", "digits with underscores", "1_000\n", "1000\n"),
    _prints("J8b", "full-width digits", "１０\n", "10\n"),  # noqa: RUF001 - the attack
    _prints("J8c", "a signalling NaN", "sNaN\n", "1\n"),
    _prints("J8d", "NaN for NaN in other words", "NaN\n", "nan1\n"),
    _prints("J8e", "a number that takes for ever to expand", "1e9999999\n", "1\n"),
    _prints("J8f", "other white space between digits", "1 0\n", "10\n"),
    hostile(
        id="J11",
        tries="an exit code other than 0 after the right output",
        allowed=(Verdict.RUNTIME_ERROR,),
        style=_STDIN,
        inputs=("",),
        wants="1\n",
        program="print(1)\nsys.exit(3)",
    ),
    hostile(
        id="J12",
        tries="output that is not UTF-8",
        allowed=_OK,
        style=_STDIN,
        inputs=("",),
        program="sys.stdout.buffer.write(b'\\xff\\xfe\\x00')",
    ),
)

ATTACKS = (*_STATE, *_OUTPUT)
