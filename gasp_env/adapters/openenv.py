"""GASP as an OpenEnv server and its client: many sessions, one curriculum, and no policy on the server's side.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --out tickets.jsonl
    GASP_RUN=runs/first uvicorn --factory gasp_env.adapters.openenv:make_app --port 8000

    async with GaspClient("http://localhost:8000") as client:
        episode = await play(client, model, ticket=row["prompt"])

An observation is a prompt with the number of answers due. A teacher's episode has two phases: its proposal (``train`` is True),
then the solve-rate probes, which the client samples from the same weights (``train`` False, ``n`` answers due).

The law of this module: sessions share nothing but the run; what is masked ends with reward None, never 0; a ticket that a
server deals is taken in the shared store first, so that no other server, no other worker and no later start deals it again.
Serve with one worker process or with several: each joins the run by itself.
"""

import inspect
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import deal
from gasp_env.errors import PolicyError
from gasp_env.play import Joined, Step, StepRun, episode_figures, process_run, read_ticket, ticket_text
from gasp_env.types import Message, Ticket

__all__ = (
    "GaspAction",
    "GaspClient",
    "GaspEnvironment",
    "GaspObservation",
    "GaspState",
    "RemoteEpisode",
    "make_app",
    "play",
)

require_version("openenv", at_least="0.10", below="0.11", extra="openenv")
_core: Any = require("openenv.core", extra="openenv")
_types: Any = require("openenv.core.env_server.types", extra="openenv")
_interfaces: Any = require("openenv.core.env_server.interfaces", extra="openenv")
_client_types: Any = require("openenv.core.client_types", extra="openenv")

SESSIONS = 256
"""Sessions that one server holds at once; OpenEnv's own default is one."""
PATIENCE_S = 900.0
"""A client waits this long for an answer: a step may run programs for minutes."""
Sample = Callable[[Sequence[Message], int], Awaitable[Sequence[str | None]] | Sequence[str | None]]
"""The model: a prompt and how many answers are due; None in place of an answer that could not be sampled."""
_next: dict[str, int] = {}
"""Run -> place in its schedule from which this process goes on; all places before it are taken."""


class GaspAction(_types.Action):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Answers to the prompt that is due."""

    texts: list[str | None]
    """As many as the observation asked for; None where the model could not be reached."""


class GaspObservation(_types.Observation):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """A prompt, or at the end the figures of the episode."""

    messages: list[dict[str, str]] = []  # noqa: RUF012 - pydantic copies it
    role: str = ""
    """``teacher`` or ``student``."""
    train: bool = False
    """False for solve-rate probes."""
    n: int = 0
    """Answers due."""
    masked: str = ""
    """Why the reward is None."""
    key: str = ""
    """Advantage group of task-relative REINFORCE++."""
    figures: dict[str, float] = {}  # noqa: RUF012


class GaspState(_types.State):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """What a session plays."""

    ticket: str = ""


class GaspEnvironment(_interfaces.Environment):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """One session: one episode at a time in the run that ``GASP_RUN`` names."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        """Join the run, once a process."""
        parent: Any = super()
        parent.__init__()
        self._run = StepRun()
        self._ticket: Ticket | None = None
        self._state = GaspState()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Any:  # noqa: ANN401
        """Start an episode.

        Args:
            seed: place in the run's schedule of tickets; None takes the next that nobody was dealt.
            episode_id: known again if the client retries; settled once.
            options: ``ticket``: text of the ticket to play instead.

        Raises:
            DataError: the ticket is no ticket.
        """
        given = options.get("ticket")
        if given:
            self._ticket = read_ticket(str(given))
        else:
            loop, joined = process_run()
            self._ticket = loop.run(_take(joined)) if seed is None else deal(joined.config, seed)
        step = self._run.reset(self._ticket, episode_id=episode_id or "")
        self._state = GaspState(episode_id=step.info["episode_id"], ticket=ticket_text(self._ticket))
        return self._observe(step)

    def step(self, action: Any, timeout_s: float | None = None, **options: Any) -> Any:  # noqa: ANN401, ARG002
        """Take the answers.

        Raises:
            ConfigError: no episode runs, or the number of answers is wrong.
        """
        step = self._run.step(action.texts)
        self._state.step_count += 1
        return self._observe(step)

    @property
    def state(self) -> Any:  # noqa: ANN401 - GaspState
        """Of the session."""
        return self._state

    def get_metadata(self) -> Any:  # noqa: ANN401 - EnvironmentMetadata
        """For the server's ``/metadata``."""
        return _types.EnvironmentMetadata(
            name="gasp", description="Guided asymmetric self-play for coding models", version="1"
        )

    def _observe(self, step: Step) -> Any:  # noqa: ANN401
        if not step.done:
            shown = [{"role": one.role, "content": one.content} for one in step.messages or ()]
            info = step.info
            return GaspObservation(messages=shown, role=info["role"], train=info["train"], n=info["n"], reward=0.0)
        result = step.info["result"]
        return GaspObservation(
            done=True,
            reward=step.reward,
            masked=step.info["masked"],
            key=result.baseline_key,
            figures=episode_figures(result.ticket, result),
        )


