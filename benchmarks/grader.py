"""Graded programs a second, paired: this grader against LiveCodeBench's way, at equal verdicts.

    GASP_ENV_DATA=... python benchmarks/grader.py [ROWS] [ROUNDS] [WORKERS]

The peer is written here after the official grader's way of working: a `Manager` and a process for each completion, the
program run in that process on every test, the comparison done there too, in a pool of workers. Both sides get the same
programs, tests and number of workers, in alternating rounds. Programs that end in the time limit are left out: there
both sides wait for the same seconds.
"""

import ast
import asyncio
import json
import multiprocessing
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import mock_open, patch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import labelled
import numpy as np

from gasp_env.play.grade_suite import Grader, GradeSettings
from gasp_env.play.suite_guest import PREAMBLE
from gasp_env.sandbox import open_local
from gasp_env.types import InputStyle, Verdict
from gasp_env.values import decode

TIMEOUT_S = 6
LABELS = ("pass_all", "fail_on_test")


class _Late(Exception):  # noqa: N818
    pass


def _alarm(_signal: int, _frame: object) -> None:
    raise _Late


def _decimals(line: str) -> list[Decimal] | None:
    try:
        return [Decimal(token) for token in line.split()]
    except InvalidOperation:
        return None


def _plain(value: Any) -> Any:  # noqa: ANN401
    return value.tolist() if isinstance(value, np.ndarray) else value


def _same(got: str, want: str) -> bool:
    mine, other = got.strip().split("\n"), want.strip().split("\n")
    pairs = zip(mine, other, strict=False)
    return len(mine) == len(other) and all(
        a.strip() == b.strip() or (_decimals(a) == _decimals(b) is not None) for a, b in pairs
    )


def _as_function(code: str) -> Callable[[], object]:
    """The program's statements as the body of a function, its imports before it."""
    body = ast.parse(code).body
    last = body[-1]
    if isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'":
        body = ast.parse(ast.unparse(body[:-1]) + "\n" + ast.unparse(last.body)).body
    imports = [one for one in body if isinstance(one, ast.Import | ast.ImportFrom)]
    made = ast.parse("def wrapped(): pass").body[0]
    made.body = [one for one in body if one not in imports] or made.body  # type: ignore[attr-defined]
    module = ModuleType("solution")
    exec(PREAMBLE + "\n" + ast.unparse(imports) + "\n" + ast.unparse(made), module.__dict__)
    found: Callable[[], object] = module.__dict__["wrapped"]
    return found


def _stdin_test(run: Callable[[], object], given: str, wanted: str) -> bool:
    out, real = StringIO(), sys.stdout
    with patch("builtins.open", mock_open(read_data=given)), patch("sys.stdin", StringIO(given)):
        sys.stdout = out
        try:
            run()
        except SystemExit:
            pass
        finally:
            sys.stdout = real
    return _same(out.getvalue(), wanted)


def _peer_child(program: str, style: str, entry: str, tests: Sequence[tuple[str, Any]], result: Any) -> None:  # noqa: ANN401
    signal.signal(signal.SIGALRM, _alarm)
    try:
        if style == "json":
            module = ModuleType("solution")
            exec(PREAMBLE + program, module.__dict__)
            target = module.__dict__["Solution"]() if "class Solution" in program else module
        else:
            run = _as_function(program)
        for given, wanted in tests:
            signal.alarm(TIMEOUT_S)
            if style == "stdin":
                passed = _stdin_test(run, given, wanted)
            else:
                got = getattr(target, entry)(*[json.loads(line) for line in given.split("\n")])
                passed = _plain(list(got) if isinstance(got, tuple) else got) == wanted
            signal.alarm(0)
            result.append(passed)
            if not passed:
                return
    except BaseException:  # noqa: BLE001 - the peer's way
        result.append(False)


def peer(one: labelled.Labelled) -> bool:
    """One completion, the official way."""
    style = one.problem.style
    tests = [(t.input, t.output if style is InputStyle.STDIN else decode(t.output)) for t in one.problem.tests]
    with multiprocessing.Manager() as manager:
        result = manager.list()
        child = multiprocessing.Process(
            target=_peer_child, args=(one.program, style.value, one.problem.entry, tests, result)
        )
        child.start()
        child.join((TIMEOUT_S + 1) * len(tests) + 5)
        if child.is_alive():
            child.kill()
        found = list(result)
    return len(found) == len(tests) and all(found)


