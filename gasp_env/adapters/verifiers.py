"""GASP as a verifiers (v1) environment: seats for teacher, student and probe, tickets as tasks.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --out tickets.jsonl
    GASP_RUN=runs/first vf-eval gasp-env-vf -m MODEL --client.base-url http://localhost:8000/v1 --no-push

One episode is one ticket. The teacher's episode plays the ``teacher`` seat once and the ``probe`` seat for the solve rate (same
policy, never trained); the student's plays the ``student`` seat. The law of this module: a task holds a ticket and no
question, so reading tasks again on resume draws nothing; every trained trace of an episode has the episode's reward;
what an infrastructure fault touched is not trainable.
"""

# pyright: reportInvalidTypeForm=false, reportUnknownMemberType=false
# (verifiers' classes are known at run time only)

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import deal
from gasp_env.errors import ConfigError, PolicyError
from gasp_env.play import Joined, Played, join_run, read_ticket, run_folder, ticket_text
from gasp_env.policy import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = (
    "ChatHarness",
    "ChatHarnessConfig",
    "GaspData",
    "GaspEnv",
    "GaspEnvConfig",
    "GaspTask",
    "GaspTaskset",
    "GaspTasksetConfig",
    "SeatPolicy",
)

require_version("verifiers", at_least="0.4.0", below="0.5", extra="verifiers")
vf: Any = require("verifiers.v1", extra="verifiers")
_openai: Any = require("openai", extra="verifiers")


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
            ConfigError: no run, or an unknown role.
        """
        wanted = str(self.config.role)
        if wanted not in ("", *Role):
            raise ConfigError(f"--env.taskset.role: got {wanted!r}; expected teacher, student or nothing")
        config = run_folder(self.config.run or None).manifest.config
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


class GaspEnv(vf.Env[GaspEnvConfig]):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Plays tickets."""

    _joined: Joined | None = None

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

    async def run(self, task: Any, agents: Any) -> None:  # noqa: ANN401 - vf.Task, vf.Agents
        """One ticket.

        Raises:
            PolicyError: no agent could be run at all; the episode fails and may be retried.
        """
        if self._joined is None:
            raise ConfigError("GaspEnv: plays only inside `async with env.serving()`")
        ticket = read_ticket(str(task.data.ticket))
        policy = SeatPolicy(agents)
        played = await self._joined.play(ticket, policy=policy)
        if not policy.trained:
            raise PolicyError(played.fault or "no agent answered")
        for trace in policy.trained:
            _record(trace, played)


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
