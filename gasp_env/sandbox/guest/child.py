"""The hostile side: one process that loads one program, runs its tests and reports each as a frame.

Nothing here is trusted by the other side, and nothing here decides anything: limits and status come from the zygote and the
kernel, comparison happens in the pool's process. These functions have builtins of their own (`gasp_env.sandbox.bundle`), so a
program that patches ``len`` spoils its own code only.
"""

import ast
import atexit
import builtins
import io
import json
import marshal
import os
import random
import re
import resource
import sys
import threading
import time
from _sitebuiltins import Quitter
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

from gasp_env.sandbox.guest.wire import FRAME, FrameKind
from gasp_env.values.canonical import CanonicalError, encode

__all__ = ("OUT", "PAYLOAD", "STDIN", "STDOUT", "warm_up", "work")

STDIN, STDOUT, OUT, PAYLOAD = 0, 1, 3, 4
"""Descriptors of a child; frames go to ``OUT``, the job comes from ``PAYLOAD``, which is closed before the program runs."""
FILE = "<program>"
_MESSAGE = 200
_ENTRY = re.compile(r"([A-Za-z_]\w*)(\(\))?(?:\.([A-Za-z_]\w*))?", re.ASCII)


_NAME = type.__dict__["__name__"].__get__  # not kind.__name__, which a metaclass may fake


class _InputError(Exception):
    """An input is not a list of literals."""


class _OutputLimit(Exception):  # noqa: N818 - an event, not a mistake
    """A test wrote or returned too much."""


def work() -> None:
    """Run a job: ``program``, ``inputs``, ``style``, ``entry``, ``stop_early``, ``seed``, ``output_bytes``."""
    _send(FrameKind.SETUP, 0)
    job: dict[str, Any] = marshal.loads(_payload())  # noqa: S302 - of the pool, which is trusted; never of a program
    _shift_clock(job["seed"])
    _grant_stack()
    random.seed(job["seed"])
    tests = _programs(job) if job["style"] == "stdin" else _calls(job)
    for index, run in enumerate(tests):
        random.seed(job["seed"])
        if not _report(index, run) and job["stop_early"]:
            break
    _send(FrameKind.DONE, 0)


def _payload() -> bytes:
    size, parts, at = os.fstat(PAYLOAD).st_size, list[bytes](), 0
    while at < size and (part := os.pread(PAYLOAD, size - at, at)):
        parts.append(part)
        at += len(part)
    os.close(PAYLOAD)
    return b"".join(parts)


_SPARE: list[io.TextIOWrapper] = []


def warm_up() -> None:
    """Before any fork: make what every job needs once, so that no child has to; nothing of it can be seen later."""
    _SPARE.append(_open_streams())
    for name in ("exit", "quit"):  # the site module would add them; contest programs use them
        setattr(builtins, name, Quitter(name, "Ctrl-D (i.e. EOF)"))
    _name_stdin()
    atexit._clear()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    os.environ.clear()
    space: dict[str, Any] = {}
    exec(compile("def f(x):\n    return [x, {1: (2.5, 'a')}]", FILE, "exec"), space)  # noqa: S102 - our own text
    for _ in range(3):
        encode(space["f"](*_literal_arguments("[-1, 'a', {2: (True, None)}]")))
        _json_arguments('[1, "a"]')
    _described(CanonicalError("none"))
    _ENTRY.fullmatch("Solution().solve")
    random.seed(0)


