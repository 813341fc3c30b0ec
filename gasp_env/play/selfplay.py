"""Trainer-free self-play: grow a curriculum from goalposts against any policy.

Episodes are played in *waves*: every ticket of a wave is resolved against the same state, the wave is played side by
side, then settled in ticket order. So the outcome does not depend on who finished first, and a recorded run replays bit
for bit.

The law of this module: a wave is written to ``transcripts.jsonl`` before it is settled. Whatever is killed in between
is settled from there on resume (settling is idempotent), so every accepted question is there exactly once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gasp_env.curriculum import deal
from gasp_env.errors import PolicyError
from gasp_env.play.arena import Arena, Draft, Seat, cancel_all
from gasp_env.play.replay import Tape
from gasp_env.play.run import Metrics, RunFolder, Transcript
from gasp_env.types import EpisodeResult, RejectReason, Stage, Task

__all__ = ("Funnel", "Report", "SelfPlay")

TEACHER_STAGES = (Stage.LEMMA, Stage.LIFT, Stage.FREE)
DEAD_WAVES = 2
"""This many waves in a row with nothing but infrastructure faults end the run."""


@dataclass(slots=True, kw_only=True)
class Funnel:
    """Running counts, for progress and metrics."""

    episodes: int = 0
    masked: int = 0
    proposed: int = 0
    accepted: int = 0
    solved: int = 0
    tried: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])

    def add(self, result: EpisodeResult, *, duplicate: bool = False) -> None:
        """Count one episode; a duplicate was accepted and then lost the race against an equal question."""
        self.episodes += 1
        self.masked += result.reward.value is None
        if result.stage in TEACHER_STAGES:
            self.proposed += 1
            self.accepted += result.accepted and not duplicate
            reasons = [result.rejection.reason] if result.rejection else [RejectReason.SIMILARITY] * duplicate
            self.rejected.update(reason.value for reason in reasons)
        elif result.attempts and result.attempts[-1].solved is not None:
            self.tried += 1
            self.solved += result.attempts[-1].solved

    def values(self) -> dict[str, float]:
        """As flat figures."""
        rejected = {f"rejected/{reason}": float(count) for reason, count in sorted(self.rejected.items())}
        counts = {
            "episodes": self.episodes,
            "masked": self.masked,
            "teacher/proposed": self.proposed,
            "teacher/accepted": self.accepted,
            "student/tried": self.tried,
            "student/solved": self.solved,
        }
        return {name: float(value) for name, value in counts.items()} | rejected


Report = Callable[[Funnel], None]
"""Told after every wave."""


@dataclass(slots=True, kw_only=True)
class SelfPlay:
    """One run of trainer-free self-play; call `play` once."""

    arena: Arena
    run: RunFolder
    concurrency: int = 8
    """Episodes at once; changes the speed only (the wave is in the manifest)."""
    tape: Tape | None = None
    """Keeps the policy's calls, for replay."""
    report: Report | None = None
    funnel: Funnel = field(default_factory=Funnel)

    async def play(self, episodes: int) -> Funnel:
        """Play until the run holds ``episodes`` episodes or a little more; goes on where the folder stands.

        Waves are always whole: so a run that was extended is the run that would have been played at once.

        Raises:
            PolicyError: the policy answered nothing in `DEAD_WAVES` waves; what was played is kept.
            StoreError: the disk is full or the store is gone; what was played is kept.
        """
        done, dead = await self._recover(), 0
        while done < episodes:
            drafts = await self._play_wave(range(done, done + self.run.manifest.wave))
            self._keep(drafts, first=done)
            done += len(drafts)
            dead = dead + 1 if all(draft.fault for draft in drafts) else 0
            if dead >= DEAD_WAVES:
                raise PolicyError(
                    f"{drafts[-1].fault}; {done} episodes are kept, go on with --resume once this is mended"
                )
        return self.funnel

    async def _play_wave(self, places: range) -> list[Draft]:
        curriculum, config = self.arena.curriculum, self.arena.config
        tickets = [deal(config, place) for place in places]
        tasks = [curriculum.resolve(ticket) for ticket in tickets]
        seats = [Seat(ticket=t, episode_id=f"play-{place}") for t, place in zip(tickets, places, strict=True)]
        gate = asyncio.Semaphore(self.concurrency)
        running = [asyncio.create_task(self._one(gate, seat, task)) for seat, task in zip(seats, tasks, strict=True)]
        try:
            return await asyncio.gather(*running)  # not a TaskGroup: the first error must come out as itself
        finally:
            await cancel_all(running)

    async def _one(self, gate: asyncio.Semaphore, seat: Seat, task: Task) -> Draft:
        async with gate:
            record = self.tape.recorder(seat.episode_id) if self.tape else None
            return await self.arena.draft(seat, task, record=record)

    def _keep(self, drafts: Sequence[Draft], *, first: int) -> None:
        end = first + len(drafts)
        if self.tape:
            self.tape.flush([draft.seat.episode_id for draft in drafts])
        self.run.log(first, drafts)
        self._settle(drafts, end)

    def _settle(self, drafts: Sequence[Draft], end: int) -> None:
        duplicates: dict[str, str] = {}
        for draft in drafts:
            played = self.arena.settle(draft)
            lost = played.settlement.duplicate_of
            self.funnel.add(played.result, duplicate=lost is not None)
            if lost is not None:
                duplicates[played.episode_id] = lost
        self.run.metrics.append([Metrics(step=end, values=self.funnel.values(), duplicates=duplicates)])
        if self.report:
            self.report(self.funnel)

    async def _recover(self) -> int:
        """Settle the last wave again, in case it was cut off there; returns how many episodes the folder holds."""
        rows = self.run.whole_waves()
        if self.tape:
            self.tape.keep({row.episode_id for row in rows})
        if not rows:
            return 0
        end = rows[-1].wave_end
        last = [row for row in rows if row.wave_end == end]
        known = self.run.metrics.keep(lambda line: line.step < end)
        duplicates = {name for line in known for name in line.duplicates}
        for row in rows[: -len(last)]:
            self.funnel.add(row.result, duplicate=row.episode_id in duplicates)
        self._settle([await self._redraft(row) for row in last], end)
        return end

    async def _redraft(self, row: Transcript) -> Draft:
        question = row.result.question if row.result.accepted else None
        prints = await self.arena.fingerprint(question) if question else None
        seat = Seat(ticket=row.result.ticket, episode_id=row.episode_id)
        return Draft(seat=seat, result=row.result, prints=prints, fault=row.fault)
