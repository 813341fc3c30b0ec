"""One training run's side of the game, for trainers that call us.

Run folder, curriculum, sandbox and arena, opened together and used from ordinary (not async) code.

The law of this module: the curriculum's snapshot of a trainer step is the truth on resume; whatever was played after it
is rolled back in the curriculum and cut from the transcripts, so that no accepted question is lost or there twice.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gasp_env.config import Config
from gasp_env.curriculum import Curriculum, deal
from gasp_env.errors import PolicyError
from gasp_env.novelty import make_embedder
from gasp_env.play.arena import Arena, Draft, Played, Seat, cancel_all
from gasp_env.play.checkpoints import go_to_step, save_step
from gasp_env.play.loop import LoopThread
from gasp_env.play.parts import guarded, open_box
from gasp_env.play.run import Metrics, RunFolder, Transcript, make_manifest
from gasp_env.play.selfplay import Funnel
from gasp_env.play.tickets import ticket_text
from gasp_env.policy.protocol import Policy
from gasp_env.sandbox import Sandbox
from gasp_env.store import open_curriculum
from gasp_env.tasks import goalposts_hash
from gasp_env.types import Goalpost, Task

__all__ = ("Session",)

logger = logging.getLogger(__name__)
DEAD_BATCHES = 3
"""This many batches in a row with nothing but infrastructure faults end the run."""

Row = tuple[Transcript, str | None]
"""One played episode, and against which question its own lost the race, if it did."""


class Session:
    """What a trainer's run needs of gasp-env. Close it, or use it as a context manager."""

    def __init__(
        self, run: RunFolder, curriculum: Curriculum, arena: Arena, loop: LoopThread, closing: ExitStack
    ) -> None:
        """Hold open parts; use `open`."""
        self.run, self.curriculum, self.arena, self.loop = run, curriculum, arena, loop
        self._closing, self._dead = closing, 0
        self.funnel = Funnel()

    @classmethod
    def open(  # noqa: PLR0913 - all but the first three have defaults
        cls,
        path: Path | str,
        *,
        config: Config,
        goalposts: Iterable[Goalpost],
        name: str = "",
        embedder: str = "hashing",
        sandbox: Sandbox | None = None,
        store_url: str | None = None,
        trainer: Mapping[str, Any] | None = None,
        new: bool = False,
        main: bool = True,
    ) -> Self:
        """Start a run, or go on with the one in the folder.

        Args:
            path: the run folder.
            config: rules, mix and isolation.
            goalposts: the hard real questions.
            name: of what is trained, for the manifest.
            embedder: see `make_embedder`.
            sandbox: None opens the local one as the settings ask.
            store_url: where the curriculum lies; None: SQLite in the run folder. PostgreSQL for several nodes.
            trainer: facts for the manifest: steps, batch, learning rate, weights.
            new: set a run that is already there aside (``NAME.old-1``), and roll back what ``store_url`` holds.
            main: False on every process but one; that one opens first and alone writes to the folder.

        Raises:
            ConfigError: the folder holds a run with other settings or goalposts (names the field), or another process
                trains in it.
            SandboxUnavailable: the isolation asked for can't be had here.
            StoreVersionError: the run is another version's.
        """
        chosen, turns_to_vectors = tuple(goalposts), make_embedder(embedder)
        closing = ExitStack()
        try:
            loop = closing.enter_context(LoopThread())
            box = sandbox or loop.run(open_box(config))
            closing.callback(lambda: loop.run(box.close()))
            described = make_manifest(
                config,
                policy=name,
                wave=0,
                goalposts=("given to the trainer", goalposts_hash(chosen), len(chosen)),
                embedder=embedder,
                store=store_url or "",
                trainer=dict(trainer or {}),
                sandbox={"backend": box.report.backend, "level": box.report.level, "python": box.report.python},
            )
            if RunFolder.holds_run(path) and not (new and main):
                run = RunFolder.resume(path, described)
            else:
                run = RunFolder.create(path, described, goalposts=chosen, aside=new)
            if main:
                closing.enter_context(run.locked())
            curriculum = closing.enter_context(open_curriculum(run.store_url, config))
            if new and main and store_url:
                curriculum.clear()
            curriculum.add_goalposts(chosen)
            arena = Arena(guarded(curriculum, config, chosen), box, None, turns_to_vectors, config)
        except BaseException:
            closing.close()
            raise
        session = cls(run, curriculum, arena, loop, closing)
        session._recount()
        return session

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the sandbox's processes and the background loop. May be called twice."""
        self._closing.close()

    @property
    def config(self) -> Config:
        """Settings in force."""
        return self.arena.config

    def tickets(self, rows: int) -> list[str]:
        """The first rows of the run's schedule, as text; pure."""
        return [ticket_text(deal(self.config, index)) for index in range(rows)]

    def play(self, seats: Sequence[Seat], *, policy: Policy, concurrency: int = 256) -> list[Played]:
        """Play a batch: resolve all, play side by side, settle in order. Outcomes align with seats.

        Raises:
            PolicyError: several batches in a row met nothing but infrastructure faults.
            StoreError: the curriculum could not be written.
        """
        played = self.loop.run(self._play(seats, policy, concurrency))
        faults = [one.fault for one in played if one.fault]
        self._dead = self._dead + 1 if played and len(faults) == len(played) else 0
        if self._dead >= DEAD_BATCHES:
            raise PolicyError(f"{self._dead} batches in a row failed whole; the last fault: {faults[-1]}")
        return played

    def rows(self, played: Sequence[Played]) -> list[Row]:
        """Transcripts of a batch, to be gathered over processes and given to `log`."""
        return [
            (
                Transcript(index=0, wave_end=0, episode_id=one.episode_id, result=one.result, fault=one.fault),
                one.settlement.duplicate_of,
            )
            for one in played
        ]

    def log(self, rows: Sequence[Row], *, write: bool = True, **figures: float) -> dict[str, float]:
        """Count a batch and write its transcripts and metrics; what was played for evaluation leaves no trace.

        Args:
            rows: of all processes, in order.
            write: False on every process but one.
            figures: further figures for the metrics file.

        Returns:
            Running counts since the start of the run.
        """
        start = self.funnel.episodes
        rows = [one for one in rows if one[0].result.ticket.split != "eval"]
        for transcript, rival in rows:
            self.funnel.add(transcript.result, duplicate=rival is not None)
        values = self.funnel.values()
        if write and rows:
            end = start + len(rows)
            self.run.transcripts.append(
                replace(one, index=place, wave_end=end) for place, (one, _) in enumerate(rows, start)
            )
            lost = {one.episode_id: rival for one, rival in rows if rival is not None}
            self.run.metrics.append([Metrics(step=end, values=values | figures, duplicates=lost)])
            self.curriculum.expired()
        return values

    def begin(self, step: int, checkpoint: Path | None = None) -> None:
        """Go to the state of the trainer's ``step``; call it before the first batch, on one process.

        Args:
            step: optimiser steps already done; 0 starts, or starts again.
            checkpoint: the trainer's folder of that step; read where the store does not hold the snapshot.

        Raises:
            DataError: neither the store nor the folder holds the curriculum of that step.
        """
        go_to_step(self.curriculum, step, checkpoint)
        settled = len(self.curriculum.state.settled)
        self.run.transcripts.keep(lambda row: row.index < settled)
        self.run.metrics.keep(lambda row: row.step <= settled)
        self._recount()
        logger.info("step %d: the curriculum holds %d settled episodes", step, settled)

    def save(self, step: int, checkpoint: Path | None = None) -> None:
        """Mark the curriculum of ``step``, and write it into the trainer's checkpoint folder if there is one."""
        save_step(self.curriculum, step, checkpoint)

    async def _play(self, seats: Sequence[Seat], policy: Policy, concurrency: int) -> list[Played]:
        tasks = [self.curriculum.resolve(seat.ticket) for seat in seats]
        gate = asyncio.Semaphore(concurrency)

        async def one(seat: Seat, task: Task) -> Draft:
            async with gate:
                return await self.arena.draft(seat, task, policy=policy)

        running = [asyncio.create_task(one(seat, task)) for seat, task in zip(seats, tasks, strict=True)]
        try:
            drafts = await asyncio.gather(*running)
        finally:
            await cancel_all(running)
        return [self.arena.settle(draft) for draft in drafts]

    def _recount(self) -> None:
        lost = {name for line in self.run.metrics for name in line.duplicates}
        self.funnel = Funnel()
        for row in self.run.transcripts:
            self.funnel.add(row.result, duplicate=row.episode_id in lost)
