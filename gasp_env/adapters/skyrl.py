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
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import Curriculum
from gasp_env.errors import ConfigError, DataError
from gasp_env.play import (
    Step,
    StepRun,
    episode_figures,
    go_to_step,
    new_messages,
    read_ticket,
    run_folder,
    save_step,
)
from gasp_env.policy import Completion, Policy, Sampling, open_policy
from gasp_env.store import open_curriculum
from gasp_env.types import EpisodeResult, Message, Role

__all__ = ("ENV_ID", "ClientPolicy", "GaspTextEnv", "Nobody", "gasp_generator", "gasp_trainer")

require_version("skyrl-gym", at_least="0.4", below="0.5", extra="skyrl")
_gym: Any = require("skyrl_gym", extra="skyrl")
_registration: Any = require("skyrl_gym.envs.registration", extra="skyrl")
_base: Any = require("skyrl_gym.envs.base_text_env", extra="skyrl")

ENV_ID = "gasp"
"""Of both roles; the ticket says which one plays."""
POLICY_KEY = "gasp_policy"
"""In the extras of an environment: who answers probes."""
ENDINGS_KEY = "gasp_endings"
"""In the extras: special tokens, which SkyRL leaves at the end of an answer's text."""
FITS_KEY = "gasp_fits"
"""In the extras: says whether a prompt leaves the engine room."""
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
        self._endings: tuple[str, ...] = tuple(row.get(ENDINGS_KEY) or ())
        self._fits: Callable[[Chat], bool] = row.get(FITS_KEY) or (lambda _: True)
        self._lost = False
        self._result: EpisodeResult | None = None
        named = settings.get("probes") or os.environ.get(PROBES_VARIABLE)
        prober: Policy = row.get(POLICY_KEY) or (_named(named) if named else Nobody())
        self._run = StepRun(settings.get("run"), probes=prober)

    def init(self, prompt: Chat) -> tuple[Chat, dict[str, Any]]:
        """The prompt of the ticket; the row's placeholder where that is too long, and the episode is then masked."""
        step = self._run.reset(self._ticket)
        self._said = step.messages or ()
        chat = _chat(self._said)
        self._lost = not self._fits(chat)
        return prompt if self._lost else chat, dict(step.info)

    def step(self, action: str) -> Any:  # noqa: ANN401 - BaseTextEnvStepOutput
        """Take an answer; ends the episode, or asks for another turn where the rules allow one."""
        step = self._run.step(None if self._lost else _without(action, self._endings))
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

    def __init__(self, generator: Any, params: dict[str, Any] | None) -> None:  # noqa: ANN401
        """Call on the event loop that the generator's client lives on.

        Args:
            generator: SkyRL's; its client, tokenizer, template options and cache salt are those of the trained turns.
            params: sampling parameters of the trainer.
        """
        self._generator, self._params = generator, params
        self._salt: str | None = generator._compute_cache_salt()  # noqa: SLF001 - as its own requests are salted
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
        asked = {
            "prompt_token_ids": [_tokens(self._generator, _chat(messages))] * n,
            "session_ids": None,
            "sampling_params": self._params,
            "cache_salt": self._salt,
        }
        client, decode = self._generator.inference_engine_client, self._generator.tokenizer.decode
        said = await client.generate(asked, model=self._generator.policy_model_name)
        return [
            None
            if why == "abort"
            else Completion(
                text=decode(ids, skip_special_tokens=True), token_ids=tuple(ids), finish_reason=_ending(why)
            )
            for ids, why in zip(said["response_ids"], said["stop_reasons"], strict=True)
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
            endings: tuple[str, ...] = tuple(self.tokenizer.all_special_tokens)
            mine = {POLICY_KEY: ClientPolicy(self, params), ENDINGS_KEY: endings, FITS_KEY: self._fits}
            return extras | mine

        def _fits(self, chat: Chat) -> bool:
            return len(_tokens(self, chat)) <= int(self.generator_cfg.max_input_length)

        def _post_process_agent_loop_output(self, output: Any, extras: Any, trajectory_id: Any) -> Any:  # noqa: ANN401, ARG002
            steps = getattr(output, "step_outputs", None) or [output]
            if steps[-1].env_metrics.get("gasp_masked"):
                for step in steps:
                    step.loss_mask = [0] * len(step.loss_mask)
            return output

    return GaspGenerator


@cache
def gasp_trainer(base: Any) -> Any:  # noqa: ANN401 - a subclass of RayPPOTrainer
    """SkyRL's trainer with the curriculum of `GASP_RUN` in its checkpoints, for `get_trainer` of its entry point.

    Args:
        base: the trainer's class, `RayPPOTrainer` or one made of it.
    """

    class GaspTrainer(base):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
        """Saves the curriculum with every checkpoint; goes back to it when training goes on from one."""

        def save_checkpoints(self) -> Any:  # noqa: ANN401
            plain: Any = super()
            folder: str = plain.save_checkpoints()
            with _curriculum() as curriculum:
                save_step(curriculum, int(self.global_step), Path(folder))
            return folder

        def load_checkpoints(self) -> Any:  # noqa: ANN401
            plain: Any = super()
            step, folder = plain.load_checkpoints()
            with _curriculum() as curriculum:
                go_to_step(curriculum, int(step), Path(folder) if folder else None)
            return step, folder

    return GaspTrainer


def _curriculum() -> Curriculum:
    run = run_folder()
    return open_curriculum(run.store_url, run.manifest.config)


def _tokens(generator: Any, chat: Chat) -> list[int]:  # noqa: ANN401
    """A prompt as SkyRL's generator makes it."""
    options: dict[str, Any] = dict(generator.generator_cfg.chat_template_kwargs)
    found: list[int] = generator.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=False, **options
    )
    return found


def _without(text: str, endings: Sequence[str]) -> str:
    """Text before the special tokens that it ends in."""
    end = len(text)
    while True:
        last = next((one for one in endings if one and text.endswith(one, 0, end)), "")
        if not last:
            return text[:end]
        end -= len(last)


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
