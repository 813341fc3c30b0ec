"""GASP as a verifiers (v1) environment: seats for teacher, student and probe, tickets as tasks.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --out tickets.jsonl
    GASP_RUN=runs/first vf-eval gasp-env-vf -n 100 -m MODEL --client.base-url http://localhost:8000/v1 --no-push

One episode is one ticket. The teacher's episode plays the ``teacher`` seat once and the ``probe`` seat for the solve rate (same
policy, never trained); the student's plays the ``student`` seat. The law of this module: a task holds a ticket and no
question, so reading tasks again on resume draws nothing; every trained trace of an episode has the episode's reward;
an episode is done when it is settled, whatever became of single probes; one that an infrastructure fault masked fails,
trains nothing and may be played again, and what is played again is settled once.
"""

# pyright: reportInvalidTypeForm=false, reportUnknownMemberType=false
# (verifiers' classes are known at run time only)

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import deal
from gasp_env.errors import ConfigError, PolicyError
from gasp_env.play import (
    Joined,
    Played,
    Seat,
    Transcript,
    join_run,
    read_ticket,
    run_folder,
    seat_seed,
    ticket_text,
)
from gasp_env.policy import Completion, Sampling
from gasp_env.types import EpisodeResult, Message, Role, Stage, Ticket

__all__ = (
    "ChatHarness",
    "ChatHarnessConfig",
    "GaspData",
    "GaspEnv",
    "GaspEnvConfig",
    "GaspSlot",
    "GaspTask",
    "GaspTaskset",
    "GaspTasksetConfig",
    "SeatPolicy",
)

require_version("verifiers", at_least="0.4.0", below="0.5", extra="verifiers")
vf: Any = require("verifiers.v1", extra="verifiers")
_env: Any = require("verifiers.v1.env", extra="verifiers")
_openai: Any = require("openai", extra="verifiers")
_NOTE = "gasp_episode"
"""In a trace's ``info``: the episode id under which the curriculum settled it."""
_playing: ContextVar[str] = ContextVar("gasp_episode", default="")
"""Episode id of the slot that runs; its retries share it."""


class GaspData(vf.TaskData):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """A ticket, as a task's data."""

    ticket: str = ""


class GaspTask(vf.Task[GaspData]):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """A task whose identity is its ticket, wherever it stands in the stream."""

    @property
    def key(self) -> str:
        """The ticket's id."""
        return read_ticket(str(self.data.ticket)).id


class GaspTasksetConfig(vf.TasksetConfig):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Which tickets."""

    run: str = ""
    """Run folder; empty reads GASP_RUN."""
    role: str = ""
    """``teacher`` or ``student`` deals only theirs (two sources in prime-rl); empty deals both."""


class GaspTaskset(vf.Taskset[GaspTask, GaspTasksetConfig]):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """The run's schedule of tickets, without end and without side effects."""

    INFINITE = True

    def load(self) -> Iterator[GaspTask]:
        """Deal tickets.

        Raises:
            ConfigError: no run, an unknown role, or one that the run's mix never deals.
        """
        wanted = str(self.config.role)
        if wanted not in ("", *Role):
            raise ConfigError(f"--env.taskset.role: got {wanted!r}; expected teacher, student or nothing")
        config = run_folder(self.config.run or None).manifest.config
        if wanted not in ("", *(Ticket(stage=one, draw_seed=0).role for one in Stage if getattr(config.mix, one))):
            raise ConfigError(f"--env.taskset.role: the run's mix deals nothing to a {wanted}; leave that source out")
        index = 0
        while True:
            ticket = deal(config, index)
            index += 1
            if wanted in ("", ticket.role):
                yield GaspTask(GaspData(ticket=ticket_text(ticket)), self.config.task)


class GaspEnvConfig(vf.EnvConfig):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """The seats. All play the run's model unless one is pinned."""

    run: str = ""
    """Run folder; empty reads GASP_RUN."""
    teacher: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    student: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    probe: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    max_concurrent_agents: int | None = None
    """Probes of an episode run side by side."""


