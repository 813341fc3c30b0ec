"""Program texts that a sandbox child runs around a judged program: the preamble, plain values, the official semantics.

The law of this module: texts only. They carry no expected value into a judged program's process, and what they report
is a claim that the parent compares.
"""

import re
from functools import cache
from importlib import import_module

__all__ = (
    "JUDGE",
    "PREAMBLE",
    "SPY",
    "after",
    "call_program",
    "joined_program",
    "lcb_call",
    "lcb_stdin",
    "replay_program",
    "with_preamble",
)

_STARS = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
_NAMES = _STARS[:-2]
_LIMITS = "import sys;sys.setrecursionlimit(50000);sys.set_int_max_str_digits(50000)"
PREAMBLE = "\n".join(
    [*(f"from {name} import *" for name in _STARS), *(f"import {name}" for name in _NAMES), _LIMITS, ""]
)
"""What LiveCodeBench's grader puts before every program or sets for it: its programs count on these names and limits.
``builtins`` come late so that ``pow`` is the three-argument one again."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_BY_TEXT = frozenset({"globals", "locals", "vars", "eval", "exec", "getattr", "__dict__"})

_PLAIN = """
import builtins as __gasp_b, sys as __gasp_s
def __gasp_plain(value, depth=0, b=__gasp_b):
    kind = b.type(value)
    if kind in (b.int, b.float, b.str, b.bool, b.type(None), b.bytes, b.complex) or depth > 90:
        return value
    if b.isinstance(value, b.dict):
        return {__gasp_plain(k, depth + 1): __gasp_plain(v, depth + 1) for k, v in value.items()}
    for base in (b.list, b.tuple, b.set, b.frozenset):
        if b.isinstance(value, base):
            return base([__gasp_plain(item, depth + 1) for item in value])
    for base in (b.bool, b.int, b.float, b.str, b.bytes):
        if b.isinstance(value, base):
            return base(value)
    return __gasp_number(value)
def __gasp_number(value, b=__gasp_b, loaded=__gasp_s.modules):
    home = b.type(value).__module__
    if home == "numpy" and b.isinstance(value, loaded[home].generic):
        return value.item()
    for base in (b.int, b.float) if home in ("fractions", "decimal") else ():
        try:
            if base(value) == value: return base(value)
        except (b.ValueError, b.OverflowError): pass
    return value
"""
"""Subclasses of plain types (``Counter``, ``defaultdict``, ``IntEnum``, named tuples) and numbers of numpy, fractions and
decimal compare equal to plain ones in Python, so they are reported as them. A program may call a list ``list``: builtins are
taken from their module."""


def with_preamble(program: str) -> str:
    """The program after what it needs of the preamble, its ``from __future__`` lines first.

    Star imports of 18 modules cost more than most programs; a name that the text does not hold can't be missed, unless
    names are looked up by text.
    """
    return after(_needed(program), program)


def after(head: str, program: str) -> str:
    """The program after a head; its ``from __future__`` lines stay the first of all."""
    if "from __future__" not in program:
        return f"{head}\n{program}"
    lines = program.split("\n")
    future = [one for one in lines if one.startswith("from __future__")]
    rest = ["" if one.startswith("from __future__") else one for one in lines]
    return "\n".join([*future, head, *rest])


def _needed(program: str) -> str:
    """On one line, so that line numbers of errors move by one only."""
    words = set(_WORD.findall(program))
    if words & _BY_TEXT:
        return ";".join(line for line in PREAMBLE.split("\n") if line)
    table, parts = _bindings(), dict[str, list[str]]()
    for word in sorted(words & table.keys()):
        parts.setdefault(table[word], []).append(word)
    imports = [f"from {module} import {','.join(names)}" for module, names in parts.items() if module]
    return ";".join([*imports, *(f"import {name}" for name in parts.get("", ())), _LIMITS])


@cache
def _bindings() -> dict[str, str]:
    """Module that each name of the preamble comes from in the end; empty for the modules themselves."""
    found: dict[str, str] = {}
    for name in _STARS:
        module = import_module(name)
        public = getattr(module, "__all__", None) or [one for one in vars(module) if not one.startswith("_")]
        found |= dict.fromkeys(public, name)
    kept = {name: module for name, module in found.items() if module != "builtins"}
    return kept | dict.fromkeys(_NAMES, "")


def call_program(program: str, entry: str) -> tuple[str, str]:
    """A program with functional tests, and what to call in it: a new object a call, as LeetCode does.

    Args:
        program: the judged one; ``class Solution`` decides as in the official grader.
        entry: bare name of the function.
    """
    target = f"Solution().{entry}" if "class Solution" in program else entry
    tail = f"\n\ndef __gasp_call(*arguments):\n    return __gasp_plain({target}(*arguments))\n"
    return f"{program}\n{_PLAIN}{tail}", "__gasp_call"


_GUARD = """
import builtins as __gasp_b, os as __gasp_o, sys as __gasp_s
__gasp_b.quit = __gasp_b.help = None
for __gasp_n in (
    "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace unlink "
    "fchmod fchown chmod chown chroot lchflags lchmod lchown getcwd chdir"
).split(): setattr(__gasp_o, __gasp_n, None)
__gasp_s.modules.update(dict.fromkeys(("ipdb", "joblib", "resource", "psutil", "tkinter")))
"""
"""What the official grader takes away from programs (``reliability_guard``)."""

_LCB = """
import ast as _ast, builtins as _builtins, io as _io, sys as _sys, types as _types, threading as _threading
class LcbTimeout(BaseException): pass
class _Out(_io.StringIO):
    def close(self): pass
