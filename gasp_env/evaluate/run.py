"""Evaluates answers to problems: sample (or read saved samples), grade, write, sum up.

The law of this module: samples are on the disk before they are graded, records before they are summed up; an evaluation
that was stopped goes on where it ended. Problems stream: one is in memory for each one at work.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gasp_env.errors import ConfigError, DataError
from gasp_env.evaluate.records import Samples, TaskRecord
from gasp_env.play.answers import Asker, extracted
from gasp_env.play.grade_suite import Graded, Grader
from gasp_env.play.lines import Lines
from gasp_env.tasks import Flag, Problem
from gasp_env.types import Verdict

__all__ = ("GROUND_TRUTH", "Evaluation", "check_ground_truth", "ground_truth", "problems_hash", "record")

logger = logging.getLogger(__name__)
GROUND_TRUTH = 0.99
"""Least share of references that must pass their own tests (users' complaint R23)."""
Progress = Callable[[TaskRecord], None]


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """One evaluation in a folder."""

    folder: Path
    grader: Grader
    answers: Asker | Mapping[str, list[str | None]]
    """A policy to ask, or saved samples by problem id."""
    n: int = 1
    """Samples a problem, where a policy is asked."""
    concurrency: int = 4
    """Problems at work at once."""
    progress: Progress = lambda _: None
    missing: list[str] = field(default_factory=list[str])
    """Problems without saved samples."""

    async def run(self, problems: Iterable[Problem]) -> list[TaskRecord]:
        """Evaluate; problems that the folder already has a record of are taken from there.

        Raises:
            ConfigError: saved samples name no problem of the set.
            PolicyError: the policy can't be asked.
            StoreError: the folder can't be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tasks = Lines(self.folder / "tasks.jsonl", TaskRecord)
        samples = Lines(self.folder / "samples.jsonl", Samples)
        done = {one.id: one for one in tasks.keep(lambda _: True)}
        asked = {one.id: list(one.completions) for one in samples.keep(lambda _: True)}
        found = list[TaskRecord]()
        async for one in self._each(problems, done, asked, samples):
            if one.id not in done:
                tasks.append([one])
            self.progress(one)
            found.append(one)
        if not found:
            raise ConfigError("evaluation: no problem has samples; do the ids of the samples and the problems agree?")
        return found

    async def _each(
        self,
        problems: Iterable[Problem],
        done: Mapping[str, TaskRecord],
        asked: Mapping[str, list[str | None]],
        samples: Lines[Samples],
    ) -> AsyncIterator[TaskRecord]:
        """Records in the order of the problems, a bounded number at work."""
        waiting: list[asyncio.Task[TaskRecord | None]] = []
        loop = asyncio.get_running_loop()
        try:
            for problem in problems:
                waiting.append(loop.create_task(self._one(problem, done, asked, samples)))
                if len(waiting) >= self.concurrency:
                    found = await waiting.pop(0)
                    if found is not None:
                        yield found
            while waiting:
                found = await waiting.pop(0)
                if found is not None:
                    yield found
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _one(
        self,
        problem: Problem,
        done: Mapping[str, TaskRecord],
        asked: Mapping[str, list[str | None]],
        samples: Lines[Samples],
    ) -> TaskRecord | None:
        if problem.id in done:
            return done[problem.id]
        if Flag.NO_TESTS in problem.flags:
            logger.warning("skipped: problem %s has no tests", problem.id)
            return None
        texts = asked.get(problem.id)
        if texts is None:
            texts = await self._texts(problem)
            if texts is None:
                return None
            samples.append([Samples(id=problem.id, completions=tuple(texts))])
        return await record(self.grader, problem, texts)

    async def _texts(self, problem: Problem) -> list[str | None] | None:
        if isinstance(self.answers, Asker):
            return await self.answers.ask(problem, self.n)
        if problem.id not in self.answers:
            self.missing.append(problem.id)
            return None
        return self.answers[problem.id]


async def record(grader: Grader, problem: Problem, texts: Iterable[str | None]) -> TaskRecord:
    """Grade the answers to one problem."""
    mode = grader.settings.mode
    programs = [None if text is None else extracted(text, mode) for text in texts]
    graded = iter(await grader.grade(problem, [one for one in programs if one]))
    judged = [None if one is None else next(graded) if one else _EMPTY for one in programs]
    return TaskRecord(
        id=problem.id,
        verdicts=tuple(
            "policy" if one is None else one.verdict.value if one.solved is not None else _INFRA for one in judged
        ),
        failed=tuple(None if one is None else one.failed for one in judged),
        tests=_every_test(judged) if grader.settings.run_all else (),
        difficulty=problem.difficulty,
        platform=problem.platform,
        date=problem.date,
        flags=tuple(flag.value for flag in problem.flags),
        joined=any(one.joined for one in judged if one is not None),
    )


_INFRA = Verdict.SANDBOX_FAILURE.value
_EMPTY = Graded(solved=False, verdicts=(Verdict.NO_RESULT,), error="no program in the answer")


def _every_test(judged: Iterable[Graded | None]) -> tuple[tuple[str, ...], ...]:
    return tuple(() if one is None else tuple(verdict.value for verdict in one.verdicts) for one in judged)


async def ground_truth(
    grader: Grader, problems: Iterable[Problem], progress: Callable[[Problem], None] = lambda _: None
) -> tuple[int, list[str]]:
    """Run the references under the same settings.

    Args:
        grader: with the settings.
        problems: those without a reference are passed over.
        progress: told of every problem.

    Returns:
        How many there are, and the ids of those that fail their own tests.
    """
    bad, count = list[str](), 0
    for problem in problems:
        progress(problem)
        if problem.reference is None or Flag.NO_TESTS in problem.flags:
            continue
        count += 1
        (graded,) = await grader.grade(problem, [_reference(problem)])
        if not graded.solved:
            bad.append(problem.id)
    return count, bad


def _reference(problem: Problem) -> str:
    return problem.reference or ""


def check_ground_truth(count: int, bad: list[str], *, force: bool) -> None:
    """Refuse a report on a machine or a set where right programs fail.

    Raises:
        DataError: fewer than 99 % pass and ``force`` is not given.
    """
    if count and len(bad) > (1 - GROUND_TRUTH) * count and not force:
        rate = 100 * (count - len(bad)) / count
        raise DataError(
            f"ground truth: {count - len(bad)} of {count} references ({rate:.1f} %) pass their own tests, e.g. not "
            f"{', '.join(bad[:3])}; a report needs 99 %: raise --cpu-s, mend the set, or give --force"
        )


def problems_hash(problems: Iterable[Problem]) -> tuple[str, int]:
    """Content hash of ids, statements, tests and checks in their order, and how many problems there are."""
    digest, count = sha256(), 0
    for one in problems:
        count += 1
        for text in (
            one.id,
            one.statement,
            one.check,
            *(part for test in one.tests for part in (test.input, test.output)),
        ):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16], count
