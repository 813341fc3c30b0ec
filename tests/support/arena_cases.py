"""An arena whose programs are looked up in a table and whose policy is a function; the curriculum is the real one."""

import ast
import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from game_cases import GOALPOST, PROGRAMS
from table import Table

from gasp_env.config import Config
from gasp_env.game.validate import IDENTITY
from gasp_env.novelty import HashingEmbedder
from gasp_env.play import Arena
from gasp_env.policy.protocol import Completion
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.store import open_curriculum
from gasp_env.types import Message, Role

__all__ = ("AffineSandbox", "Author", "Steady", "arena", "letters", "propose", "solve")

AFFINE = re.compile(r"def f\(x\):\n    return (-?\d+) \* x \+ (-?\d+)\Z")


@dataclass(kw_only=True)
class AffineSandbox:
    """Runs ``return A * x + B`` and the given programs; counts calls."""

    programs: dict[str, Callable[..., object]] = field(default_factory=dict)
    runs: int = 0
    closed: bool = False
    report: SandboxReport = field(
        default_factory=lambda: SandboxReport(backend="table", level="L3", layers={}, reasons=(), slots=1, python="3")
    )

    async def run(self, jobs):
        self.runs += 1
        return [self._run(job) for job in jobs]

    async def close(self):
        self.closed = True

    def _run(self, job):
        found = AFFINE.match(job.program)
        known = dict(self.programs) | {IDENTITY: PROGRAMS[IDENTITY]}
        if found:
            a, b = int(found[1]), int(found[2])
            known[job.program] = lambda x: a * x + b
        return Table(texts=[], programs=known)._run(job)


def propose(a: int, b: int) -> str:
    """A proposal of an affine function."""
    lines = "\n".join(str(x) for x in range(10))
    words = f"Scale and shift: {letters(a)} {letters(b)}."
    return f"```python\ndef f(x):\n    return {a} * x + {b}\n```\n```inputs\n{lines}\n```\n```message\n{words}\n```"


def letters(number: int) -> str:
    """A word of its own for a number, so that texts differ."""
    return "".join(chr(97 + (number * 7 + place * place * (number + 3)) % 26) for place in range(12))


def solve(messages: Sequence[Message], right: bool) -> str:
    """Answer an affine question, whatever its kind."""
    text = messages[-1].content
    if text.startswith("output"):
        program, args = re.search(r"```python\n(.*?)\n```\nf\((.*)\)", text, re.DOTALL).groups()
        a, b = map(int, AFFINE.match(program).groups())
        return f"```output\n{a * ast.literal_eval(args) + b + (not right)}\n```"
    if text.startswith("input"):
        program, value = re.search(r"```python\n(.*?)\n```\n(-?\d+)", text, re.DOTALL).groups()
        a, b = map(int, AFFINE.match(program).groups())
        return f"```input\n{(int(value) - b) // a + (not right)}\n```"
    pairs = [(int(x), int(y)) for x, y in re.findall(r"f\((-?\d+)\) == (-?\d+)", text)]
    if len(pairs) < 2:
        return "```python\ndef f(x):\n    return 1 * x + 0\n```"
    (x0, y0), (x1, y1) = pairs[0], pairs[1]
    a = (y1 - y0) // (x1 - x0)
    return f"```python\ndef f(x):\n    return {a} * x + {y0 - a * x0 + (not right)}\n```"


@dataclass(kw_only=True)
class Author:
    """Plays both roles: always proposes something new, solves ``rate`` tenths of what it is asked."""

    rate: int = 5
    calls: int = 0
    numbers: count = field(default_factory=lambda: count(2))
    closed: bool = False

    async def generate(self, messages, *, n, role, sampling):
        self.calls += 1
        if role is Role.TEACHER:
            return [
                Completion(text=propose(next(self.numbers), sampling.seed % 9 + 1), token_ids=(1, 2)) for _ in range(n)
            ]
        return [Completion(text=solve(messages, place % 10 < self.rate), token_ids=(3,)) for place in range(n)]

    async def close(self):
        self.closed = True


class Steady(Author):
    """Answers by the seed alone, so that the same call gets the same answer; the later calls finish first."""

    async def generate(self, messages, *, n, role, sampling):
        for _ in range(50 - self.calls % 50):
            await asyncio.sleep(0)
        self.numbers = count(sampling.seed % 97 + 2)
        return await super().generate(messages, n=n, role=role, sampling=sampling)


def arena(policy=None, *, config: Config, url: str = "memory://", sandbox=None, goalposts=(GOALPOST,)) -> Arena:
    """An arena over a real curriculum."""
    curriculum = open_curriculum(url, config, lambda: 0.0)
    curriculum.add_goalposts(goalposts)
    return Arena(curriculum, sandbox or AffineSandbox(), policy or Author(), HashingEmbedder(), config)
