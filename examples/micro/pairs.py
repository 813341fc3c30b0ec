"""Training pairs of the micro policy: (prompt, answer) in the compact style, for both roles.

What the start policy is weak at is set here. Head primitives are always answered rightly; for a tail primitive the
corpus often holds a look-alike instead (`SKILL`), as rare things do in any corpus. The student's look-alike is a wrong
answer; the teacher's is another, well-described question, so proposals stay well posed. Lemmas and lifts
are a wide mixture of difficulties: reinforcement learning has something to choose from.
"""

import dataclasses
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain import (
    BY_NAME,
    GOALPOST_TAIL,
    PRIMITIVES,
    Hardness,
    Step,
    Tier,
    draw_inputs,
    draw_program,
    draw_step,
    fits,
    message,
    pair,
    render,
    run,
    with_constant,
)

__all__ = ("KINDS", "SKILL", "Pair", "confuse", "draw_pair", "fence", "proposal", "shorten", "solve_prompt")

INPUTS = 10
VISIBLE = 5
SKILL = {
    "student": {Tier.HEAD: 1.0, Tier.MID: 0.85, Tier.TAIL: 0.3},
    "teacher": {Tier.HEAD: 1.0, Tier.MID: 1.0, Tier.TAIL: 0.7},
}
"""Share of steps that the corpus answers with the primitive that was asked for."""
VAGUE = "some number"

Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One training example; ``steps`` and ``inputs`` are what the prompt is about, for checks."""

    kind: str
    prompt: str
    answer: str
    steps: Steps
    inputs: tuple[tuple[int, ...], ...]


def fence(tag: str, text: str) -> str:
    """A fenced block, as answers and prompts hold it."""
    return f"```{tag}\n{text}\n```"


def _siblings(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    n = len(names)
    return {name: tuple(names[(i + d) % n] for d in (1, 2, 3)) for i, name in enumerate(names)}


def _look_alikes() -> dict[str, tuple[str, ...]]:
    """Three look-alikes a primitive, from its own tier (for the tail: from its own half)."""
    mid = [p.name for p in PRIMITIVES if p.tier is Tier.MID and not p.final]
    rest = [p.name for p in PRIMITIVES if p.tier is Tier.TAIL and p.name not in GOALPOST_TAIL]
    return _siblings(mid) | _siblings(GOALPOST_TAIL) | _siblings(rest)


LOOK_ALIKES = _look_alikes()


def confuse(rng: random.Random, steps: Steps, role: str) -> Steps:
    """Replace steps by look-alikes, as often as ``role`` lacks the skill."""
    out: list[Step] = []
    for step in steps:
        known = rng.random() < SKILL[role][step.primitive.tier] or step.name not in LOOK_ALIKES
        out.append(step if known else with_constant(rng, BY_NAME[rng.choice(LOOK_ALIKES[step.name])]))
    return tuple(out)


def _lines(inputs: Sequence[Sequence[int]]) -> str:
    return "\n".join(repr(list(xs)) for xs in inputs)


def _shown(steps: Steps, inputs: Sequence[Sequence[int]]) -> str:
    return "\n".join(pair(steps, xs) for xs in inputs[:VISIBLE])


def solve_prompt(text: str, steps: Steps, inputs: Sequence[Sequence[int]]) -> str:
    """The student's induction prompt: message and visible pairs."""
    return f"solve\n{text}\n{_shown(steps, inputs)}"


def proposal(steps: Steps, inputs: Sequence[Sequence[int]], text: str) -> str:
    """A teacher's answer: program, inputs, message."""
    return "\n".join((fence("python", render(steps)), fence("inputs", _lines(inputs)), fence("message", text)))


def _length(rng: random.Random) -> int:
    return rng.choices((1, 2, 3, 4), (0.25, 0.35, 0.25, 0.15))[0]


