"""The untrusted side: runs one program on its inputs and reports each test in a frame. Standard library only.

The law of this file: it knows no expected value, so whatever the program does to it, it can only claim a value. It is
one self-contained file, the same for every backend. Frames: u32 length, u32 test index, u8 kind, body (little-endian).

    r ready (before any of the program runs)   v value (canonical text)   o standard output   u not plain data
    e error (JSON: type, message, line)        x output too large         s set-up failed (only before r)   d done
"""

import ast
import json
import os
import struct
import sys
import threading
from builtins import (
    BaseException,
    Exception,
    SystemExit,
    bool,
    bytes,
    complex,
    compile,
    dict,
    exec,
    float,
    frozenset,
    getattr,
    int,
    isinstance,
    len,
    list,
    set,
    sorted,
    str,
    tuple,
    type,
)

__all__ = ("Channel", "NotPlain", "encode", "run_job")

MAX_DEPTH = 100
MAX_NODES = 1_000_000
FRAME = struct.Struct("<IIB")
_quote = json.encoder.encode_basestring_ascii


class NotPlain(Exception):
    """The value is not plain data."""


def _float(value):
    return "nan" if value != value else value.hex()  # noqa: PLR0124


_ATOMS = {
    type(None): lambda v: "N",
    bool: lambda v: "T" if v else "F",
    int: lambda v: f"i{v:x};",
    float: lambda v: f"d{_float(v)};",
    complex: lambda v: f"c{_float(v.real)},{_float(v.imag)};",
    str: lambda v: "s" + _quote(v),
    bytes: lambda v: f'b"{v.hex()}"',
}
_BRACKETS = {list: ("[", "]", False), tuple: ("(", ")", False), set: ("<", ">", True), frozenset: ("#<", ">", True)}


def encode(value, depth=0, nodes=None):
    """Canonical text of a plain value; the twin of `gasp_env.values.encode`, kept equal by a test."""
    nodes = [0] if nodes is None else nodes
    nodes[0] += 1
    if depth > MAX_DEPTH or nodes[0] > MAX_NODES:
        raise NotPlain("too deep or too large")
    kind = type(value)
    atom = _ATOMS.get(kind)
    if atom is not None:
        return atom(value)
    if kind is dict:
        pairs = [encode(k, depth + 1, nodes) + ":" + encode(v, depth + 1, nodes) for k, v in value.items()]
        return "{" + ",".join(sorted(pairs)) + "}"
    brackets = _BRACKETS.get(kind)
    if brackets is None:
        raise NotPlain(type.__dict__["__name__"].__get__(kind))
    items = [encode(item, depth + 1, nodes) for item in value]
    return brackets[0] + ",".join(sorted(items) if brackets[2] else items) + brackets[1]


class Channel:
    """Writes frames to one descriptor."""

    def __init__(self, handle):
        self.handle = handle

    def send(self, index, kind, body=b"", pack=FRAME.pack, write=os.write):
        """Write one frame whole."""
        data = pack(len(body), index, kind[0]) + body
        while data:
            data = data[write(self.handle, data) :]


def run_job(job, channel):
    """Run all tests of a job; ``job`` is the dictionary that the parent wrote."""
    channel.send(0, b"r")
    first = job["first"]
    runner = _Script(job) if job["style"] == "stdin" else _Calls(job)
    for index, text in enumerate(job["inputs"], first):
        try:
            kind, body = runner.run(text)
        except BaseException as error:  # noqa: BLE001 - whatever a program raises is its verdict
            kind, body = b"e", _describe(error, first_line=0)
        if len(body) > job["output_bytes"]:
            kind, body = b"x", b""
        channel.send(index, kind, body)
        if kind != b"v" and kind != b"o" and job["stop_early"]:  # noqa: PLR1714
            break
    channel.send(0, b"d")


def _describe(error, first_line):
    """Type, message and line of the program; the message is the program's own words."""
    kind = type.__dict__["__name__"].__get__(type(error))
    try:
        message = str(error)[:200]
    except BaseException:  # noqa: BLE001 - a hostile __str__
        message = ""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None and kind in ("SyntaxError", "IndentationError", "TabError"):
        line = getattr(error, "lineno", None)
    return json.dumps([kind, message, line if type(line) is int else None]).encode()


class _Calls:
    """A program that defines an entry point, called once an input."""

    def __init__(self, job):
        self.json, self.entry, self.program = job["style"] == "json", job["entry"], job["program"]
        self.space = None

    def run(self, text):
        """Call the entry point on one input."""
        entry = self._resolve()
        args = [json.loads(line) for line in text.split("\n") if line.strip()] if self.json else _literals(text)
        value = entry(*args)
        try:
            return b"v", encode(value).encode()
        except NotPlain as error:
            return b"u", str(error).encode("utf-8", "replace")[:100]
        except RecursionError:
            return b"u", b"too deep"

    def _resolve(self):
        if self.space is None:
            space = {"__name__": "solution"}
            exec(compile(self.program, "<program>", "exec"), space)  # noqa: S102 - its purpose
            self.space = space
        name, _, method = self.entry.partition("().")
        found = self.space[name] if name in self.space else _missing(name)
        return getattr(found(), method) if method else found


def _missing(name):
    raise NameError(f"the program defines no {name!r}")


def _literals(text):
    return ast.literal_eval(f"({text}\n,)") if text.strip() else ()


class _Script:
    """A program that reads standard input, run anew for each input with real descriptors 0 and 1."""

    def __init__(self, job):
        self.program, self.limit, self.code = job["program"], job["output_bytes"], None
        self.spare = os.dup(0), os.dup(1)  # a program may close its own

    def run(self, text):
        """Run the program once; what it wrote to descriptor 1 is its output."""
        if self.code is None:
            self.code = compile(self.program, "<program>", "exec")
        _flush(sys.stdout)  # what an earlier test left in its buffer must not land in this one's output
        for handle in (0, 1):
            os.dup2(self.spare[handle], handle)
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
        _write_all(0, text.encode("utf-8", "surrogatepass"))
        os.lseek(0, 0, os.SEEK_SET)
        sys.setrecursionlimit(1000)
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115, PTH123
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115, PTH123
        sys.argv = ["program"]
        try:
            exec(self.code, {"__name__": "__main__", "__builtins__": __builtins__})  # noqa: S102 - its purpose
        except SystemExit as stop:
            if stop.code not in (None, 0):
                raise
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        sys.stdout.flush()
        return b"o", os.pread(1, self.limit + 1, 0)


def _flush(stream):
    try:
        stream.flush()
    except BaseException:  # noqa: BLE001, S110 - the program may have put anything there
        pass


def _write_all(handle, data):
    while data:
        data = data[os.write(handle, data) :]
