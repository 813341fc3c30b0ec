"""GASP inside SkyRL: the text environment ``gasp``, and a generator that lends it the trained policy for its probes.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --format skyrl --out tickets.jsonl
    GASP_RUN=runs/first python train.py data.train_data='["tickets.jsonl"]' environment.env_class=gasp ...

The environment needs skyrl-gym alone; `gasp_generator` needs SkyRL itself. A row is a ticket: ``init`` replaces its
placeholder prompt by what the ticket asks for when it is played, so every sample of a group gets the same task.

The law of this module: ``step`` blocks a worker thread and never the trainer's event loop; token ids are SkyRL's own; what
is masked has no trained token (`gasp_generator`), and reward 0 where only skyrl-gym is used (``metadata["masked"]``).
"""

import asyncio
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.errors import ConfigError, DataError
from gasp_env.play import Step, StepRun, episode_figures, new_messages, read_ticket
from gasp_env.policy import Completion, Policy, Sampling, open_policy
from gasp_env.types import EpisodeResult, Message, Role

__all__ = ("ENV_ID", "ClientPolicy", "GaspTextEnv", "Nobody", "gasp_generator")

require_version("skyrl-gym", at_least="0.4", below="0.5", extra="skyrl")
_gym: Any = require("skyrl_gym", extra="skyrl")
_registration: Any = require("skyrl_gym.envs.registration", extra="skyrl")
_base: Any = require("skyrl_gym.envs.base_text_env", extra="skyrl")

ENV_ID = "gasp"
"""Of both roles; the ticket says which one plays."""
POLICY_KEY = "gasp_policy"
"""In the extras of an environment: who answers probes."""
PROBES_VARIABLE = "GASP_PROBES"
"""Environment variable that names who answers them where no generator does."""
Chat = list[dict[str, str]]


class GaspTextEnv(_base.BaseTextEnv):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """One episode. Joins the run that ``env_config.run`` or ``GASP_RUN`` names, once a process."""

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None) -> None:  # noqa: ANN401
        """Read the row.

        Args:
            env_config: ``run``: folder; ``probes``: a policy's name (`open_policy`), where no generator lends its own; else
                the variables ``GASP_RUN`` and ``GASP_PROBES``.
            extras: of the row; ``extra_info["ticket"]`` is the ticket.

        Raises:
            DataError: the row holds no ticket.
            ConfigError: no run.
        """
        parent: Any = super()
        parent.__init__()
        row: dict[str, Any] = extras or {}
        settings: dict[str, Any] = env_config or {}
        info: dict[str, Any] = row.get("extra_info") or {}
        if "ticket" not in info:
            raise DataError("extra_info.ticket: missing; make the rows with `gasp-env tickets --format skyrl`")
        self._ticket = read_ticket(info["ticket"])
        self._said: tuple[Message, ...] = ()
        self._result: EpisodeResult | None = None
        named = settings.get("probes") or os.environ.get(PROBES_VARIABLE)
        prober: Policy = row.get(POLICY_KEY) or (_named(named) if named else Nobody())
        self._run = StepRun(settings.get("run"), probes=prober)

    def init(self, prompt: Chat) -> tuple[Chat, dict[str, Any]]:  # noqa: ARG002 - a placeholder
        """The prompt of the ticket."""
        step = self._run.reset(self._ticket)
        self._said = step.messages or ()
        return _chat(self._said), dict(step.info)

    def step(self, action: str) -> Any:  # noqa: ANN401 - BaseTextEnvStepOutput
        """Take an answer; ends the episode, or asks for another turn where the rules allow one."""
        step = self._run.step(action)
        observations = [] if step.messages is None else _chat(new_messages(self._said, step.messages))
        self._said = step.messages or ()
        self._result = step.info.get("result")
        return _base.BaseTextEnvStepOutput(
            observations=observations, reward=step.reward or 0.0, done=step.done, metadata=_metadata(step)
        )

    def get_metrics(self) -> dict[str, Any]:
        """Figures of the episode; the same keys in every one."""
        return episode_figures(self._ticket, self._result)