def _program(rng: random.Random) -> Steps:
    length = _length(rng)
    roll = rng.random()
    if roll < 0.35:  # one tail primitive among commoner ones: what lemmas and lifts are made of
        return draw_program(rng, length, tail=1)
    if roll < 0.37 and length > 1:
        return draw_program(rng, length, tail=2)
    return draw_program(rng, length, tail=0)


def _hard_program(rng: random.Random) -> Steps:
    """Like a goalpost: several tail primitives together. Occurs in prompts only."""
    length = rng.choice((3, 4))
    return draw_program(rng, length, tail=rng.choice((2, length - 1, length)))


def _inputs(rng: random.Random, steps: Steps, hardness: Hardness) -> list[list[int]] | None:
    for _ in range(4):
        inputs = draw_inputs(rng, INPUTS, hardness)
        if fits(steps, inputs):
            return inputs
    return None


def _vague(rng: random.Random, steps: Steps) -> str:
    """The message with one constant withheld; it has to be read off the visible pairs."""
    places = [i for i, s in enumerate(steps) if s.primitive.has_constant]
    if not places:
        return message(steps)
    at = rng.choice(places)
    words = [s.phrase for s in steps]
    words[at] = steps[at].primitive.phrase.replace("K", VAGUE)
    return "; ".join(words)


def _hardness(rng: random.Random) -> Hardness:
    return rng.choices(tuple(Hardness), (0.3, 0.5, 0.2))[0]


def _make(kind: str, prompt: str, answer: str, steps: Steps, inputs: Sequence[Sequence[int]]) -> Pair:
    return Pair(kind=kind, prompt=prompt, answer=answer, steps=steps, inputs=tuple(tuple(xs) for xs in inputs))


def _solve(rng: random.Random) -> Pair | None:
    steps = _program(rng)
    inputs = _inputs(rng, steps, _hardness(rng))
    if inputs is None:
        return None
    text = _vague(rng, steps) if rng.random() < 0.06 else message(steps)
    answer = fence("python", render(confuse(rng, steps, "student")))
    return _make("solve", solve_prompt(text, steps, inputs), answer, steps, inputs)


def _subset(rng: random.Random, steps: Steps) -> Steps:
    """An easier algorithm: some of the steps, maybe with a common one beside them."""
    size = min(rng.choices((1, 2, 3), (0.5, 0.4, 0.1))[0], len(steps))
    kept = [steps[i] for i in sorted(rng.sample(range(len(steps)), size))]
    if len(kept) < 3 and rng.random() < 0.4:
        extra = draw_step(rng, last=False, tier=Tier.HEAD if rng.random() < 0.75 else Tier.MID)
        kept.insert(rng.randrange(len(kept)), extra)
    return tuple(kept)


def _lemma(rng: random.Random) -> Pair | None:
    goal = _hard_program(rng) if rng.random() < 0.6 else _program(rng)
    shown = _inputs(rng, goal, Hardness.USUAL)
    axis = rng.choice(("io", "f"))
    easier = _subset(rng, goal) if axis == "f" or rng.random() < 0.5 else goal
    steps = confuse(rng, easier, "teacher")
    inputs = _inputs(rng, steps, Hardness.EASY if axis == "io" else _hardness(rng))
    if shown is None or inputs is None:
        return None
    prompt = f"lemma {axis}\n{message(goal)}\n{_shown(goal, shown)}"
    return _make("lemma", prompt, proposal(steps, inputs, message(steps)), steps, inputs)


def _harder(rng: random.Random, steps: Steps) -> Steps:
    """A harder algorithm: a step more, or a rarer step in place of one."""
    tier = rng.choices(tuple(Tier), (0.3, 0.3, 0.4))[0]
    at = rng.randrange(len(steps)) if steps[-1].primitive.final else rng.randint(0, len(steps))
    new = draw_step(rng, last=False, tier=tier)
    grows = len(steps) < 4 and (rng.random() < 0.8 or at == len(steps))
    cut = at if grows else at + 1
    return (*steps[:at], new, *steps[cut:])


