"""What ``gasp-env eval`` and ``gasp-env mine`` can be told; the field docstrings are their help."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

__all__ = ("EvalOptions", "GradingOptions", "MineOptions", "SamplingOptions")


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class GradingOptions:
    """How programs are judged."""

    mode: str = "default"
    """Semantics: ``default`` (an ordinary interpreter) or ``lcb`` (LiveCodeBench's grader, for published numbers)."""
    float_tol: float = 0.0
    """Tolerance of numbers, absolute and relative; 0 compares exactly, as LiveCodeBench does."""
    run_all: bool = False
    """Run every test and keep its verdict; default: stop at a program's first failure."""
    cpu_s: float | None = None
    """CPU seconds a test; default: 6 on a machine of reference speed, longer where a timed program says slower."""
    memory_mb: int = 4096
    """Memory a program, in MB."""
    level: str = "L2"
    """Least sandbox level."""
    slots: int | None = None
    """Programs at a time; default: one less than the cores."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How a policy is sampled."""

    temperature: float = 1.0
    """Sampling temperature."""
    top_p: float = 1.0
    """Nucleus sampling."""
    max_tokens: int = 2048
    """Most new tokens an answer."""
    seed: int | None = 0
    """Seed of the samples, for policies that can repeat them."""
    style: str = "instruct"
    """Prompt style: instruct or compact."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """Options of ``gasp-env eval``."""

    problems: str
    """Data set: file, folder or ``hf://datasets/OWNER/NAME[/FILE]`` (LiveCodeBench, HumanEval(+), MBPP(+), APPS, ...)."""
    out: Path
    """Folder to write: manifest, samples, records, report as JSON, table and figure; goes on where it was stopped."""
    policy: str | None = None
    """Who answers: ``openai:URL[#MODEL]``, ``hf:NAME_OR_FOLDER`` or ``scripted:FILE``."""
    samples: Path | None = None
    """Saved answers to grade instead of asking a policy (JSON lines, or LiveCodeBench's eval_all.json)."""
    n: int = 10
    """Answers a problem, where a policy is asked."""
    k: tuple[int, ...] = (1, 5, 10, 20)
    """Which pass@k; give it again for more. One that needs more answers than there are is left out with a warning."""
    window: str | None = None
    """Dates START..END, the end not included, e.g. ``2024-08-01..`` for the paper's evaluation problems."""
    format: str | None = None
    """Format of the data set, where it can't be told by its fields."""
    baseline: Path | None = None
    """Another evaluation folder to compare with, paired by problem."""
    seed_of: tuple[Path, ...] = ()
    """Evaluation folder of another seed on the same problems; give it again for more. Tells which problems each solved."""
    limit: int | None = None
    """Evaluate the first problems only."""
    concurrency: int = 8
    """Problems at work at once."""
    skip_bad_rows: bool = False
    """Leave bad rows out instead of ending with their error."""
    force: bool = False
    """Report even where fewer than 99 % of the references pass their own tests."""
    no_references: bool = False
    """Do not run the references first."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class MineOptions:
    """Options of ``gasp-env mine``."""

    problems: str
    """Data set: file, folder or ``hf://datasets/OWNER/NAME[/FILE]``."""
    out: Path
    """Folder to write: manifest, evidence, goalposts.jsonl; goes on where it was stopped."""
    checkpoint: tuple[str, ...] = ()
    """``ROUND:NAME=POLICY``, e.g. ``1:rlvr-s0-050=openai:http://localhost:8000/v1#step50``; give it again for more."""
    samples: tuple[str, ...] = ()
    """``ROUND:NAME=FILE``: saved answers in place of a policy; give it again for more."""
    n: int = 100
    """Answers that a surviving problem must fail at each checkpoint."""
    stages: tuple[int, ...] = (4, 16)
    """Answers after which solved problems leave, before the full number."""
    window: str | None = "..2024-08-01"
    """Dates START..END, the end not included; default: before the paper's evaluation window."""
    format: str | None = None
    """Format of the data set, where it can't be told by its fields."""
    keep_errata: bool = False
    """Keep problems of LiveCodeBench's list of defects (no program may solve them)."""
    guard: tuple[str, ...] = ()
    """Evaluation data set that no goalpost may resemble; give it again for more."""
    concurrency: int = 8
    """Problems at work at once."""
    skip_bad_rows: bool = False
    """Leave bad rows out instead of ending with their error."""
