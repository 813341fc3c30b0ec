"""How fast the sandbox is, as ratios to what a fork costs here: paired, interleaved, in one process tree.

    python benchmarks/sandbox.py --quick
    python benchmarks/sandbox.py --rounds 100 --save sandbox.json

Each round runs every mode once, in random order, so that a busy minute hits all of them. Ratios are medians of the paired
ratios of each round. Floors run inside a warm Python that forks for each job and has no isolation at all.
"""

import argparse
import asyncio
import importlib.util
import json
import multiprocessing
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox import LocalSandbox, open_local
from gasp_env.types import InputStyle, Job

Mode = Callable[[], Awaitable[None]]
PROGRAM = "def f(x):\n    return sorted([x * k % 7 for k in range(5)])"
TEN = tuple(map(str, range(10)))
FLOOR = """
import abc, ast, bisect, collections, copy, dataclasses, datetime, decimal, fractions, functools, heapq, io, itertools, json
import math, os, queue, random, re, statistics, string, struct, sys, textwrap, threading, time, traceback, typing
def job(text):
    work = json.loads(text)
    space = {}
    exec(compile(work["program"], "<program>", "exec"), space)
    return json.dumps([repr(space["f"](ast.literal_eval(one))) for one in work["inputs"]])
for line in sys.stdin:
    kind, text = line.split(" ", 1)
    began = time.perf_counter()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        if kind == "job":
            os.write(write, job(text).encode())
        os._exit(0)
    os.close(write)
    while os.read(read, 65536):
        pass
    os.waitpid(pid, 0)
    os.close(read)
    print(time.perf_counter() - began, flush=True)
"""
SCRIPT = """
import json, sys, ast
work = json.loads(sys.stdin.read())
space = {}
exec(work["program"], space)
print(json.dumps([repr(space["f"](ast.literal_eval(one))) for one in work["inputs"]]))
"""


def work(payload: str, queue: "multiprocessing.Queue[list[str]] | None" = None) -> list[str]:
    """The job without any isolation."""
    space: dict[str, Callable[[int], object]] = {}
    facts = json.loads(payload)
    exec(compile(facts["program"], "<program>", "exec"), space)
    found = [repr(space["f"](int(one))) for one in facts["inputs"]]
    if queue is not None:
        queue.put(found)
    return found