class Nobody:
    """Stands where no policy was given: a student's episode needs none, a teacher's says what is missing."""

    async def generate(
        self,
        messages: Sequence[Message],  # noqa: ARG002
        *,
        n: int,  # noqa: ARG002
        role: Role,  # noqa: ARG002
        sampling: Sampling,  # noqa: ARG002
    ) -> Sequence[Completion | None]:
        """Refuse.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"probes: nobody answers a teacher's probes; train with gasp_generator, or set {PROBES_VARIABLE} "
            "to a policy such as openai:http://localhost:8000/v1"
        )

    async def close(self) -> None:
        """Nothing to free."""


class ClientPolicy:
    """Samples from SkyRL's inference engines, from whatever event loop asks."""

    def __init__(self, client: Any, tokenizer: Any, params: dict[str, Any] | None, *, model: str | None) -> None:  # noqa: ANN401
        """Call on the event loop that the client lives on.

        Args:
            client: SkyRL's inference engine client.
            tokenizer: with a chat template.
            params: sampling parameters of the trainer.
            model: how the engine knows the policy.
        """
        self._client, self._tokenizer, self._params, self._model = client, tokenizer, params, model
        self._home = asyncio.get_running_loop()

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,  # noqa: ARG002 - one engine plays both
        sampling: Sampling,  # noqa: ARG002 - the trainer's parameters decide
    ) -> Sequence[Completion | None]:
        """Sample ``n`` completions."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(messages, n), self._home))

    async def close(self) -> None:
        """The client is the trainer's."""

    async def _ask(self, messages: Sequence[Message], n: int) -> list[Completion | None]:
        prompt: list[int] = self._tokenizer.apply_chat_template(
            _chat(messages), add_generation_prompt=True, tokenize=True, return_dict=False
        )
        asked = {"prompt_token_ids": [prompt] * n, "session_ids": None, "sampling_params": self._params}
        said = await self._client.generate(asked, model=self._model)
        return [
            None if why == "abort" else Completion(text=text, token_ids=tuple(ids), finish_reason=_ending(why))
            for text, ids, why in zip(said["responses"], said["response_ids"], said["stop_reasons"], strict=True)
        ]


@cache
def gasp_generator() -> Any:  # noqa: ANN401 - a subclass of SkyRLGymGenerator
    """SkyRL's generator for `get_generator` of its entry point; made on demand, as SkyRL is heavy to import.

    Raises:
        MissingExtra: SkyRL is not installed, or another version.
    """
    require_version("skyrl", at_least="0.4", below="0.5", extra="skyrl")
    module: Any = require("skyrl.train.generators.skyrl_gym_generator", extra="skyrl")

    class GaspGenerator(module.SkyRLGymGenerator):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
        """Lends the trained policy to the environment's probes; drops masked samples from the loss."""

        def _setup_env_extras(self, env_class: str, extras: dict[str, Any], params: Any, trajectory_id: Any) -> Any:  # noqa: ANN401, ARG002
            if env_class != ENV_ID:
                return extras
            if self.env_executor is None:
                raise ConfigError("environment.skyrl_gym.max_env_workers: got 0; expected at least 1, as steps wait")
            policy = ClientPolicy(self.inference_engine_client, self.tokenizer, params, model=self.policy_model_name)
            return extras | {POLICY_KEY: policy}

        def _post_process_agent_loop_output(self, output: Any, extras: Any, trajectory_id: Any) -> Any:  # noqa: ANN401, ARG002
            steps = getattr(output, "step_outputs", None) or [output]
            if steps[-1].env_metrics.get("gasp_masked"):
                for step in steps:
                    step.loss_mask = [0] * len(step.loss_mask)
            return output

    return GaspGenerator


@cache
def _named(name: str) -> Policy:
    return open_policy(name)


def _ending(why: str) -> str:
    return "length" if why == "length" else "stop"


def _chat(messages: Sequence[Message]) -> Chat:
    return [{"role": one.role, "content": one.content} for one in messages]


def _metadata(step: Step) -> dict[str, Any]:
    return {"masked": step.info.get("masked", ""), "episode_id": step.info["episode_id"]}


if ENV_ID not in _registration.registry:
    _registration.register(id=ENV_ID, entry_point=f"{__name__}:GaspTextEnv")