class _Buffer:
    def __init__(self, text): self.inputs = text.encode()
    def read(self, *a): return self.inputs
    def readline(self, *a): return self.inputs.split(b"\\n")[0] + b"\\n"
class _In:
    def __init__(self, text):
        self._text, self._io, self.buffer = text, _io.StringIO(text), _Buffer(text)
    def read(self, *a): return self._text
    def readline(self, *a): return self._io.readline(*a)
    def readlines(self, *a): return self._text.split("\\n")
    def __getattr__(self, name): return getattr(self._io, name)
def _early(text, stream):
    lines = iter(text.split("\\n"))
    stream.read, stream.readlines = (lambda *a: text), (lambda *a: text.split("\\n"))
    stream.readline = lambda *a: next(lines)
class _File:
    def __init__(self, text): self._io = _io.StringIO(text)
    def __getattr__(self, name): return getattr(self._io, name)
    def __enter__(self): return self
    def __exit__(self, *a): return False
    def __iter__(self): return iter(self._io)
def _blocking(file, *a, **k):
    if file in (0, "/dev/stdin"): raise LcbTimeout("open(0) waits for a terminal that never answers")
    raise PermissionError(f"no file {file!r}")
def _lazy_threads():
    start, join = _threading.Thread.start, _threading.Thread.join
    def lazy(self): self._gasp_due = True
    def joined(self, timeout=None):
        if self.__dict__.pop("_gasp_due", False): start(self)
        join(self, timeout)
    _threading.Thread.start, _threading.Thread.join = lazy, joined
def _unwrapped(code):
    try:
        tree = _ast.parse(code)
        last = tree.body[-1]
        if isinstance(last, _ast.If) and _ast.unparse(last.test).strip() == "__name__ == '__main__'":
            return _ast.unparse(tree.body[:-1]) + "\\n" + _ast.unparse(last.body)
    except Exception: pass
    return code
def _function(code):
    try:
        imports, rest = [], []
        for one in _ast.parse(code).body:
            (imports if isinstance(one, (_ast.Import, _ast.ImportFrom)) else rest).append(one)
        made = _ast.FunctionDef(name="wrapped_function", body=rest, decorator_list=[], lineno=-1,
            args=_ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]))
        return __PREAMBLE__ + "\\n" + _ast.unparse(imports) + "\\n" + _ast.unparse(made)
    except Exception: return code
def _main(code):
    text, real = _sys.stdin.read(), _sys.stdout
    empty = _io.TextIOWrapper(_io.BytesIO(b""))
    _sys.stdin, _sys.stdout, _builtins.open = empty, _Out(), _blocking
    module = _types.ModuleType("tmp_sol")
    exec(_function(_unwrapped(code)), module.__dict__)
    method = getattr(module.Solution() if "class Solution" in code else module, "wrapped_function")
    _sys.stdout = out = _Out()
    _early(text, empty)
    _builtins.open, _sys.stdin = lambda *a, **k: _File(text), _In(text)
    try: method()
    except SystemExit: pass
    finally: _sys.stdin, _sys.stdout = _io.TextIOWrapper(_io.BytesIO(b"")), real
    real.write(out.getvalue())