def _lift(rng: random.Random) -> Pair | None:
    parent = _program(rng)
    shown = _inputs(rng, parent, _hardness(rng))
    axis = rng.choice(("io", "f"))
    steps = confuse(rng, _harder(rng, parent), "teacher") if axis == "f" else parent
    inputs = _inputs(rng, steps, Hardness.HARD if axis == "io" else _hardness(rng))
    if shown is None or inputs is None:
        return None
    text = _vague(rng, steps) if axis == "io" and rng.random() < 0.4 else message(steps)
    prompt = f"lift {axis}\n{message(parent)}\n{fence('python', render(parent))}\n{_shown(parent, shown)}"
    return _make("lift", prompt, proposal(steps, inputs, text), steps, inputs)


def _free_induction(rng: random.Random) -> Pair | None:
    steps = _program(rng)
    inputs = _inputs(rng, steps, _hardness(rng))
    if inputs is None:
        return None
    answer = f"{fence('inputs', _lines(inputs))}\n{fence('message', message(steps))}"
    return _make("free induction", f"free induction\n{fence('python', render(steps))}", answer, steps, inputs)


def _free_program(rng: random.Random) -> Pair | None:
    """A new program unlike those shown: from the whole space, the tail included."""
    kind = rng.choice(("free deduction", "free abduction"))
    shown = [render(_program(rng)) for _ in range(rng.randint(1, 6))]
    if rng.random() < 0.1:  # the unguided buffer starts from the identity function
        shown[0] = "def f(xs):\n    return xs"
    steps = draw_program(rng, _length(rng), tail=int(rng.random() < 0.5))
    inputs = _inputs(rng, steps, _hardness(rng))
    if inputs is None:
        return None
    prompt = "\n".join((kind, *(fence("python", text) for text in shown)))
    answer = f"{fence('python', render(steps))}\n{fence('inputs', _lines(inputs[:1]))}"
    return _make(kind, prompt, answer, steps, inputs)


def _output(rng: random.Random) -> Pair | None:
    steps = _program(rng)
    inputs = _inputs(rng, steps, _hardness(rng))
    if inputs is None:
        return None
    prompt = f"output\n{fence('python', render(steps))}\nf({inputs[0]!r})"
    return _make("output", prompt, fence("output", repr(run(steps, inputs[0]))), steps, inputs)


def _input(rng: random.Random) -> Pair | None:
    steps = _program(rng)
    inputs = _inputs(rng, steps, _hardness(rng))
    if inputs is None:
        return None
    prompt = f"input\n{fence('python', render(steps))}\n{run(steps, inputs[0])!r}"
    return _make("input", prompt, fence("input", repr(inputs[0])), steps, inputs)


KINDS: dict[str, tuple[float, Callable[[random.Random], Pair | None]]] = {
    "solve": (0.36, _solve),
    "lemma": (0.20, _lemma),
    "lift": (0.18, _lift),
    "free induction": (0.04, _free_induction),
    "free program": (0.04, _free_program),
    "output": (0.10, _output),
    "input": (0.08, _input),
}
"""Share and generator of every kind of example."""


def draw_pair(rng: random.Random, kind: str | None = None) -> Pair:
    """Draw one example, of ``kind`` or of a kind drawn by its share."""
    while True:
        name = kind or rng.choices(tuple(KINDS), [share for share, _ in KINDS.values()])[0]
        made = KINDS[name][1](rng)
        if made is not None:
            return made


def shorten(made: Pair) -> Pair:
    """The same example with one visible pair and two inputs: what phrases and code mean can be learned from little text."""
    prompt = re.sub(r"(?<=\n)(f\(.*\n)(?:f\(.*(?:\n|$))+", r"\1", made.prompt).rstrip("\n")
    answer = re.sub(r"(```inputs\n.*\n.*)(?:\n\[.*)+", r"\1", made.answer)
    return dataclasses.replace(made, prompt=prompt, answer=answer)
