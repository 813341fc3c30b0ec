"""``gasp-env mine``: open the parts, mine round by round, write goalposts with manifest and evidence."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec
from rich.console import Console

from gasp_env import __version__
from gasp_env.cli.data_options import GradingOptions, MineOptions, SamplingOptions
from gasp_env.cli.evaluating import open_asker, open_grader, same_grading, source_of
from gasp_env.cli.progress import show_passes
from gasp_env.errors import ConfigError, DataError
from gasp_env.evaluate import claim_folder, problems_hash, record
from gasp_env.mine import (
    Answers,
    Checkpoint,
    Evidence,
    Judged,
    MineManifest,
    Miner,
    Plan,
    describe,
    gather,
    parse_checkpoint,
)
from gasp_env.play.grade_suite import Grader
from gasp_env.play.lines import Lines, write_atomic
from gasp_env.tasks import Flag, Guard, Problem, Refused, Source, dump_goalposts, read_samples

__all__ = ("Saved", "mine_command", "refusal_of")

_BARRED = (Flag.INTERACTIVE, Flag.NO_TESTS)
_MASKED = ("sandbox_failure", "policy")


class Saved:
    """Saved answers in the place of a policy."""

    def __init__(self, answers: dict[str, list[str | None]]) -> None:
        """Hold them."""
        self._answers = answers

    async def ask(self, problem: Problem, n: int, *, first: int = 0) -> list[str | None]:
        """The answers from number ``first`` on, at most ``n``."""
        return self._answers.get(problem.id, [])[first : first + n]


def mine_command(options: MineOptions, grading: GradingOptions, sampling: SamplingOptions) -> None:
    """Mine and print what was found.

    Raises:
        GaspError: an option, a file, the sandbox or a policy; the evidence is kept.
    """
    plan = Plan(
        checkpoints=(
            *(parse_checkpoint(text, saved=False) for text in options.checkpoint),
            *(parse_checkpoint(text, saved=True) for text in options.samples),
        ),
        n=options.n,
        stages=options.stages,
    )
    if options.concurrency < 1:
        raise ConfigError(f"--concurrency: got {options.concurrency}; expected at least 1")
    manifest = asyncio.run(_mine(options, plan, grading, sampling))
    print(_told(manifest, options))


async def _mine(options: MineOptions, plan: Plan, grading: GradingOptions, sampling: SamplingOptions) -> MineManifest:
    console = Console(stderr=True)
    source = source_of(options.problems, options.window, options.format, skip_bad=options.skip_bad_rows)
    guard = Guard()
    for path in options.guard:
        console.print(f"guard: {guard.add_all(Source(path=path))} problems of {path}")
    async with AsyncExitStack() as stack:
        grader, _ = await open_grader(stack, grading, console)
        settings: dict[str, object] = {
            "grading": dataclasses.asdict(grader.settings),
            "sampling": dataclasses.asdict(sampling),
            "plan": dataclasses.asdict(plan),
            "keep_errata": options.keep_errata,
            "guard": options.guard,
        }
        facts = {
            "data set": problems_hash(source)[0],
            "sampling": settings["sampling"],
            "grading": same_grading(grader.settings),
        }
        claim_folder(options.out, facts)
        miner = Miner(
            plan=plan,
            problems=source,
            refusal=lambda problem: refusal_of(problem, guard, keep_errata=options.keep_errata),
            judge=lambda problem, texts: _judge(grader, problem, texts),
            open=lambda checkpoint: _open(checkpoint, sampling),
            evidence=Lines(options.out / "evidence.jsonl", Evidence),
            concurrency=options.concurrency,
            progress=stack.enter_context(show_passes(console)),
        )
        await miner.run()
    return _write(options, source, miner, settings)


@asynccontextmanager
async def _open(checkpoint: Checkpoint, sampling: SamplingOptions) -> AsyncGenerator[Answers]:
    if checkpoint.saved:
        yield Saved(read_samples(checkpoint.answers))
        return
    async with AsyncExitStack() as stack:
        yield await open_asker(stack, checkpoint.answers, sampling)


async def _judge(grader: Grader, problem: Problem, texts: Sequence[str | None]) -> list[Judged]:
    found = await record(grader, problem, texts)
    return [Judged(solved=None if one in _MASKED else one == "ok", verdict=one) for one in found.verdicts]


def refusal_of(problem: Problem, guard: Guard, *, keep_errata: bool) -> str | None:
    """Why a problem is no candidate: not minable, on the list of defects, or near an evaluation problem."""
    for flag in _BARRED if keep_errata else (*_BARRED, Flag.ERRATA):
        if flag in problem.flags:
            return flag.value
    match = guard.near(problem.statement)
    return f"contamination: {match.layer} {match.score:.2f} of {match.id}" if match else None


def _write(options: MineOptions, source: Source, miner: Miner, settings: dict[str, object]) -> MineManifest:
    found = gather(miner)
    rows: list[Refused] = source.refused
    manifest = describe(
        miner,
        found,
        gasp_env=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        problems=options.problems,
        problems_hash=problems_hash(source)[0],
        window=str(source.window),
        settings=settings,
        refused={one.id or one.where: one.reason.value for one in rows} | miner.refused,
    )
    if not manifest.candidates:
        raise DataError(
            f"{options.problems}: holds no candidate in the window {source.window} "
            f"({source.outside} outside, {len(manifest.refused)} refused); give --window .. for a set without dates"
        )
    write_atomic(options.out / "goalposts.jsonl", dump_goalposts(found[0]))
    write_atomic(options.out / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def _told(manifest: MineManifest, options: MineOptions) -> str:
    lines = [f"{manifest.candidates} candidates, {len(manifest.refused)} refused"]
    lines += [
        f"round {one['round']}: {len(one['removed'])} of {one['candidates']} solved, {one['left']} left"
        for one in manifest.rounds
    ]
    if manifest.undecided:
        lines.append(f"{len(manifest.undecided)} undecided (too few graded answers), e.g. {manifest.undecided[0]}")
    for flag, names in manifest.suspicious.items():
        lines.append(f"look at {len(names)} goalposts flagged {flag}, e.g. {names[0]}")
    lines.append(str(manifest.false_goalpost["statement"]))
    return "\n".join([*lines, f"{manifest.goalposts} goalposts: {options.out / 'goalposts.jsonl'}"])