async def _take(joined: Joined) -> Ticket:
    """The next ticket of the schedule that nobody holds; on the run's loop, as the curriculum is.

    Whose name is on the lease took it: the store writes one lease for a ticket, whoever asks at the same time.
    """
    run, holder = joined.run.store_url, f"openenv-{uuid.uuid4().hex}"
    taken = joined.curriculum.state.draws
    while True:
        ticket = deal(joined.config, _next.get(run, 0))
        _next[run] = _next.get(run, 0) + 1
        if ticket.id in taken:
            continue
        joined.curriculum.resolve(ticket, holder)
        lease = joined.curriculum.state.leases.get(ticket.id)
        if lease is not None and lease.holder == holder:
            return ticket


def make_app() -> Any:  # noqa: ANN401 - FastAPI
    """The server, for ``uvicorn --factory``."""
    return require("openenv.core.env_server.http_server", extra="openenv").create_app(
        GaspEnvironment,
        GaspAction,
        GaspObservation,
        env_name="gasp",
        max_concurrent_envs=SESSIONS,
        state_cls=GaspState,
    )


class GaspClient(_core.EnvClient):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """A session with the server; async, or sync with ``.sync()``."""

    def __init__(self, base_url: str, *, message_timeout_s: float = PATIENCE_S, **options: Any) -> None:  # noqa: ANN401
        """Name the server; further options are those of OpenEnv's client."""
        parent: Any = super()
        parent.__init__(base_url=base_url, message_timeout_s=message_timeout_s, **options)

    def _step_payload(self, action: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"texts": list(action.texts)}

    def _parse_result(self, payload: dict[str, Any]) -> Any:  # noqa: ANN401
        reward, done = payload.get("reward"), bool(payload.get("done"))
        observation = GaspObservation(**(payload.get("observation") or {}), reward=reward, done=done)
        return _client_types.StepResult(observation=observation, reward=reward, done=done)

    def _parse_state(self, payload: dict[str, Any]) -> Any:  # noqa: ANN401
        return GaspState(**payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEpisode:
    """What a client played."""

    trained: tuple[tuple[tuple[Message, ...], str], ...]
    """Prompts and answers that a trainer learns from."""
    reward: float | None
    """None: masked; drop the sample."""
    key: str
    """Advantage group of task-relative REINFORCE++."""
    masked: str
    figures: dict[str, float]


async def play(client: Any, sample: Sample, *, ticket: str = "", episode_id: str | None = None) -> RemoteEpisode:  # noqa: ANN401
    """Play one episode from the client's side; both phases are asked of ``sample``.

    Args:
        client: a `GaspClient`, open.
        sample: the model, sync or async.
        ticket: text of the ticket; empty lets the server deal one.
        episode_id: known again on a retry.

    Raises:
        PolicyError: ``sample`` gave another number of answers than was due.
    """
    options: dict[str, Any] = {"ticket": ticket} if ticket else {}
    if episode_id is not None:
        options["episode_id"] = episode_id
    seen = (await client.reset(**options)).observation
    trained: list[tuple[tuple[Message, ...], str]] = []
    while not seen.done:
        prompt = tuple(Message(role=one["role"], content=one["content"]) for one in seen.messages)
        said = sample(prompt, seen.n)
        texts = list(await said if inspect.isawaitable(said) else said)
        if len(texts) != seen.n:
            raise PolicyError(f"sample: gave {len(texts)} answers, {seen.n} were due")
        if seen.train:
            trained += [(prompt, one) for one in texts if one is not None]
        seen = (await client.step(GaspAction(texts=texts))).observation
    return RemoteEpisode(
        trained=tuple(trained), reward=seen.reward, key=seen.key, masked=seen.masked, figures=dict(seen.figures)
    )