@dataclass
class GaspSlot(_env.RunSlot):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """A planned episode that knows its number among those of its task."""

    name: str = ""
    """Episode id."""


class GaspEnv(vf.Env[GaspEnvConfig]):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Plays tickets."""

    def __init__(self, config: Any) -> None:  # noqa: ANN401 - GaspEnvConfig
        """Hold the settings; nothing is opened."""
        parent: Any = super()
        parent.__init__(config)
        self._joined: Joined | None = None
        self._kept: set[str] = set()

    async def start(self) -> None:
        """Join the run; every worker process joins by itself."""
        self._joined = await join_run(self.config.run or None)

    async def stop(self) -> None:
        """Leave it."""
        if self._joined is not None:
            await self._joined.close()
            self._joined = None

    async def setup(self, agents: Any) -> None:  # noqa: ANN401 - vf.Agents
        """Probes are estimates: never trained."""
        agents.probe.trainable = False

    def complete(self, episode: Any) -> bool:  # noqa: ANN401 - vf.Episode, or one read from a file
        """True if the curriculum settled the episode; a probe that failed made its estimate smaller and no more.

        What is complete is kept by ``--resume``, and its place is not planned again.
        """
        notes = [str(trace.info[_NOTE]) for trace in episode.traces if _NOTE in trace.info]
        self._kept.update(notes)
        return bool(notes)

    def slots(self, task: Any, n: int | None = None) -> list[Any]:  # noqa: ANN401 - vf.Task, RunSlot
        """Plan episodes.

        Args:
            task: what they play.
            n: how many, for an evaluation: it plans all places of a task at once, so that the same place has the same
                episode id when it is planned again. None is one, for an env server: a trainer's requests do not say
                whether they are members of a group or one played again, so each is an episode of its own.

        Raises:
            ValueError: ``n`` is below 1.
        """
        parent: Any = super()
        planned = parent.slots(task, 1 if n is None else n)
        if n is None:
            return [GaspSlot(slot.task, name=f"vf-{uuid.uuid4().hex}") for slot in planned]
        ticket = read_ticket(str(task.data.ticket))
        places = (f"vf-{ticket.id}-{number}" for number in range(n + len(self._kept)))
        free = (name for name in places if name not in self._kept)
        return [GaspSlot(slot.task, name=name) for slot, name in zip(planned, free, strict=False)]

    async def run_slot(self, slot: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - vf.Episode
        """Play a planned episode; its retries share its id."""
        parent: Any = super()
        mark = _playing.set(getattr(slot, "name", ""))
        try:
            return await parent.run_slot(slot, *args, **options)
        finally:
            _playing.reset(mark)

    async def run_episode(self, task: Any, ctx: Any, **options: Any) -> Any:  # noqa: ANN401 - vf.Episode
        """Play once; ``ok`` says what `complete` does, so that neither a retry nor a trainer throws away what is settled."""
        parent: Any = super()
        episode = await parent.run_episode(task, ctx, **options)
        episode.ok = self.complete(episode)
        return episode

    async def run(self, task: Any, agents: Any) -> None:  # noqa: ANN401 - vf.Task, vf.Agents
        """One ticket.

        Raises:
            PolicyError: an infrastructure fault masked it; the episode fails and may be retried.
        """
        if self._joined is None:
            raise ConfigError("GaspEnv: plays only inside `async with env.serving()`")
        policy = SeatPolicy(agents)
        played = await _play(self._joined, read_ticket(str(task.data.ticket)), policy)
        for trace in policy.trained:
            _record(trace, played)
        if _faulted(played.result) or not policy.trained:
            raise PolicyError(played.fault or played.result.masked or "no agent answered")
        for trace in policy.trained:
            trace.info[_NOTE] = played.episode_id


async def _play(joined: Joined, ticket: Ticket, policy: "SeatPolicy") -> Played:
    """Play and settle; a fault is settled under an id of its own, so that the episode may still be played."""
    name = _playing.get() or f"vf-{uuid.uuid4().hex}"
    seat = Seat(ticket=ticket, episode_id=name, seed=seat_seed(name, joined.config))
    draft = await joined.arena.draft(seat, joined.arena.curriculum.resolve(ticket), policy=policy)
    if _faulted(draft.result):
        draft = replace(draft, seat=replace(seat, episode_id=f"{name}-fault-{uuid.uuid4().hex[:12]}"))
    played = joined.arena.settle(draft)
    if played.settlement.stored:
        joined.episodes += 1
        at = joined.episodes
        row = Transcript(
            index=at, wave_end=at + 1, episode_id=played.episode_id, result=played.result, fault=played.fault
        )
        joined.transcripts.append([row])
    return played


def _faulted(result: EpisodeResult) -> bool:
    """True where the infrastructure masked the episode; a near-duplicate is masked too, but was played to its end."""
    return result.reward.value is None and result.rejection is None


class SeatPolicy:
    """Samples by running a seat's agent, each completion in a run of its own."""

    def __init__(self, agents: Any) -> None:  # noqa: ANN401 - vf.Agents
        """Play for one episode."""
        self._agents = agents
        self._owner: Role | None = None
        """Who is trained: whoever speaks first. A student's ticket may fall back to a teacher's."""
        self.trained: list[Any] = []
        """Traces of the trained turns."""

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,
        sampling: Sampling,  # noqa: ARG002 - the run's sampling decides
    ) -> Sequence[Completion | None]:
        """Run ``n`` agents; None where one failed."""
        self._owner = self._owner or role
        return await asyncio.gather(*(self._one(messages, role) for _ in range(n)))

    async def close(self) -> None:
        """The agents are the episode's."""

    async def _one(self, messages: Sequence[Message], role: Role) -> Completion | None:
        seat = self._agents.probe if role is not self._owner else getattr(self._agents, role.value)
        chat = [{"role": one.role, "content": one.content} for one in messages]
        trace = await seat.run(vf.Task(vf.TaskData(prompt=chat)))
        if role is self._owner:
            self.trained.append(trace)
        if not trace.ok:
            return None
        return Completion(text=trace.last_reply, finish_reason="length" if trace.is_truncated else "stop")


