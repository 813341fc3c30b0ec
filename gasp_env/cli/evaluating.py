"""``gasp-env eval``: open the parts, run the references, grade, write the report."""

import asyncio
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import islice

from rich.console import Console

from gasp_env import __version__
from gasp_env.cli.data_options import EvalOptions, GradingOptions, SamplingOptions
from gasp_env.cli.progress import show_problems
from gasp_env.errors import ConfigError
from gasp_env.evaluate import (
    EvalManifest,
    Evaluation,
    Paired,
    TaskRecord,
    calibrated_cpu_s,
    check_ground_truth,
    claim_folder,
    goalposts_solved,
    ground_truth,
    paired,
    problems_hash,
    read_records,
    summarize,
    write_report,
)
from gasp_env.play.answers import Asker
from gasp_env.play.grade_suite import Grader, GradeSettings
from gasp_env.play.run import versions
from gasp_env.policy import OpenAIPolicy, Sampling, open_policy
from gasp_env.sandbox import open_local
from gasp_env.tasks import Problem, Source, Window, read_samples

__all__ = ("eval_command", "open_asker", "open_grader", "same_grading", "source_of")

CPU_S = 6.0
"""Official limit, on a machine of reference speed."""


def eval_command(options: EvalOptions, grading: GradingOptions, sampling: SamplingOptions) -> None:
    """Evaluate and print the table.

    Raises:
        GaspError: an option, a file, the sandbox or the policy; what was sampled and graded is kept.
    """
    if (options.policy is None) == (options.samples is None):
        raise ConfigError("--policy or --samples: give one of them")
    for name in ("n", "concurrency"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name}: got {getattr(options, name)}; expected at least 1")
    if any(k < 1 for k in options.k):
        raise ConfigError(f"--k: got {min(options.k)}; expected at least 1")
    print(asyncio.run(_evaluate(options, grading, sampling)))


def source_of(path: str, window: str | None, kind: str | None, *, skip_bad: bool) -> Source:
    """The data set that the options name.

    Raises:
        ConfigError: an unknown format or no window.
    """
    bounds = Window.parse(window) if window else Window()
    return Source(path=path, format=kind, window=bounds, skip_bad=skip_bad)


async def open_grader(
    stack: AsyncExitStack, options: GradingOptions, console: Console
) -> tuple[Grader, dict[str, str]]:
    """A grader in a sandbox with this environment's packages (numpy), its limit fit for this machine.

    Raises:
        SandboxUnavailable: the level can't be had.
        ConfigError: a setting out of range.
    """
    sandbox = await open_local(require=options.level, slots=options.slots, site_packages=True)
    stack.push_async_callback(sandbox.close)
    cpu_s = options.cpu_s
    if cpu_s is None:
        cpu_s, factor = await calibrated_cpu_s(sandbox, CPU_S)
        console.print(f"time limit {cpu_s:.1f} s a test (this machine takes {factor:.2f} x the reference's time)")
    settings = GradeSettings(
        mode=options.mode,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        float_tol=options.float_tol,
        run_all=options.run_all,
        cpu_s=cpu_s,
        memory_mb=options.memory_mb,
    )
    report = sandbox.report
    return Grader(sandbox, settings), {"backend": report.backend, "level": report.level, "python": report.python}


def same_grading(settings: GradeSettings) -> dict[str, object]:
    """What records of one folder must share; the time limit follows the machine."""
    return {name: value for name, value in dataclasses.asdict(settings).items() if name != "cpu_s"}


async def open_asker(stack: AsyncExitStack, spec: str, options: SamplingOptions) -> Asker:
    """A policy to ask; an endpoint is called once, so that a wrong address shows at once.

    Raises:
        ConfigError: the text names no policy.
        PolicyError: the policy does not answer.
    """
    policy = open_policy(spec)
    stack.push_async_callback(policy.close)
    if isinstance(policy, OpenAIPolicy):
        await policy.check()
    sampling = Sampling(
        temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens, seed=options.seed
    )
    return Asker(policy=policy, sampling=sampling, style=options.style)


async def _evaluate(options: EvalOptions, grading: GradingOptions, sampling: SamplingOptions) -> str:
    console = Console(stderr=True)
    source = source_of(options.problems, options.window, options.format, skip_bad=options.skip_bad_rows)
    async with AsyncExitStack() as stack:
        answers = read_samples(options.samples) if options.samples else None
        set_hash, total = problems_hash(_first(source, options))
        grader, sandbox = await open_grader(stack, grading, console)
        truth = await _truth(grader, source, options, console, total)
        made = {
            "data set": set_hash,
            "answers": options.policy or str(options.samples),
            "sampling": dataclasses.asdict(sampling) if options.policy else None,
            "n": options.n if options.policy else None,
            "grading": same_grading(grader.settings),
        }
        claim_folder(options.out, made)
        asker = answers if answers is not None else await open_asker(stack, options.policy or "", sampling)
        run = Evaluation(folder=options.out, grader=grader, answers=asker, n=options.n, concurrency=options.concurrency)
        with show_problems(console, "problems", total) as step:
            run.progress = lambda one: step(f"{one.id}: {one.rate.solved} of {one.rate.n} right")
            records = await run.run(_first(source, options))
    _tell_left_out(console, source, run.missing)
    manifest = EvalManifest(
        problems=options.problems,
        problems_hash=set_hash,
        answers=options.policy or str(options.samples),
        settings={
            "grading": dataclasses.asdict(grader.settings),
            "sampling": made["sampling"],
            "n": options.n,
            "window": options.window,
        },
        gasp_env=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        sandbox=sandbox,
        versions=versions(),
        ground_truth=truth,
    )
    found, compared = summarize(records, options.k), _compared(options, records)
    solved = _solved(options, records)
    return write_report(options.out, manifest, found, compared=(str(options.baseline or ""), compared), solved=solved)


async def _truth(grader: Grader, source: Source, options: EvalOptions, console: Console, total: int) -> tuple[int, int]:
    """Run the references: how many pass their own tests, of how many.

    Raises:
        DataError: too few, and not forced.
    """
    if options.no_references:
        return 0, 0
    with show_problems(console, "references", total) as step:
        count, bad = await ground_truth(grader, _first(source, options), lambda one: step(one.id))
    console.print(_told(count, bad))
    check_ground_truth(count, bad, force=options.force)
    return count - len(bad), count


def _tell_left_out(console: Console, source: Source, missing: Sequence[str]) -> None:
    if missing:
        console.print(f"{len(missing)} problems have no saved samples, e.g. {', '.join(missing[:3])}")
    for reason in sorted({one.reason for one in source.refused}):
        ids = [one.id or one.where for one in source.refused if one.reason == reason]
        console.print(f"refused, {reason}: {len(ids)} rows, e.g. {', '.join(ids[:3])}")


def _first(source: Iterable[Problem], options: EvalOptions) -> Iterator[Problem]:
    return islice(iter(source), options.limit)


def _told(count: int, bad: list[str]) -> str:
    if not count:
        return "ground truth: the set has no references to run first"
    return f"ground truth: {count - len(bad)} of {count} references pass their own tests"


def _compared(options: EvalOptions, records: list[TaskRecord]) -> list[Paired]:
    if options.baseline is None:
        return []
    before = read_records(options.baseline)
    least = min(one.rate.n for one in (*before, *records) if one.rate.n)
    return [paired(before, records, k) for k in options.k if k <= least]


def _solved(options: EvalOptions, records: list[TaskRecord]) -> dict[str, object] | None:
    if not options.seed_of:
        return None
    return goalposts_solved({options.out.name: records} | {str(one): read_records(one) for one in options.seed_of})