class Floor:
    """A warm Python that forks."""

    def __init__(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", FLOOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def measure(self, kind: str, payload: str) -> float:
        """Seconds from before the fork to after the wait, as measured inside."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{kind} {payload}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.communicate()


async def timed(action: Mode) -> float:
    """Seconds that an action takes."""
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


def ours(sandbox: LocalSandbox, job: Job, times: int = 1) -> Mode:
    """One call of the sandbox."""

    async def run() -> None:
        for outcome in await sandbox.run([job] * times):
            assert not outcome.failed_by_us, outcome.tests[0]

    return run


def bare_subprocess(payload: str) -> Mode:
    """What most reward functions do."""

    async def run() -> None:
        subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
            [sys.executable, "-I", "-S", "-c", SCRIPT], input=payload, capture_output=True, text=True, check=True
        )

    return run


def spawned(payload: str, method: str) -> Mode:
    """A process of multiprocessing for each job."""
    context = multiprocessing.get_context(method)

    async def run() -> None:
        queue = context.Queue()
        process = context.Process(target=work, args=(payload, queue))
        process.start()
        queue.get()
        process.join()

    return run


def pebble_pool(payload: str) -> Mode:
    """The executor of AZR: a pool whose workers are used again, without isolation."""
    from pebble import ProcessPool  # type: ignore[import-not-found]

    pool = ProcessPool(max_workers=1)

    async def run() -> None:
        pool.schedule(work, args=(payload,)).result()

    return run


async def open_levels() -> dict[str, LocalSandbox]:
    """A sandbox of one slot at each level that this machine gives."""
    found: dict[str, LocalSandbox] = {}
    for level in ("L3", "L2", "L1", "L0"):
        try:
            found[level] = await open_local(level=level, require=level, slots=1)
        except SandboxUnavailable as error:
            print(f"no {level}: {error}", file=sys.stderr)
    return found


async def compare(rounds: int, levels: dict[str, LocalSandbox]) -> dict[str, list[float]]:
    """Seconds of each mode, one a round."""
    payload = json.dumps({"program": PROGRAM, "inputs": TEN})
    job = Job(program=PROGRAM, inputs=TEN)
    floor = Floor()
    modes: dict[str, Mode] = {f"ours {level}": ours(sandbox, job) for level, sandbox in levels.items()}
    modes["subprocess python -I -S"] = bare_subprocess(payload)
    modes["multiprocessing spawn"] = spawned(payload, "spawn")
    modes["multiprocessing forkserver"] = spawned(payload, "forkserver")
    if importlib.util.find_spec("pebble"):
        modes["pebble pool (no isolation, reused)"] = pebble_pool(payload)
    names = ["floor: fork + exit", "floor: fork + job", *modes]
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 3):
        random.shuffle(names)
        for name in names:
            if name.startswith("floor"):
                spent = floor.measure(name.rsplit(" ", 1)[1], payload)
            else:
                spent = await timed(modes[name])
            if turn >= 3:  # warm
                found[name].append(spent)
    floor.close()
    return found


async def scale(rounds: int, sandbox: LocalSandbox) -> dict[str, list[float]]:
    """Seconds by number of tests, and by size."""
    one, many = Job(program=PROGRAM, inputs=("1",)), Job(program=PROGRAM, inputs=tuple(map(str, range(100))))
    numbers = json.dumps(list(range(150_000)))
    big = Job(program="def f(x): return len(x)", inputs=(numbers,), style=InputStyle.JSON)
    stdin = Job(program="print(sum(map(int, input().split())))", inputs=("1 2 3\n",) * 10, style=InputStyle.STDIN)
    modes = {
        "1 test": ours(sandbox, one),
        "10 tests": ours(sandbox, Job(program=PROGRAM, inputs=TEN)),
        "100 tests in one job": ours(sandbox, many),
        "100 jobs of one test": ours(sandbox, one, 100),
        "10 tests by standard input": ours(sandbox, stdin),
        "an input of 1 MB": ours(sandbox, big),
    }
    return {name: [await timed(mode) for _ in range(max(3, rounds // 4))] for name, mode in modes.items()}


async def throughput(level: str, most: int) -> dict[str, float]:
    """512 completions of 20 tests: seconds by slots."""
    found: dict[str, float] = {}
    job = Job(program=PROGRAM, inputs=tuple(map(str, range(20))))
    for slots in range(1, most + 1):
        async with await open_local(level=level, require=level, slots=slots) as sandbox:
            await sandbox.run([job] * slots * 2)
            found[f"{slots} slots"] = await timed(ours(sandbox, job, 512))
    return found


def summary(times: list[float], base: list[float]) -> dict[str, float]:
    """Milliseconds, and the median of paired ratios to a base."""
    ordered = sorted(times)
    ratios = [mine / other for mine, other in zip(times, base, strict=False)]
    return {
        "p50_ms": round(1e3 * statistics.median(ordered), 3),
        "p99_ms": round(1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "ratio": round(statistics.median(ratios), 3),
    }


def goals(
    compared: dict[str, list[float]], scaled: dict[str, list[float]], batch: float
) -> dict[str, tuple[float, str]]:
    """The figures to reach."""
    best = next(name for name in compared if name.startswith("ours"))
    mine = compared[best]

    def ratio(name: str) -> float:
        return round(statistics.median(a / b for a, b in zip(mine, compared[name], strict=True)), 3)

    hundred = statistics.median(scaled["100 jobs of one test"]) / statistics.median(scaled["100 tests in one job"])
    return {
        f"{best} / fork + job": (ratio("floor: fork + job"), "<= 2.0"),
        f"{best} / subprocess": (ratio("subprocess python -I -S"), "<= 0.25"),
        f"{best} / spawn": (ratio("multiprocessing spawn"), "<= 0.0667"),
        "100 jobs / one job of 100 tests": (round(hundred, 1), ">= 50"),
        "512 x 20 tests, one slot, seconds": (round(batch, 2), "<= 2.5"),
    }


async def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="15 rounds")
    parser.add_argument("--slots", type=int, default=len(os.sched_getaffinity(0)), help="most slots to try")
    parser.add_argument("--save", type=Path, help="write all figures as JSON")
    options = parser.parse_args()
    rounds = 15 if options.quick else options.rounds
    levels = await open_levels()
    best = next(iter(levels))
    compared = await compare(rounds, levels)
    scaled = await scale(rounds, levels[best])
    for sandbox in levels.values():
        await sandbox.close()
    batches = await throughput(best, options.slots)
    base = compared["floor: fork + job"]
    table = {name: summary(times, base) for name, times in compared.items()}
    table |= {f"{best}, {name}": summary(times, base) for name, times in scaled.items()}
    for name, row in table.items():
        print(f"{name:36} {row['p50_ms']:9.2f} ms  p99 {row['p99_ms']:9.2f} ms  {row['ratio']:7.2f} x fork + job")
    for name, seconds in batches.items():
        print(f"512 completions x 20 tests, {name:8} {seconds:9.2f} s")
    reached = goals(compared, scaled, batches["1 slots"])
    for name, (value, goal) in reached.items():
        print(f"{name:36} {value:9} (goal {goal})")
    if options.save:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        facts = {"machine": machine, "rounds": rounds, "modes": table, "batches": batches, "goals": reached}
        options.save.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
