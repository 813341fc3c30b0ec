"""The restricted but real Python of the micro policy: integer-list functions made of primitive steps.

A program is ``def f(xs):`` with one step a line; its message is the steps' phrases joined by ``; ``. Primitives have
heavy-tailed frequencies: the head is everywhere, a tail primitive is rare and tail primitives almost never meet
in one program. So difficulty is rarity and combination, not length.

Law: nothing here evaluates program text. Outputs come from the primitives' own callables, and `parse` maps text back to
steps by comparing lines with the known code forms.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise

__all__ = (
    "BY_NAME",
    "GOALPOST_TAIL",
    "PRIMITIVES",
    "Hardness",
    "Primitive",
    "Step",
    "Tier",
    "Value",
    "draw_inputs",
    "draw_program",
    "draw_step",
    "fits",
    "message",
    "pair",
    "parse",
    "render",
    "run",
)

Value = list[int] | int
Ints = list[int]


class Tier(StrEnum):
    """How common a primitive is in pretraining."""

    HEAD = "head"
    MID = "mid"
    TAIL = "tail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """One operation on a list of integers."""

    name: str
    tier: Tier
    phrase: str
    """What the message says; ``K`` stands for the constant."""
    forms: tuple[str, ...]
    """Python expressions in ``xs``; the first is the usual one."""
    fn: Callable[[Ints, int], Value]
    constants: tuple[int, ...] = (0,)
    """Values of ``K``; a single 0 where there is none."""
    final: bool = False
    """True if it yields one integer, so it can only be the last step."""

    @property
    def has_constant(self) -> bool:
        """True if the phrase and the code hold a ``K``."""
        return len(self.constants) > 1


@dataclass(frozen=True, slots=True)
class Step:
    """A primitive with its constant and the index of its code form."""

    name: str
    k: int = 0
    form: int = 0

    @property
    def primitive(self) -> Primitive:
        """The operation itself."""
        return BY_NAME[self.name]

    @property
    def code(self) -> str:
        """The step's expression."""
        return _fill(self.primitive.forms[self.form], self.k)

    @property
    def phrase(self) -> str:
        """The step's words."""
        return _fill(self.primitive.phrase, self.k)


def _fill(text: str, k: int) -> str:
    return re.sub(r"\bK\b", str(k), text)


_ONE_TO_NINE = tuple(range(1, 10))
_SMALL = (1, 2, 3, 4)


def _prims(
    tier: Tier, *rows: tuple[str, str, tuple[str, ...], Callable[[Ints, int], Value], tuple[int, ...]]
) -> list[Primitive]:
    return [
        Primitive(name=n, tier=tier, phrase=p, forms=c, fn=f, constants=k, final=n in _FINAL) for n, p, c, f, k in rows
    ]


_FINAL = frozenset({"sum", "max", "min", "len", "count_odd"})
_NONE = (0,)

