"""``gasp-env play``: open the parts, play, show progress, leave a run folder."""

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from typing import Protocol, TypeVar

from rich.console import Console

from gasp_env.cli.options import PlayOptions
from gasp_env.cli.progress import show_progress
from gasp_env.config import Config, load_config, overrides
from gasp_env.errors import ConfigError
from gasp_env.novelty import make_embedder
from gasp_env.play import Arena, Manifest, RunFolder, SelfPlay, Tape, TapePolicy, make_manifest
from gasp_env.play.parts import guarded, open_box
from gasp_env.policy import OpenAIPolicy, Policy, Sampling, open_policy
from gasp_env.policy.checks import check_call
from gasp_env.report import print_summary, write_report
from gasp_env.store import open_curriculum
from gasp_env.tasks import goalposts_hash, load_goalposts
from gasp_env.types import Goalpost

__all__ = ("play_command", "settings")


class _Closes(Protocol):
    async def close(self) -> None: ...


P = TypeVar("P", bound=_Closes)


def play_command(options: PlayOptions) -> None:
    """Play a run to its end and print what came of it.

    Raises:
        GaspError: an option, a file, the sandbox, the store or the policy; what was settled is kept.
    """
    console = Console(stderr=True)
    config, goalposts = settings(options), _goalposts(options)
    asyncio.run(_play(options, config, goalposts, console))
    print_summary(options.run)
    console.print(f"report: {write_report(options.run)}", highlight=False, soft_wrap=True)


def settings(options: PlayOptions) -> Config:
    """Profile, then file, then ``--set``, ``--profile`` and ``--seed``.

    Raises:
        ConfigError: unknown key, wrong type, or an option out of range.
    """
    for name in ("episodes", "wave", "concurrency"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name}: got {getattr(options, name)}; expected at least 1")
    if not 0 < options.timeout < float("inf"):
        raise ConfigError(f"--timeout: got {options.timeout}; expected seconds above 0")
    if options.resume and options.new:
        raise ConfigError("--resume and --new: choose one")
    named = {"profile": options.profile, "seed": None if options.seed is None else str(options.seed)}
    named |= {"sandbox": options.sandbox, "guard": str(list(options.guard)) if options.guard else None}
    return load_config(options.config, overrides(options.set) | {k: v for k, v in named.items() if v is not None})


def _goalposts(options: PlayOptions) -> tuple[Goalpost, ...]:
    if options.goalposts is not None:
        return load_goalposts(options.goalposts, skip_bad=options.skip_bad_rows)
    if options.resume and RunFolder.holds_run(options.run):
        return RunFolder.open(options.run).goalposts()
    raise ConfigError("--goalposts: missing; name a JSON lines file of hard problems (see `gasp-env play --help`)")


def _run_folder(options: PlayOptions, manifest: Manifest, goalposts: tuple[Goalpost, ...]) -> RunFolder:
    if options.resume and RunFolder.holds_run(options.run):
        return RunFolder.resume(options.run, manifest)
    return RunFolder.create(options.run, manifest, goalposts=goalposts, aside=options.new)


async def _play(options: PlayOptions, config: Config, goalposts: tuple[Goalpost, ...], console: Console) -> None:
    sampling = Sampling(temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens)
    check_call(1, sampling)
    embedder = make_embedder(options.embedder)
    async with AsyncExitStack() as stack:
        policy = _closing(stack, _policy(options))
        if isinstance(policy, OpenAIPolicy):
            await policy.check()
        sandbox = _closing(stack, await open_box(config))
        manifest = make_manifest(
            config,
            policy=options.policy,
            wave=options.wave,
            goalposts=(str(options.goalposts or "resumed"), goalposts_hash(goalposts), len(goalposts)),
            embedder=options.embedder,
            sampling=dataclasses.asdict(sampling),
            sandbox={"backend": sandbox.report.backend, "level": sandbox.report.level, "python": sandbox.report.python},
        )
        run = _run_folder(options, manifest, goalposts)
        stack.enter_context(run.locked())
        curriculum = stack.enter_context(open_curriculum(run.store_url, config))
        curriculum.add_goalposts(goalposts)
        episodes = -(-options.episodes // run.manifest.wave) * run.manifest.wave
        report = stack.enter_context(show_progress(console, episodes=episodes, quiet=options.quiet))
        arena = Arena(guarded(curriculum, config, goalposts), sandbox, policy, embedder, config, sampling=sampling)
        tape = Tape(run.policy_calls) if options.record else None
        game = SelfPlay(arena=arena, run=run, concurrency=options.concurrency, tape=tape, report=report)
        await game.play(episodes)


def _policy(options: PlayOptions) -> Policy:
    kind, _, path = options.policy.partition(":")
    return TapePolicy(path) if kind == "replay" else open_policy(options.policy, timeout_s=options.timeout)


def _closing(stack: AsyncExitStack, part: P) -> P:
    stack.push_async_callback(part.close)
    return part
