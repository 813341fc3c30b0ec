"""A driver without a model or a sandbox: replies come from a script, programs are looked up in a table of callables."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gasp_env.game.moves import CheckNovelty, Episode, Execute, Executed, Generate, Generated, Novelty, Reply, Request
from gasp_env.types import EpisodeResult, InputStyle, Job, JobOutcome, TestOutcome, Verdict
from gasp_env.values import encode


@dataclass(kw_only=True)
class Table:
    """Plays an episode from scripts; keeps what was asked."""

    texts: list[str | Sequence[str | None] | None]
    programs: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    novelty: Novelty = field(default_factory=lambda: Novelty(cosine=-1.0))
    asked: list[Request] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def play(self, episode: Episode) -> EpisodeResult:
        request = next(episode)
        while True:
            self.asked.append(request)
            self.replies.append(self._answer(request))
            try:
                request = episode.send(self.replies[-1])
            except StopIteration as stop:
                return stop.value

    def _answer(self, request: Request) -> Reply:
        match request:
            case Generate():
                texts = self.texts.pop(0)
                return Generated(texts=(texts,) if texts is None or isinstance(texts, str) else tuple(texts))
            case Execute():
                return Executed(outcomes=tuple(self._run(job) for job in request.jobs))
            case CheckNovelty():
                return self.novelty

    def _run(self, job: Job) -> JobOutcome:
        return JobOutcome(tests=tuple(self._test(job, text) for text in job.inputs))

    def _test(self, job: Job, text: str) -> TestOutcome:
        run = self.programs.get(job.program)
        if run is None:
            return TestOutcome(verdict=Verdict.RUNTIME_ERROR, error="SyntaxError")
        if run is BROKEN:
            return TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error="zygote died")
        if job.style is InputStyle.STDIN:
            return TestOutcome(verdict=Verdict.OK, stdout=run(text))
        try:
            args = ast.literal_eval(f"({text},)") if text else ()
            value = run(*args, job.hash_seed) if getattr(run, "seeded", False) else run(*args)
        except Verdicted as stop:
            return TestOutcome(verdict=stop.verdict, error=stop.verdict)
        except Exception as error:  # noqa: BLE001 - the table stands for the sandbox, where anything may be raised
            return TestOutcome(verdict=Verdict.RUNTIME_ERROR, error=type(error).__name__)
        return TestOutcome(verdict=Verdict.OK, value=encode(value))


class Verdicted(Exception):  # noqa: N818
    """Raised by a table program to end with a given verdict."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def BROKEN() -> None:
    """A program on which the sandbox itself fails."""
