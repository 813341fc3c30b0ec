"""The miner: passes over the data set, few answers first, the full number for what is left.

Order: for each round, for each stage, for each checkpoint, one pass over the problems. So a problem that one of many
checkpoints solves easily is gone before any checkpoint is asked a hundred times. Evidence is on the disk before the next
batch is asked for; a run that was stopped goes on with the next batch. Problems stream: those at work are in memory.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from gasp_env.mine.evidence import Evidence, Tally, fold
from gasp_env.mine.plan import Checkpoint, Plan
from gasp_env.play.lines import Lines
from gasp_env.tasks import Problem

__all__ = ("Answers", "Judge", "Judged", "Miner")

_RETRIES = 2
"""A checkpoint is asked for at most this many times the answers of its target, where some are masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one answer."""

    solved: bool | None
    """None: masked."""
    verdict: str


class Answers(Protocol):
    """Whoever answers for a checkpoint."""

    async def ask(self, problem: Problem, n: int, *, first: int = 0) -> list[str | None]:
        """Up to ``n`` answers from number ``first`` on; fewer where there are no more."""
        ...


Judge = Callable[[Problem, Sequence[str | None]], Awaitable[list[Judged]]]
Opener = Callable[[Checkpoint], AbstractAsyncContextManager[Answers]]


@dataclass(slots=True, kw_only=True)
class Miner:
    """One mining run."""

    plan: Plan
    problems: Iterable[Problem]
    """Read anew for every pass."""
    refusal: Callable[[Problem], str | None]
    """Why a problem is no candidate, if it is none."""
    judge: Judge
    open: Opener
    evidence: Lines[Evidence]
    concurrency: int = 8
    progress: Callable[[str, int, int], None] = lambda _name, _asked, _left: None
    """Told the pass's name, problems asked and problems left; after each problem, and at the end of the pass."""
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    refused: dict[str, str] = field(default_factory=dict[str, str])

    async def run(self) -> None:
        """Mine to the end; what the evidence already says is not asked again.

        Raises:
            PolicyError: a checkpoint can't be asked.
            StoreError: the evidence can't be written.
        """
        self.tallies = fold(self.evidence.keep(lambda _: True))
        for name in self.plan.rounds:
            for target in self.plan.targets:
                for checkpoint in self.plan.of_round(name):
                    await self._pass(checkpoint, target)

    def survives(self, name: str) -> bool:
        """True if every checkpoint failed the full number."""
        tally = self.tallies.get(name)
        if tally is None or tally.solved_by is not None:
            return False
        return all(tally.n.get(one.key, 0) >= self.plan.n for one in self.plan.checkpoints)

    async def _pass(self, checkpoint: Checkpoint, target: int) -> None:
        """One pass; a checkpoint that nobody needs to ask any more is not opened: its server may be gone."""
        asked = left = 0
        due = iter(self._due(checkpoint, target))
        first = next(due, None)
        if first is not None:
            async with self.open(checkpoint) as answers:
                async for name in self._each(checkpoint, target, answers, chain((first,), due)):
                    asked += 1
                    left += self.tallies[name].solved_by is None
                    self.progress(f"{checkpoint.key} to {target}", asked, left)
        self.progress(f"{checkpoint.key} to {target}", asked, left)

    async def _each(
        self, checkpoint: Checkpoint, target: int, answers: Answers, due: Iterable[Problem]
    ) -> AsyncIterator[str]:
        waiting = set[asyncio.Task[str]]()
        try:
            for problem in due:
                waiting.add(asyncio.create_task(self._one(problem, checkpoint, target, answers)))
                if len(waiting) >= self.concurrency:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        yield task.result()
            for task in list(waiting):
                yield await task
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _due(self, checkpoint: Checkpoint, target: int) -> Iterable[Problem]:
        for problem in self.problems:
            why = self.refusal(problem)
            if why is not None:
                self.refused[problem.id] = why
                continue
            tally = self.tallies.setdefault(problem.id, Tally())
            if tally.solved_by is None and self._more(tally, checkpoint.key, target):
                yield problem

    def _more(self, tally: Tally, key: str, target: int) -> int:
        """Answers to ask for next: none once the target is reached, or masked answers ate the patience."""
        missing = target - tally.n.get(key, 0)
        patience = _RETRIES * target - tally.asked.get(key, 0)
        return max(0, min(missing, patience, self.plan.batch))

    async def _one(self, problem: Problem, checkpoint: Checkpoint, target: int, answers: Answers) -> str:
        tally, key = self.tallies[problem.id], checkpoint.key
        while tally.solved_by is None and (size := self._more(tally, key, target)):
            first = tally.asked.get(key, 0)
            texts = await answers.ask(problem, size, first=first)
            if not texts:
                break
            judged = await self.judge(problem, texts)
            known = [one.solved for one in judged if one.solved is not None]
            row = Evidence(
                id=problem.id,
                checkpoint=key,
                first=first,
                asked=len(texts),
                n=len(known),
                solved=sum(known),
                verdicts=dict(Counter(one.verdict for one in judged)),
            )
            self.evidence.append([row])
            tally.add(row)
        return problem.id
