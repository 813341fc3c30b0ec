"""Write the micro domain's goalposts, each certified by brute force.

A goalpost joins three or four steps, most or all from the goalposts' half of the tail. It is kept only if, on its own tests,
no program with fewer steps (any primitives, any constants) and no program of at most as many steps from head primitives alone
gives the same outputs. Run: ``python examples/micro/make_goalposts.py`` (some minutes).
"""

import argparse
import hashlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from domain import (
    BY_NAME,
    GOALPOST_TAIL,
    PRIMITIVES,
    Hardness,
    Step,
    Tier,
    Value,
    draw_inputs,
    draw_step,
    message,
    render,
    run,
    with_constant,
)

from gasp_env.types import Goalpost, InputStyle, TestCase
from gasp_env.values import encode

__all__ = ("certify", "main", "make")

Steps = tuple[Step, ...]
Table = tuple[Value, ...]
VISIBLE = 5
TESTS = 10


def _all_steps(*, head_only: bool) -> list[Step]:
    return [Step(p.name, k) for p in PRIMITIVES if p.tier is Tier.HEAD or not head_only for k in p.constants]


def _key(table: Iterable[Value]) -> tuple[object, ...]:
    return tuple(tuple(v) if isinstance(v, list) else v for v in table)


def _grow(tables: Iterable[Table], steps: Sequence[Step]) -> list[Table]:
    """Every different table of outputs that one more step can make."""
    seen: dict[tuple[object, ...], Table] = {}
    for table in tables:
        if any(isinstance(v, int) for v in table):
            continue
        for step in steps:
            new = tuple(step.primitive.fn(v, step.k) for v in table if isinstance(v, list))
            if all(_moderate(v) for v in new):
                seen.setdefault(_key(new), new)
    return list(seen.values())


def _moderate(value: Value) -> bool:
    """False for tables that only blow up: no step leads back from there to a goalpost's outputs."""
    return isinstance(value, int) or len(value) <= 64


def _reaches(tables: Iterable[Table], steps: Sequence[Step], target: Table) -> bool:
    """True if one more step turns a table into the target; looks at the first test before the others."""
    for table in tables:
        first = table[0]
        if isinstance(first, int):
            continue
        for step in steps:
            if step.primitive.fn(first, step.k) == target[0] and _key(
                step.primitive.fn(v, step.k) for v in table if isinstance(v, list)
            ) == _key(target):
                return True
    return False


def _solvable(inputs: Table, target: Table, steps: Sequence[Step], depth: int) -> bool:
    """True if some program of at most ``depth`` of these steps gives the target."""
    tables: list[Table] = [inputs]
    for level in range(1, depth + 1):
        if _reaches(tables, steps, target):
            return True
        if level < depth:
            tables = _grow(tables, steps)
    return False


def certify(steps: Steps, inputs: Sequence[Sequence[int]]) -> bool:
    """True if no shorter program and no head-only program of at most this length acts the same on the inputs."""
    table: Table = tuple(list(xs) for xs in inputs)
    target: Table = tuple(run(steps, xs) for xs in inputs)
    shorter = _solvable(table, target, _all_steps(head_only=False), len(steps) - 1)
    return not shorter and not _solvable(table, target, _all_steps(head_only=True), min(len(steps), 3))


def _draw(rng: random.Random, length: int) -> Steps:
    names = rng.sample(GOALPOST_TAIL, length)
    steps = [with_constant(rng, BY_NAME[name]) for name in names]
    if length == 4 and rng.random() < 0.5:
        steps[rng.randrange(length)] = draw_step(rng, last=False, tier=Tier.MID)
    return tuple(steps)


def _good(steps: Steps, inputs: Sequence[Sequence[int]]) -> bool:
    """Outputs that show something: not empty, mostly different, of moderate size."""
    outputs = [run(steps, xs) for xs in inputs]
    if any(not out for out in outputs) or len({repr(out) for out in outputs}) < 7:
        return False
    return all(len(out) > 1 and max(map(abs, out)) < 300 for out in outputs[:VISIBLE] if isinstance(out, list))


def make(rng: random.Random, length: int) -> Goalpost:
    """Draw until one is good and certified."""
    while True:
        steps = _draw(rng, length)
        for _ in range(20):
            inputs = draw_inputs(rng, TESTS, Hardness.USUAL)
            if _good(steps, inputs) and certify(steps, inputs):
                return _goalpost(steps, inputs)


def _goalpost(steps: Steps, inputs: Sequence[Sequence[int]]) -> Goalpost:
    tests = tuple(TestCase(input=repr(list(xs)), output=encode(run(steps, xs))) for xs in inputs)
    text = message(steps)
    return Goalpost(
        id=f"micro-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
        statement=text,
        style=InputStyle.LITERAL,
        visible=tests[:VISIBLE],
        hidden=tests[VISIBLE:],
        reference=render(steps),
        source="examples/micro/make_goalposts.py",
        difficulty=f"{len(steps)} steps",
        tags=tuple(s.name for s in steps),
    )


def main() -> None:
    """Write the file, a goalpost a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "goalposts.jsonl")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=36)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    found: dict[str, Goalpost] = {}
    while len(found) < args.n:
        made = make(rng, 3 if len(found) < args.n * 2 // 3 else 4)
        if made.id not in found:
            print(len(found) + 1, made.statement, flush=True)
        found[made.id] = made
    args.out.write_bytes(b"".join(msgspec.json.encode(g) + b"\n" for g in found.values()))


if __name__ == "__main__":
    main()
