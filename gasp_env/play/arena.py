"""The async driver: answers what an episode asks for from a policy, a sandbox and a curriculum.

The law of this module: it holds no rule of the game. What the model does wrong is data on the result; what the
infrastructure does wrong masks the one episode it happened in (reward None) and never its siblings; a programming error
is never swallowed.

Curriculum calls run on the event loop itself: they take 1 to 3 ms on SQLite, a generation takes seconds, and one thread
needs no lock. Embedding may run a model, so it runs in a worker thread.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gasp_env.config import Config
from gasp_env.curriculum import Settlement
from gasp_env.errors import ConfigError, PolicyError, SandboxUnavailable
from gasp_env.game import episode
from gasp_env.game.moves import CheckNovelty, Execute, Executed, Generate, Generated, Novelty, Reply, Request
from gasp_env.novelty import Embedder
from gasp_env.play.novel import Prints, fingerprint
from gasp_env.play.ports import Ledger
from gasp_env.policy.protocol import Completion, Policy, Sampling
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.types import EpisodeResult, Job, JobOutcome, Message, Question, Reward, Task, Ticket

__all__ = ("Arena", "Draft", "Hand", "Played", "Recorder", "Seat", "Trained", "cancel_all")

logger = logging.getLogger(__name__)

Trained = tuple[tuple[Message, ...], Completion]
"""A prompt and the completion that a trainer learns from, with its token ids where the policy knows them."""
Recorder = Callable[[Generate, Sequence[Completion | None]], None]
"""Told of every answer of the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One episode to play: members of a group share the ticket and differ in id and seed."""

    ticket: Ticket
    episode_id: str
    """Settling twice under one id counts once."""
    seed: int | None = None
    """For the policy's sampling; None: the ticket's draw seed."""


@dataclass(slots=True, kw_only=True)
class Hand:
    """What one episode gathers on its way; a driver makes one an episode."""

    policy: Policy | None = None
    """None: whoever drives answers every `Generate` itself."""
    record: Recorder | None = None
    trained: list[Trained] = field(default_factory=list[Trained])
    prints: Prints | None = None
    fault: str = ""
    """The last infrastructure fault, in words."""

    def close(self, seat: Seat, result: EpisodeResult) -> "Draft":
        """What was played, ready to be settled."""
        return Draft(seat=seat, result=result, trained=tuple(self.trained), prints=self.prints, fault=self.fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An episode that was played and not yet settled."""

    seat: Seat
    result: EpisodeResult
    trained: tuple[Trained, ...] = ()
    prints: Prints | None = None
    """Of the proposed question, for the novelty index."""
    fault: str = ""
    """The last infrastructure fault met, in words."""

    @property
    def policy_version(self) -> str:
        """Of the policy that was trained or proposed, where it says so."""
        return next((one.policy_version for _, one in self.trained if one.policy_version), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A settled episode."""

    result: EpisodeResult
    episode_id: str
    settlement: Settlement
    """What the curriculum made of it; a question may lose the race against an equal one."""
    trained: tuple[Trained, ...] = ()
    fault: str = ""


class Arena:
    """Plays episodes against one curriculum, sandbox and policy. Use from one event loop."""

    def __init__(
        self,
        curriculum: Ledger,
        sandbox: Sandbox,
        policy: Policy | None,
        embedder: Embedder,
        config: Config,
        *,
        sampling: Sampling | None = None,
    ) -> None:
        """Hold the parts; the caller opens and closes them.

        Args:
            curriculum: resolves tickets, knows what was accepted, settles results.
            sandbox: runs every program.
            policy: plays where a call names no other; None: every call must name one.
            embedder: text -> vector, for the similarity check.
            config: rules and settings in force.
            sampling: temperature, top-p and length of every completion; seeds are the episodes' own.
        """
        self.curriculum, self.sandbox, self.policy = curriculum, sandbox, policy
        self.embedder, self.config, self.sampling = embedder, config, sampling or Sampling()

    async def play_ticket(
        self,
        ticket: Ticket,
        *,
        episode_id: str,
        seed: int | None = None,
        policy: Policy | None = None,
        record: Recorder | None = None,
    ) -> Played:
        """Resolve, play and settle one ticket.

        Raises:
            GaspError: the curriculum can't be read or written, or a setting is wrong; never what a model did.
        """
        seat = Seat(ticket=ticket, episode_id=episode_id, seed=seed)
        draft = await self.draft(seat, self.curriculum.resolve(ticket), policy=policy, record=record)
        return self.settle(draft)

    async def play_many(
        self, seats: Iterable[Seat], *, concurrency: int = 8, policy: Policy | None = None
    ) -> AsyncIterator[Played]:
        """Play seats side by side, at most ``concurrency`` at once; yields as they complete.

        Leaving the iterator early cancels what still runs; those episodes are not settled.
        """
        source = iter(seats)
        pending: set[asyncio.Task[Played]] = set()
        try:
            while True:
                for seat in itertools.islice(source, max(1, concurrency) - len(pending)):
                    pending.add(asyncio.create_task(self._play_seat(seat, policy)))
                if not pending:
                    return
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            await cancel_all(pending)

    async def draft(
        self, seat: Seat, task: Task, *, policy: Policy | None = None, record: Recorder | None = None
    ) -> Draft:
        """Play one resolved ticket without writing anything to the curriculum."""
        hand = Hand(policy=policy or self.policy, record=record)
        if hand.policy is None:
            raise ConfigError("policy: none; give one to the arena or to the call")
        try:
            result = await self._drive(seat, task, hand)
        except (PolicyError, SandboxUnavailable) as error:
            hand.fault = str(error)
            result = _masked(seat.ticket, hand.fault)
        if hand.fault:
            logger.warning("episode %s: %s", seat.episode_id, hand.fault)
        return hand.close(seat, result)

    def settle(self, draft: Draft) -> Played:
        """Write what an episode produced to the curriculum."""
        settled = self.curriculum.settle(
            draft.result,
            episode_id=draft.seat.episode_id,
            fingerprint=draft.prints,
            policy_version=draft.policy_version,
        )
        return Played(
            result=draft.result,
            episode_id=draft.seat.episode_id,
            settlement=settled,
            trained=draft.trained,
            fault=draft.fault,
        )

    async def answer(self, request: Request, hand: Hand) -> Reply:
        """Answer one request of an episode."""
        match request:
            case Generate():
                return Generated(texts=await self._generate(request, hand))
            case Execute():
                return Executed(outcomes=await self.execute(request.jobs))
            case CheckNovelty():
                return await self._check_novelty(request.question, hand)

    async def execute(self, jobs: tuple[Job, ...]) -> tuple[JobOutcome, ...]:
        """Run jobs; the backend has tried a job again before it reports a fault of its own."""
        return tuple(await self.sandbox.run(jobs))

    async def fingerprint(self, question: Question) -> Prints:
        """What the novelty layers compare of a question."""
        return await fingerprint(question, self.embedder, self.config.rules, execute=self.execute)

    async def _check_novelty(self, question: Question, hand: Hand) -> Novelty:
        hand.prints = prints = await self.fingerprint(question)
        found = self.curriculum.novelty(question, prints.vector, prints.code_hash, prints.behaviour_hash)
        return Novelty(
            cosine=found.cosine,
            nearest_id=found.nearest_id,
            same_code_id=found.same_code_id,
            same_behaviour_id=found.same_behaviour_id,
        )

    async def _play_seat(self, seat: Seat, policy: Policy | None) -> Played:
        return await self.play_ticket(seat.ticket, episode_id=seat.episode_id, seed=seat.seed, policy=policy)

    async def _drive(self, seat: Seat, task: Task, hand: Hand) -> EpisodeResult:
        game = episode(seat.ticket, task, self.config.rules, seed=seat.seed)
        request = next(game)
        while True:
            reply = await self.answer(request, hand)
            try:
                request = game.send(reply)
            except StopIteration as stop:
                result: EpisodeResult = stop.value
                return result

    async def _generate(self, request: Generate, hand: Hand) -> tuple[str | None, ...]:
        if hand.policy is None:
            raise TypeError(f"nobody answers {request!r}")
        found: Sequence[Completion | None]
        try:
            sampling = replace(self.sampling, seed=request.seed)
            found = await hand.policy.generate(request.messages, n=request.n, role=request.role, sampling=sampling)
        except PolicyError as error:
            hand.fault, found = str(error), (None,) * request.n
        if hand.record is not None:
            hand.record(request, found)
        if request.train:
            hand.trained += [(request.messages, one) for one in found if one is not None]
        return tuple(None if one is None else one.text for one in found)


def _masked(ticket: Ticket, why: str) -> EpisodeResult:
    return EpisodeResult(ticket=ticket, stage=ticket.stage, reward=Reward(value=None), turns=(), masked=why)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until each has ended, however it ends."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
