"""What an evaluation writes: one line a problem, enough to compute every figure again.

evaluation/
  manifest.json    what was evaluated, with which settings, versions and hashes
  samples.jsonl    the answers; `gasp-env eval --samples` grades them again without the model
  tasks.jsonl      one `TaskRecord` a problem
  report.json      figures
  report.txt       the same as a table
  pass_at_k.svg    the curve
"""

from dataclasses import dataclass, field
from typing import Any

from gasp_env.types import SolveRate

__all__ = ("MASKED", "EvalManifest", "Samples", "TaskRecord")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """What became of one problem."""

    id: str
    verdicts: tuple[str, ...]
    """A sample each: ``ok``, or how its first failing test ended; ``sandbox_failure`` and ``policy`` are masked."""
    failed: tuple[int | None, ...] = ()
    """A sample each: place of the first failing test."""
    tests: tuple[tuple[str, ...], ...] = ()
    """A sample each: the verdict of every test, where all are run (``--run-all``)."""
    difficulty: str | None = None
    platform: str = ""
    date: str | None = None
    flags: tuple[str, ...] = ()
    seed: str = ""
    """Run that the samples came from, where several are evaluated together."""
    joined: bool = False
    """Judged in the program's own process (weaker)."""

    @property
    def rate(self) -> SolveRate:
        """Solved of the samples that count."""
        known = [one for one in self.verdicts if one not in MASKED]
        return SolveRate(solved=known.count("ok"), n=len(known))


MASKED = ("sandbox_failure", "policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The answers to one problem; None where one failed for infrastructure reasons."""

    id: str
    completions: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalManifest:
    """What was evaluated."""

    problems: str
    problems_hash: str
    """Over ids, statements and tests, in order."""
    answers: str
    """Policy or sample file."""
    settings: dict[str, Any]
    gasp_env: str
    created: str
    """UTC, ISO."""
    sandbox: dict[str, str] = field(default_factory=dict[str, str])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    ground_truth: tuple[int, int] = (0, 0)
    """References that pass their own tests, of those that there are."""