def _name_stdin() -> None:
    """Contest programs open their standard input by name too, which a sandbox without files has not."""
    real: Any = builtins.open

    def opened(file: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the builtin's own signature
        return real(os.dup(STDIN) if file == "/dev/stdin" else file, *args, **options)

    builtins.open = opened


def _grant_stack() -> None:
    """Contest programs ask for a larger stack and go on only if they get it; Python calls need none, so they are told yes."""
    limit = resource.setrlimit

    def setrlimit(kind: int, limits: tuple[int, int]) -> None:
        if kind != resource.RLIMIT_STACK:
            limit(kind, limits)

    resource.setrlimit = setrlimit


def _shift_clock(seed: int) -> None:
    """Give the second interpreter another day, so that programs that read the clock differ."""
    if not seed:
        return
    shift = 86_400 * 777.25 * seed
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + shift
    time.time_ns = lambda: nanoseconds() + int(shift * 1e9)


def _send(kind: FrameKind, index: int, body: bytes = b"") -> None:
    frame = memoryview(FRAME.pack(len(body), index, kind) + body)
    while frame:
        frame = frame[os.write(OUT, frame) :]


def _report(index: int, run: Callable[[], tuple[FrameKind, bytes]]) -> bool:
    try:
        kind, body = run()
    except BaseException as error:  # noqa: BLE001 - the boundary: whatever a program raises becomes a frame
        _send(FrameKind.ERROR, index, _described(error))
        return False
    _send(kind, index, body)
    return True


def _described(error: BaseException) -> bytes:
    kind = type(error)
    verdict = "runtime_error"
    if kind is CanonicalError:
        verdict = "unencodable"
    elif kind is _OutputLimit:
        verdict = "output_limit"
    elif issubclass(kind, MemoryError):
        verdict = "memory"
    name = "InputError" if kind is _InputError else _NAME(kind)
    facts = {"verdict": verdict, "type": name[:80], "message": _text(error), "line": _line(error)}
    return json.dumps(facts).encode()


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as second:  # noqa: BLE001 - __str__ is the program's code
        return f"<{type(second).__name__} in __str__>"[:_MESSAGE]
    return text[:_MESSAGE] if type(text) is str else ""


def _line(error: BaseException) -> int | None:
    line = error.lineno if isinstance(error, SyntaxError) and type(error.lineno) is int else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _calls(job: dict[str, Any]) -> Iterator[Callable[[], tuple[FrameKind, bytes]]]:
    parse = _json_arguments if job["style"] == "json" else _literal_arguments
    limit = job["output_bytes"]
    stdout = _SPARE.pop()
    try:
        module = _module("solution")
        exec(compile(job["program"], FILE, "exec"), module.__dict__)  # noqa: S102 - the purpose of this process
    except BaseException as error:  # noqa: BLE001 - the boundary: loading failed, so every test does
        failure = error
        for _ in job["inputs"]:
            yield lambda: _again(failure)
        return
    _send(FrameKind.READY, 0)
    for text in job["inputs"]:

        def call(text: str = text) -> tuple[FrameKind, bytes]:
            value = _entry(module, job["entry"])(*parse(text))
            body = encode(value).encode()
            _check_printed(stdout, limit, body)
            return FrameKind.VALUE, body

        yield call


def _again(error: BaseException) -> tuple[FrameKind, bytes]:
    raise error


def _module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules[name] = module
    return module


def _entry(module: ModuleType, entry: str) -> Any:  # noqa: ANN401 - whatever the program defines
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise _InputError(f"entry {entry!r} is neither a name nor a method such as Solution().solve")
    name, made, attribute = found.groups()
    if name not in module.__dict__:
        raise NameError(f"name {name!r} is not defined")
    target = module.__dict__[name]
    target = target() if made else target
    return getattr(target, attribute) if attribute else target


def _literal_arguments(text: str) -> list[Any]:
    if not text.strip():
        return []
    try:
        call = ast.parse(f"f({text}\n)", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.keywords:
            raise _InputError("not a list of literals")
        return [ast.literal_eval(node) for node in call.args]
    except (SyntaxError, ValueError, TypeError) as error:
        raise _InputError(str(error)[:_MESSAGE]) from None


def _json_arguments(text: str) -> list[Any]:
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise _InputError(str(error)[:_MESSAGE]) from None


def _check_printed(stdout: io.TextIOWrapper, limit: int, body: bytes) -> None:
    if not stdout.closed:
        stdout.flush()
    printed = os.fstat(STDOUT).st_size
    if len(body) > limit or printed > limit:
        raise _OutputLimit(f"more than {limit} bytes")
    if printed:
        os.lseek(STDOUT, 0, os.SEEK_SET)
        os.ftruncate(STDOUT, 0)


def _programs(job: dict[str, Any]) -> Iterator[Callable[[], tuple[FrameKind, bytes]]]:
    try:
        code = compile(job["program"], FILE, "exec")
    except BaseException as error:  # noqa: BLE001 - the boundary: it does not compile, so every test fails
        failure = error
        for _ in job["inputs"]:
            yield lambda: _again(failure)
        return
    _send(FrameKind.READY, 0)
    limit = job["output_bytes"]
    recursion = sys.getrecursionlimit()
    spare = [(os.dup(stream), stream) for stream in (STDIN, STDOUT)]  # a program may close its own
    for text in job["inputs"]:
        sys.setrecursionlimit(recursion)
        for kept, stream in spare:
            os.dup2(kept, stream)
        _fill_stdin(text)
        yield lambda: _run_program(code, limit)


def _run_program(code: CodeType, limit: int) -> tuple[FrameKind, bytes]:
    os.lseek(STDOUT, 0, os.SEEK_SET)
    os.ftruncate(STDOUT, 0)
    stdout = _SPARE.pop() if _SPARE else _open_streams()
    module = _module("__main__")
    module.__file__ = sys.argv[0]
    try:
        exec(code, module.__dict__)  # noqa: S102 - the purpose of this process
    except SystemExit as error:
        if error.code not in (None, 0):
            raise
    _finish(stdout)
    return FrameKind.STDOUT, _printed(limit)


def _finish(stdout: io.TextIOWrapper) -> None:
    """What the interpreter does at its end: join threads, call exit functions, flush."""
    _dismiss_executors()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    if sys.stdout is not stdout and hasattr(sys.stdout, "flush"):
        sys.stdout.flush()
    if not stdout.closed:
        stdout.flush()


def _dismiss_executors() -> None:
    """Tell the workers of thread pools that nobody shut down to end; the next test may make pools again."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    if pools is not None and not pools._shutdown:  # noqa: SLF001
        pools._python_exit()  # noqa: SLF001
        pools._shutdown = False  # noqa: SLF001


def _printed(limit: int) -> bytes:
    size = os.fstat(STDOUT).st_size
    if size > limit:
        raise _OutputLimit(f"more than {limit} bytes")
    return os.pread(STDOUT, size, 0)


def _fill_stdin(text: str) -> None:
    data = memoryview(text.encode("utf-8", "surrogatepass"))
    os.ftruncate(STDIN, 0)
    os.lseek(STDIN, 0, os.SEEK_SET)
    while data:
        data = data[os.write(STDIN, data) :]
    os.lseek(STDIN, 0, os.SEEK_SET)


def _open_streams() -> io.TextIOWrapper:
    source = io.BufferedReader(io.FileIO(STDIN, "r", closefd=False))
    target = io.BufferedWriter(io.FileIO(STDOUT, "w", closefd=False))
    stdin = io.TextIOWrapper(source, encoding="utf-8", errors="surrogateescape")
    stdout = io.TextIOWrapper(target, encoding="utf-8")
    streams: Any = ((stdin, "<stdin>", "r"), (stdout, "<stdout>", "w"))
    for stream, name, mode in streams:  # fast readers of contest programs look at both
        stream.buffer.raw.name, stream.mode = name, mode
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
    sys.argv = ["program.py"]
    return stdout
