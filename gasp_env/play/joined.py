"""Joining a run from a trainer's worker process: the run folder says everything, the event loop is the caller's.

    joined = await join_run()              # the folder that GASP_RUN names
    played = await joined.play(ticket, policy=policy)

A run is made once with ``gasp-env tickets``; as many processes as the store allows then play it. The law of this module:
nothing is shared between processes but the store, and each writes a transcript file of its own.
"""

import os
import socket
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from gasp_env.config import Config
from gasp_env.curriculum import Curriculum
from gasp_env.errors import ConfigError
from gasp_env.novelty import make_embedder
from gasp_env.play.arena import Arena, Played
from gasp_env.play.lines import Lines
from gasp_env.play.parts import guarded, open_box
from gasp_env.play.run import RunFolder, Transcript
from gasp_env.play.tickets import seat_seed
from gasp_env.policy.protocol import Policy
from gasp_env.sandbox import Sandbox
from gasp_env.store import open_curriculum
from gasp_env.types import Ticket

__all__ = ("RUN_VARIABLE", "Joined", "join_run", "run_folder")

RUN_VARIABLE = "GASP_RUN"
"""Environment variable that names the run folder."""


@dataclass(slots=True, kw_only=True)
class Joined:
    """A process's share of a run. Use it on the event loop that joined."""

    run: RunFolder
    curriculum: Curriculum
    arena: Arena
    transcripts: Lines[Transcript]
    episodes: int = 0
    """Played by this process."""
    _tag: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def config(self) -> Config:
        """Settings in force."""
        return self.arena.config

    async def play(self, ticket: Ticket, *, policy: Policy, episode_id: str = "") -> Played:
        """Play one ticket, settle it and keep its transcript.

        Args:
            ticket: what to play; members of a group hold equal ones.
            policy: samples.
            episode_id: for a trainer that retries and knows the episode again; empty makes one.
        """
        name = episode_id or f"{self._tag}-{self.episodes}"
        self.episodes += 1
        seed = seat_seed(name, self.config)
        played = await self.arena.play_ticket(ticket, episode_id=name, seed=seed, policy=policy)
        if ticket.split != "eval":
            row = Transcript(
                index=self.episodes,
                wave_end=self.episodes + 1,
                episode_id=name,
                result=played.result,
                fault=played.fault,
            )
            self.transcripts.append([row])
        return played

    async def close(self) -> None:
        """End the sandbox's processes and close the store."""
        await self.arena.sandbox.close()
        self.curriculum.close()


def run_folder(path: Path | str | None = None) -> RunFolder:
    """The run to join.

    Raises:
        ConfigError: no folder named, or no run in it.
    """
    named = path or os.environ.get(RUN_VARIABLE)
    if not named:
        raise ConfigError(
            f"{RUN_VARIABLE}: is not set; make a run with `gasp-env tickets --run DIR ...` and export {RUN_VARIABLE}=DIR"
        )
    return RunFolder.open(named)


async def join_run(path: Path | str | None = None, *, sandbox: Sandbox | None = None) -> Joined:
    """Join a run on this event loop.

    Args:
        path: the run folder; None reads ``GASP_RUN``.
        sandbox: None opens the local one as the run's settings ask; `Joined.close` closes it either way.

    Raises:
        ConfigError: no run there.
        SandboxUnavailable: the isolation asked for can't be had here.
        StoreError: the curriculum can't be reached.
    """
    run = run_folder(path)
    config = run.manifest.config
    box = sandbox or await open_box(config)
    try:
        curriculum = open_curriculum(run.store_url, config)
        curriculum.add_goalposts(run.goalposts())
        ledger = guarded(curriculum, config, run.goalposts())
    except BaseException:
        await box.close()
        raise
    arena = Arena(ledger, box, None, make_embedder(run.manifest.embedder or "hashing"), config)
    worker = f"{socket.gethostname()}-{os.getpid()}"
    return Joined(run=run, curriculum=curriculum, arena=arena, transcripts=run.worker_transcripts(worker))