def _record(trace: Any, played: Played) -> None:  # noqa: ANN401 - vf.Trace
    result = played.result
    value = result.reward.value
    if value is None:
        trace.agent.trainable = False
    trace.record_reward("gasp", value or 0.0)
    figures: dict[str, float] = {
        "masked": value is None,
        "accepted": result.accepted,
        f"stage_{result.stage.value}": True,
    }
    if result.solve_rate is not None and result.solve_rate.n:
        figures["solve_rate"] = result.solve_rate.value
    if result.role is Role.STUDENT and result.attempts:
        figures["solved"] = result.attempts[-1].solved is True
    trace.record_metrics({f"gasp_{name}": float(number) for name, number in figures.items()})


class ChatHarnessConfig(vf.HarnessConfig):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Nothing to set."""


class ChatHarness(vf.Harness[ChatHarnessConfig]):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """One chat completion in this process: no program to install, no process to start."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(  # noqa: PLR0913, PLR0917 - verifiers' signature
        self,
        ctx: Any,  # noqa: ANN401
        trace: Any,  # noqa: ANN401, ARG002
        runtime: Any,  # noqa: ANN401, ARG002
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],  # noqa: ARG002
        data: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Ask once, through the rollout's interception."""
        system, prompt = self.resolve_prompt(data)
        chat = (
            [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [_plain(one) for one in prompt or ()]
        )
        if system is not None:
            chat.insert(0, {"role": "system", "content": system})
        async with _openai.AsyncOpenAI(base_url=endpoint, api_key=secret, max_retries=0) as client:
            await client.chat.completions.create(model=ctx.model, messages=chat)
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


def _plain(message: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"role": message.role, "content": message.content}