_lazy_threads()
_main(__CODE__)
"""


def lcb_stdin(program: str) -> str:
    """A program for standard input under the official semantics (the quirks are listed in docs/evaluation.md)."""
    return _GUARD + _LCB.replace("__PREAMBLE__", repr(PREAMBLE)).replace("__CODE__", repr(program))


def lcb_call(program: str, entry: str) -> tuple[str, str]:
    """A program with functional tests under the official semantics: one object for all tests."""
    made = "Solution()" if "class Solution" in program else "None"
    target = f"__gasp_b.getattr(__gasp_object, {entry!r})" if made != "None" else entry
    tail = f"\n\n__gasp_object = {made}\ndef __gasp_call(*arguments):\n    return __gasp_plain({target}(*arguments))\n"
    return f"{_GUARD}{PREAMBLE}\n\n{program}\n{_PLAIN}{tail}", "__gasp_call"


_EVAL = '{"inf": float("inf"), "nan": float("nan"), "set": set, "frozenset": frozenset}'
_SPELLED = '{"inf": 1e999, "nan": 1e999 - 1e999, "set": __gasp_b.set, "frozenset": __gasp_b.frozenset}'

SPY = """
def __gasp_text(value):
    if type(value) in (list, tuple, set, frozenset):
        for item in value: __gasp_text(item)
    elif type(value) is dict:
        for pair in value.items(): __gasp_text(pair)
    elif type(value) not in (int, float, str, bool, type(None), bytes):
        raise TypeError("not plain data")
    elif type(value) is int and value.bit_length() > 10000:
        raise TypeError("a number too long for a text")
    return repr(value)
def __gasp_spy(reference, entry, check, stars):
    names = {"__name__": "__gasp_check__"}
    exec(stars + reference, names)
    real = getattr(names["Solution"](), entry) if "class Solution" in reference else names[entry]
    calls, depth = [], [0]
    def spy(*arguments, **named):
        if named: raise TypeError("keyword arguments")
        depth[0] += 1
        kept = __gasp_text(arguments) if depth[0] == 1 else None
        try: value = real(*arguments)
        finally: depth[0] -= 1
        if kept is not None: calls.append(kept)
        return value
    names[entry] = spy
    exec(check, names)
    return calls
"""
"""Runs a data set's check on its reference and returns the arguments of every outermost call, as Python
text: it keeps the order of dicts, which canonical values do not."""

JUDGE = f"""
import builtins as _builtins
class __GaspFault(Exception): pass
def __gasp_judge(reference, entry, check, stars, told):
    names, place = {{"__name__": "__gasp_check__"}}, [0]
    exec(stars + reference, names)
    answers = eval(told, {_EVAL})
    def replay(*arguments, **named):
        if place[0] >= len(answers): raise __GaspFault("more calls than recorded")
        kind, value = answers[place[0]]
        place[0] += 1
        if kind == "value": return value
        error = getattr(_builtins, value, None)
        raise error(value) if isinstance(error, type) and issubclass(error, Exception) else __GaspFault(value)
    names[entry] = replay
    try: exec(check, names)
    except Exception as error: return [place[0], type(error).__name__]
    return [place[0], ""]
"""
"""Runs a check on recorded answers, in a process that never saw the judged program."""


def joined_program(program: str, check: str) -> tuple[str, str]:
    """Program and check in one process, for checks whose arguments are no plain data; the program could cheat there."""
    return f"{program}\n\ndef __gasp_check():\n    exec({check!r}, globals())\n    return True\n", "__gasp_check"


def replay_program(program: str, entry: str) -> tuple[str, str]:
    """A judged program that takes the arguments of a call as one text."""
    body, _ = call_program(program, entry)
    tail = f"\n\ndef __gasp_told(text):\n    return __gasp_call(*__gasp_b.eval(text, {_SPELLED}))\n"
    return body + tail, "__gasp_told"
