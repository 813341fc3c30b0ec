"""The stepping driver, for trainers that only call ``reset`` and ``step`` (gymnasium, SkyRL-gym, OpenEnv).

The law of this module: the same generator as the arena plays; only who answers ``Generate`` differs. A trained turn is
the observation and the action is its answer; probes go to a policy, or are surfaced as well (``mode="surface"``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeGuard

from gasp_env.errors import ConfigError
from gasp_env.game import episode
from gasp_env.game.moves import Episode, Generate, Generated, Reply, Request
from gasp_env.play.arena import Arena, Hand, Seat
from gasp_env.play.loop import LoopThread
from gasp_env.policy.protocol import Policy
from gasp_env.types import EpisodeResult, Message, Ticket

__all__ = ("AsyncStepper", "Probes", "Step", "Stepper")


class Probes(StrEnum):
    """Who answers the solve-rate probes."""

    POLICY = "policy"
    """The policy given to the stepper, or the arena's."""
    SURFACE = "surface"
    """The caller: a probe is an observation like a trained turn, with ``info["train"]`` False and ``info["n"]`` texts due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of one action; unpacks as ``messages, reward, done, info``."""

    messages: tuple[Message, ...] | None
    """The next prompt; None at the end."""
    reward: float | None
    """0.0 before the end; at the end the episode's reward, None where it is masked (drop the sample)."""
    done: bool
    info: dict[str, Any] = field(default_factory=dict[str, Any])
    """``role``, ``train`` and ``n`` of the prompt; at the end ``result`` (`EpisodeResult`) and ``masked``."""

    def __iter__(self) -> Any:  # noqa: ANN401 - the four fields differ in type
        """Unpack."""
        return iter((self.messages, self.reward, self.done, self.info))


@dataclass(slots=True, kw_only=True)
class _Running:
    game: Episode
    seat: Seat
    hand: Hand
    due: Generate


class AsyncStepper:
    """One episode at a time, for callers on the arena's event loop."""

    def __init__(self, arena: Arena, *, probes: Policy | None = None, mode: Probes | str = Probes.POLICY) -> None:
        """Choose who answers probes.

        Args:
            arena: its curriculum, sandbox and rules are played.
            probes: answers probes in mode ``policy``; None: the arena's policy.
            mode: ``policy`` or ``surface``.

        Raises:
            ConfigError: unknown mode, or mode ``policy`` without any policy.
        """
        if mode not in tuple(Probes):
            raise ConfigError(f"mode: unknown {mode!r}; choose one of {', '.join(Probes)}")
        self._arena, self._mode, self._policy = arena, Probes(mode), probes or arena.policy
        if self._mode is Probes.POLICY and self._policy is None:
            raise ConfigError("probes: no policy answers them; give one, or take mode 'surface'")
        self._running: _Running | None = None

    async def reset(self, ticket: Ticket, *, episode_id: str, seed: int | None = None) -> Step:
        """Start an episode; one that was not played to its end is dropped unsettled."""
        self._drop()
        task = self._arena.curriculum.resolve(ticket)
        game = episode(ticket, task, self._arena.config.rules, seed=seed)
        seat = Seat(ticket=ticket, episode_id=episode_id, seed=seed)
        hand = Hand(policy=self._policy)
        request = next(game)
        if self._surfaces(request):
            return self._show(game, seat, hand, request)
        return await self._send(game, seat, hand, await self._arena.answer(request, hand))

    async def step(self, action: str | Sequence[str | None] | None) -> Step:
        """Answer the prompt that is due.

        Args:
            action: the completion; ``info["n"]`` of them where a probe asks for more than one; None: it failed for
                infrastructure reasons, so the episode is masked.

        Raises:
            ConfigError: no episode runs, or the number of texts is wrong.
        """
        running, self._running = self._running, None
        if running is None:
            raise ConfigError("step: no episode runs; call reset first")
        texts = (action,) if action is None or isinstance(action, str) else tuple(action)
        if len(texts) != running.due.n:
            self._running = running
            raise ConfigError(f"step: got {len(texts)} texts; the prompt asks for {running.due.n}")
        return await self._send(running.game, running.seat, running.hand, Generated(texts=texts))

    async def _send(self, game: Episode, seat: Seat, hand: Hand, reply: Reply) -> Step:
        while True:
            try:
                request = game.send(reply)
            except StopIteration as stop:
                return self._end(seat, hand, stop.value)
            if self._surfaces(request):
                return self._show(game, seat, hand, request)
            reply = await self._arena.answer(request, hand)

    def _surfaces(self, request: Request) -> TypeGuard[Generate]:
        return isinstance(request, Generate) and (request.train or self._mode is Probes.SURFACE)

    def _show(self, game: Episode, seat: Seat, hand: Hand, due: Generate) -> Step:
        self._running = _Running(game=game, seat=seat, hand=hand, due=due)
        info = {"role": due.role.value, "train": due.train, "n": due.n, "episode_id": seat.episode_id}
        return Step(messages=due.messages, reward=0.0, done=False, info=info)

    def _end(self, seat: Seat, hand: Hand, result: EpisodeResult) -> Step:
        self._arena.settle(hand.close(seat, result))
        info = {"result": result, "masked": result.masked, "episode_id": seat.episode_id}
        return Step(messages=None, reward=result.reward.value, done=True, info=info)

    def _drop(self) -> None:
        if self._running is not None:
            self._running.game.close()
            self._running = None


class Stepper:
    """The same for sync callers: everything async runs on a `LoopThread`.

    Example:
        stepper = Stepper(arena, loop)
        messages, reward, done, info = stepper.reset(ticket, episode_id="1")
        while not done:
            messages, reward, done, info = stepper.step(model(messages))
    """

    def __init__(
        self, arena: Arena, loop: LoopThread, *, probes: Policy | None = None, mode: Probes | str = Probes.POLICY
    ) -> None:
        """As `AsyncStepper`; ``loop`` is the one that the sandbox and the policy were opened on."""
        self._inner, self._loop = AsyncStepper(arena, probes=probes, mode=mode), loop

    def reset(self, ticket: Ticket, *, episode_id: str, seed: int | None = None) -> Step:
        """Start an episode."""
        return self._loop.run(self._inner.reset(ticket, episode_id=episode_id, seed=seed))

    def step(self, action: str | Sequence[str | None] | None) -> Step:
        """Answer the prompt that is due."""
        return self._loop.run(self._inner.step(action))