def _cpu_s() -> float:
    """CPU seconds so far of this process, what it started and what they have reaped: others on the machine do not count."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(file.parent.name)] = int(fields[1])
        ticks[int(file.parent.name)] = sum(map(int, fields[11:15]))
    mine = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in mine} - mine
        if not more:
            break
        mine |= more
    return time.process_time() + sum(ticks[pid] for pid in mine - {os.getpid()}) / os.sysconf("SC_CLK_TCK")


def _quick(one: labelled.Labelled) -> bool:
    return one.label in LABELS and Verdict.TIMEOUT not in one.expected and "hreading" not in one.program


async def _ours(grader: Grader, rows: Sequence[labelled.Labelled], workers: int) -> list[bool]:
    """Every row, twice as many at work as there are slots."""
    gate = asyncio.Semaphore(2 * workers)

    async def one(row: labelled.Labelled) -> bool:
        async with gate:
            (graded,) = await grader.grade(row.problem, [row.program])
        return graded.solved is True

    return await asyncio.gather(*map(one, rows))


async def _pairs(rows: Sequence[labelled.Labelled]) -> None:
    """Each program by both, one after the other: the ratio for each program, whatever its own time is."""
    ratios, mine, theirs = list[float](), list[float](), list[float]()
    async with await open_local(slots=1) as sandbox:
        grader = Grader(sandbox, GradeSettings(cpu_s=TIMEOUT_S))
        for one in [*rows[:3], *rows]:
            began = time.perf_counter()
            (ours,) = await grader.grade(one.problem, [one.program])
            middle = time.perf_counter()
            other = peer(one)
            end = time.perf_counter()
            if (ours.solved is True) is other:
                mine.append(middle - began)
                theirs.append(end - middle)
                ratios.append(theirs[-1] / mine[-1])
    low, mid, high = statistics.quantiles(ratios, n=4)
    print(
        f"paired, program by program: {len(ratios) - 3} of {len(rows)} with equal verdicts; median ratio {mid:.1f} x "
        f"(quartiles {low:.1f} to {high:.1f}); medians {1000 * statistics.median(mine):.1f} and "
        f"{1000 * statistics.median(theirs):.1f} ms",
        flush=True,
    )


async def _main(count: int, rounds: int, workers: int) -> None:
    folder = labelled.data_folder()
    if folder is None:
        sys.exit("set GASP_ENV_DATA to the folder of the labelled files")
    rows = [one for one in labelled.livecodebench(folder) if _quick(one)]
    rows = rows[:: max(1, len(rows) // count)][:count]
    walls, cpus = list[float](), list[float]()
    await _pairs(rows)
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(peer, rows[: 2 * workers]))
        async with await open_local(slots=workers) as sandbox:
            grader = Grader(sandbox, GradeSettings(cpu_s=TIMEOUT_S))
            await _ours(grader, rows[: 2 * workers], workers)
            for number in range(rounds):
                began = (time.perf_counter(), _cpu_s())
                mine = await _ours(grader, rows, workers)
                middle = (time.perf_counter(), _cpu_s())
                other = list(pool.map(peer, rows))
                end = (time.perf_counter(), _cpu_s())
                ours, theirs = _minus(middle, began), _minus(end, middle)
                walls.append(theirs[0] / ours[0])
                cpus.append(theirs[1] / ours[1])
                print(
                    f"round {number + 1}: {sum(a is b for a, b in zip(mine, other, strict=True))} of {len(rows)} equal "
                    f"verdicts; ours {len(rows) / ours[0]:.1f}/s, {1000 * ours[1] / len(rows):.1f} ms of CPU each; "
                    f"LiveCodeBench's way {len(rows) / theirs[0]:.1f}/s, {1000 * theirs[1] / len(rows):.1f} ms: "
                    f"{walls[-1]:.1f} x by the clock, {cpus[-1]:.1f} x by CPU time",
                    flush=True,
                )
    print(
        f"median of {rounds} rounds, {workers} workers on each side: {statistics.median(walls):.1f} x by the clock, "
        f"{statistics.median(cpus):.1f} x by CPU time"
    )


def _minus(after: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    return after[0] - before[0], after[1] - before[1]


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    given = [int(text) for text in sys.argv[1:]]
    asyncio.run(_main(*given, *(120, 3, os.cpu_count() or 1)[len(given) :]))