_HEAD = _prims(
    Tier.HEAD,
    ("add", "add K to each", ("[x + K for x in xs]",), lambda v, k: [x + k for x in v], _ONE_TO_NINE),
    ("sub", "subtract K from each", ("[x - K for x in xs]",), lambda v, k: [x - k for x in v], _ONE_TO_NINE),
    ("mul", "multiply each by K", ("[x * K for x in xs]",), lambda v, k: [x * k for x in v], (2, 3, 4, 5)),
    ("sort", "sort", ("sorted(xs)",), lambda v, _: sorted(v), _NONE),
    ("reverse", "reverse", ("xs[::-1]", "list(reversed(xs))"), lambda v, _: v[::-1], _NONE),
    ("above", "keep those above K", ("[x for x in xs if x > K]",), lambda v, k: [x for x in v if x > k], _ONE_TO_NINE),
    ("below", "keep those below K", ("[x for x in xs if x < K]",), lambda v, k: [x for x in v if x < k], _ONE_TO_NINE),
    (
        "even",
        "keep the even ones",
        ("[x for x in xs if x % 2 == 0]",),
        lambda v, _: [x for x in v if x % 2 == 0],
        _NONE,
    ),
    ("odd", "keep the odd ones", ("[x for x in xs if x % 2 == 1]",), lambda v, _: [x for x in v if x % 2 == 1], _NONE),
    ("first", "take the first K", ("xs[:K]",), lambda v, k: v[:k], _SMALL),
    ("skip", "drop the first K", ("xs[K:]",), lambda v, k: v[k:], (1, 2, 3)),
    ("square", "square each", ("[x * x for x in xs]", "[x ** 2 for x in xs]"), lambda v, _: [x * x for x in v], _NONE),
    ("negate", "negate each", ("[-x for x in xs]",), lambda v, _: [-x for x in v], _NONE),
    ("down", "sort descending", ("sorted(xs, reverse=True)",), lambda v, _: sorted(v, reverse=True), _NONE),
    ("sum", "return the sum", ("sum(xs)",), lambda v, _: sum(v), _NONE),
    ("max", "return the largest", ("max(xs, default=0)",), lambda v, _: max(v, default=0), _NONE),
    ("min", "return the smallest", ("min(xs, default=0)",), lambda v, _: min(v, default=0), _NONE),
    ("len", "return the length", ("len(xs)",), lambda v, _: len(v), _NONE),
)
_MID = _prims(
    Tier.MID,
    ("dedupe", "remove duplicates", ("list(dict.fromkeys(xs))",), lambda v, _: list(dict.fromkeys(v)), _NONE),
    ("abs", "absolute values", ("[abs(x) for x in xs]", "list(map(abs, xs))"), lambda v, _: [abs(x) for x in v], _NONE),
    (
        "totals",
        "running totals",
        ("[sum(xs[:i + 1]) for i in range(len(xs))]",),
        lambda v, _: list(accumulate(v)),
        _NONE,
    ),
    ("second", "every second one", ("xs[::2]",), lambda v, _: v[::2], _NONE),
    ("last", "take the last K", ("xs[-K:]",), lambda v, k: v[-k:], _SMALL),
    ("chop", "drop the last K", ("xs[:-K]",), lambda v, k: v[:-k], (1, 2, 3)),
    ("mod", "remainders by K", ("[x % K for x in xs]",), lambda v, k: [x % k for x in v], (2, 3, 4, 5, 6, 7)),
    ("halve", "halve each", ("[x // 2 for x in xs]",), lambda v, _: [x // 2 for x in v], _NONE),
    (
        "multiples",
        "keep multiples of K",
        ("[x for x in xs if x % K == 0]",),
        lambda v, k: [x for x in v if x % k == 0],
        (3, 4, 5),
    ),
    (
        "deltas",
        "differences of neighbors",
        ("[b - a for a, b in zip(xs, xs[1:])]",),
        lambda v, _: [b - a for a, b in pairwise(v)],
        _NONE,
    ),
    ("count_odd", "count the odd ones", ("sum(x % 2 for x in xs)",), lambda v, _: sum(x % 2 for x in v), _NONE),
    ("push_sum", "append the sum", ("xs + [sum(xs)]",), lambda v, _: [*v, sum(v)], _NONE),
)
_TAIL = _prims(
    Tier.TAIL,
    ("rotate", "rotate left by K", ("xs[K:] + xs[:K]",), lambda v, k: v[k:] + v[:k], (1, 2, 3)),
    (
        "maxima",
        "running maxima",
        ("[max(xs[:i + 1]) for i in range(len(xs))]",),
        lambda v, _: list(accumulate(v, max)),
        _NONE,
    ),
    (
        "rank",
        "replace each by its rank",
        ("[sorted(xs).index(x) for x in xs]",),
        lambda v, _: [sorted(v).index(x) for x in v],
        _NONE,
    ),
    ("mirror", "append the mirror image", ("xs + xs[::-1]",), lambda v, _: v + v[::-1], _NONE),
    ("clamp", "clamp to K", ("[min(x, K) for x in xs]",), lambda v, k: [min(x, k) for x in v], _ONE_TO_NINE),
    (
        "digits",
        "digit sums",
        ("[sum(map(int, str(abs(x)))) for x in xs]",),
        lambda v, _: [sum(map(int, str(abs(x)))) for x in v],
        _NONE,
    ),
    (
        "weave",
        "interleave with the reverse",
        ("[v for p in zip(xs, xs[::-1]) for v in p]",),
        lambda v, _: [y for p in zip(v, v[::-1], strict=True) for y in p],
        _NONE,
    ),
    (
        "counts",
        "replace each by its count",
        ("[xs.count(x) for x in xs]",),
        lambda v, _: [v.count(x) for x in v],
        _NONE,
    ),
    (
        "weigh",
        "multiply each by its position",
        ("[i * x for i, x in enumerate(xs)]",),
        lambda v, _: [i * x for i, x in enumerate(v)],
        _NONE,
    ),
    (
        "climbs",
        "keep those above the one before",
        ("[b for a, b in zip(xs, xs[1:]) if b > a]",),
        lambda v, _: [b for a, b in pairwise(v) if b > a],
        _NONE,
    ),
    (
        "halves",
        "swap the halves",
        ("xs[len(xs) // 2:] + xs[:len(xs) // 2]",),
        lambda v, _: v[len(v) // 2 :] + v[: len(v) // 2],
        _NONE,
    ),
    (
        "stutter",
        "repeat each twice",
        ("[x for x in xs for _ in range(2)]",),
        lambda v, _: [x for x in v for _ in range(2)],
        _NONE,
    ),
    (
        "flip_odd",
        "negate the odd ones",
        ("[-x if x % 2 else x for x in xs]",),
        lambda v, _: [-x if x % 2 else x for x in v],
        _NONE,
    ),
    (
        "suffix",
        "totals to the end",
        ("[sum(xs[i:]) for i in range(len(xs))]",),
        lambda v, _: [sum(v[i:]) for i in range(len(v))],
        _NONE,
    ),
    (
        "pair_sums",
        "sums of neighbors",
        ("[a + b for a, b in zip(xs, xs[1:])]",),
        lambda v, _: [a + b for a, b in pairwise(v)],
        _NONE,
    ),
    (
        "drop_max",
        "drop the largest",
        ("[x for x in xs if x != max(xs)]",),
        lambda v, _: [x for x in v if x != max(v)],
        _NONE,
    ),
    ("ends", "move the last to the front", ("xs[-1:] + xs[:-1]",), lambda v, _: v[-1:] + v[:-1], _NONE),
    (
        "last_digit",
        "sort by last digit",
        ("sorted(xs, key=lambda x: x % 10)",),
        lambda v, _: sorted(v, key=lambda x: x % 10),
        _NONE,
    ),
    (
        "once",
        "keep those that occur once",
        ("[x for x in xs if xs.count(x) == 1]",),
        lambda v, _: [x for x in v if v.count(x) == 1],
        _NONE,
    ),
    ("gap", "distance to the largest", ("[max(xs) - x for x in xs]",), lambda v, _: [max(v) - x for x in v], _NONE),
)

PRIMITIVES: tuple[Primitive, ...] = (*_HEAD, *_MID, *_TAIL)
BY_NAME: dict[str, Primitive] = {p.name: p for p in PRIMITIVES}
GOALPOST_TAIL = ("rotate", "rank", "clamp", "digits", "weigh", "climbs", "flip_odd", "pair_sums", "gap", "suffix")
"""The part of the tail that the goalposts are made of; the other half never occurs in a goalpost."""

_WEIGHT = {p.name: 1.0 / (1 + i) ** 0.5 for i, p in enumerate(_HEAD)}
_WEIGHT |= {p.name: 0.16 for p in _MID} | {p.name: 0.012 for p in _TAIL}
_POOL = {final: [p for p in PRIMITIVES if final or not p.final] for final in (False, True)}


def draw_step(rng: random.Random, *, last: bool, tier: Tier | None = None) -> Step:
    """Draw a step by frequency, optionally from one tier; only the last may end in an integer."""
    pool = [p for p in _POOL[last] if tier is None or p.tier is tier]
    found = rng.choices(pool, [_WEIGHT[p.name] for p in pool])[0]
    return with_constant(rng, found)


def with_constant(rng: random.Random, primitive: Primitive) -> Step:
    """A step of this primitive with a random constant; the usual code form four times in five."""
    form = rng.randrange(len(primitive.forms)) if rng.random() < 0.4 else 0
    return Step(primitive.name, rng.choice(primitive.constants), form)


def draw_program(rng: random.Random, length: int, *, tail: int | None = None) -> tuple[Step, ...]:
    """Draw a program of this length; ``tail`` fixes how many of its steps are from the tail."""
    places = set(rng.sample(range(length), tail)) if tail is not None else set()
    steps: list[Step] = []
    while len(steps) < length:
        at = len(steps)
        step = draw_step(rng, last=at == length - 1, tier=Tier.TAIL if at in places else None)
        if tail is not None and at not in places and step.primitive.tier is Tier.TAIL:
            continue
        if not any(step.name == s.name for s in steps):
            steps.append(step)
    return tuple(steps)


def run(steps: Sequence[Step], xs: Sequence[int]) -> Value:
    """Interpret a program with the primitives' callables.

    Raises:
        TypeError: a step that ends in an integer is not the last one.
    """
    value: Value = list(xs)
    for step in steps:
        if isinstance(value, int):
            raise TypeError(f"{step.name} follows a step that ends in an integer; only the last step may")
        value = step.primitive.fn(value, step.k)
    return value


def render(steps: Sequence[Step]) -> str:
    """The program as Python text."""
    lines = ["def f(xs):", *map(_line, steps)]
    return "\n".join(lines if steps[-1].primitive.final else [*lines, "    return xs"])


def message(steps: Sequence[Step]) -> str:
    """The program in words."""
    return "; ".join(s.phrase for s in steps)


def pair(steps: Sequence[Step], xs: Sequence[int]) -> str:
    """One visible test, as prompts show it."""
    return f"f({list(xs)!r}) == {run(steps, xs)!r}"


def _line(step: Step) -> str:
    return f"    {'return' if step.primitive.final else 'xs ='} {step.code}"


_STEPS = (Step(p.name, k, form) for p in PRIMITIVES for form in range(len(p.forms)) for k in p.constants)
_LINES = {_line(step): step for step in _STEPS}


def parse(text: str) -> tuple[Step, ...] | None:
    """Map program text back to steps by its lines; None where a line is none of the known forms."""
    steps = tuple(step for line in text.split("\n") if (step := _LINES.get(line)) is not None)
    return steps if steps and render(steps) == text else None


class Hardness(StrEnum):
    """How hard inputs are to read: longer lists, larger and negative numbers."""

    EASY = "easy"
    USUAL = "usual"
    HARD = "hard"


_RANGE = {Hardness.EASY: (2, 4, 0, 9), Hardness.USUAL: (3, 5, -3, 15), Hardness.HARD: (4, 6, -20, 30)}


def draw_inputs(rng: random.Random, n: int, hardness: Hardness = Hardness.USUAL) -> list[list[int]]:
    """Draw ``n`` different lists."""
    shortest, longest, low, high = _RANGE[hardness]
    seen: dict[tuple[int, ...], None] = {}
    while len(seen) < n:
        xs = [rng.randint(low, high) for _ in range(rng.randint(shortest, longest))]
        if rng.random() < 0.25:
            xs[rng.randrange(len(xs))] = rng.choice(xs)
        seen[tuple(xs)] = None
    return [list(xs) for xs in seen]


def fits(steps: Sequence[Step], inputs: Sequence[Sequence[int]]) -> bool:
    """True if outputs are short, of moderate size and tell inputs apart."""
    outputs = [run(steps, xs) for xs in inputs]
    flat = [v for out in outputs for v in (out if isinstance(out, list) else [out])]
    longest = max(len(out) if isinstance(out, list) else 1 for out in outputs)
    distinct = len({repr(out) for out in outputs})
    return longest <= 14 and all(abs(v) < 2000 for v in flat) and 2 * distinct > min(len(inputs), 5)
