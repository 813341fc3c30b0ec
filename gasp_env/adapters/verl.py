"""GASP inside verl: the agent loop ``gasp`` plays tickets with the rollout servers; the estimator ``gasp`` trains on them.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --format verl --out tickets.jsonl
    export GASP_RUN=$PWD/runs/first VERL_USE_EXTERNAL_MODULES=gasp_env.adapters.verl
    python -m verl.trainer.main_ppo data.train_files=tickets.jsonl algorithm.adv_estimator=gasp ...

Every agent loop worker joins the run by itself; they share the curriculum through its store. The law of this module: token
ids are those that the server read and sampled; every probe is a request of its own; with the estimator ``gasp`` the reward
is standardised by role, stage and kind, with any other it is raw; what is masked has no trained token and reward 0; each
checkpoint holds its curriculum (``trainer.checkpoint_callback_class=gasp_env.adapters.verl.GaspCheckpoint``).
"""

import asyncio
import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.curriculum import Curriculum
from gasp_env.errors import ConfigError, DataError
from gasp_env.play import (
    Joined,
    Played,
    TokenSpan,
    episode_figures,
    go_to_step,
    join_run,
    read_ticket,
    run_folder,
    save_step,
    trained_tokens,
)
from gasp_env.policy import Completion, Sampling
from gasp_env.store import open_curriculum
from gasp_env.types import Message, Role

__all__ = ("LOOP_NAME", "GaspAgentLoop", "GaspCheckpoint", "ServerPolicy", "gasp_advantages")

require_version("verl", at_least="0.9.1", below="0.10", extra="verl")
_loops: Any = require("verl.experimental.agent_loop.agent_loop", extra="verl")
_algos: Any = require("verl.trainer.ppo.core_algos", extra="verl")
_callbacks: Any = require("verl.trainer.ppo.checkpoint_callback", extra="verl")
logger = logging.getLogger(__name__)

LOOP_NAME = "gasp"
"""Of the agent loop (a row's ``agent_name``) and of the advantage estimator."""


@_loops.register(LOOP_NAME)
class GaspAgentLoop(_loops.AgentLoopBase):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass, reportUntypedClassDecorator]
    """Plays the ticket of one row; verl makes one object a sample."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> Any:  # noqa: ANN401 - AgentLoopOutput
        """Play, settle, and return the trained tokens with their reward.

        Raises:
            DataError: the row holds no ticket.
            ConfigError: ``GASP_RUN`` is not set, or names no run.
        """
        info: dict[str, Any] = row.get("extra_info") or {}
        if "ticket" not in info:
            raise DataError("extra_info.ticket: missing; make the rows with `gasp-env tickets --format verl`")
        ticket = read_ticket(info["ticket"])
        joined = await _join()
        policy = ServerPolicy(self, sampling_params)
        played = await joined.play(ticket, policy=policy)
        before = max(int(row.get("global_steps", 0)) - 1, 0)  # training step n samples with the weights of n - 1
        return self._output(played, joined, before)

    def _output(self, played: Played, joined: Joined, before: int) -> Any:  # noqa: ANN401
        raw = played.result.reward.value
        score, logs = raw or 0.0, episode_figures(played.result.ticket, played.result)
        if raw is not None and self.config.algorithm.adv_estimator == LOOP_NAME:
            score = joined.curriculum.standardise(played.result.baseline_key, raw)
        span = trained_tokens(played.trained) or _silent(int(self.tokenizer.eos_token_id))
        longest = int(self.rollout_config.response_length)
        mask = [0] * len(span.mask) if raw is None else list(span.mask)
        return _loops.AgentLoopOutput(
            prompt_ids=list(span.prompt_ids),
            response_ids=list(span.completion_ids[:longest]),
            response_mask=mask[:longest],
            response_logprobs=list(span.logprobs[:longest]) if self._knows_logprobs(played) else None,
            reward_score=score,
            num_turns=2 * span.turns,
            metrics=_loops.AgentLoopMetrics(),
            extra_fields={"turn_scores": [], "tool_rewards": [], "reward_extra_info": logs} | _weights(played, before),
        )

    def _knows_logprobs(self, played: Played) -> bool:
        """Zeros in place of what the server did not say would be trained as certainty."""
        said = all(one.logprobs for _, one in played.trained if one.token_ids)
        return said and bool(self.rollout_config.calculate_log_probs)


class ServerPolicy:
    """Samples from verl's rollout servers with the trained weights."""

    def __init__(self, loop: Any, params: dict[str, Any]) -> None:  # noqa: ANN401
        """Hold the agent loop, whose tokenizer and servers are used, and the trainer's sampling parameters."""
        self._loop, self._params = loop, params

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,  # noqa: ARG002 - one model plays both
        sampling: Sampling,  # noqa: ARG002 - the trainer's parameters decide
    ) -> Sequence[Completion | None]:
        """Sample ``n`` completions."""
        chat = [{"role": one.role, "content": one.content} for one in messages]
        prompt: list[int] = await self._loop.ct_build_initial_tokens(chat)
        return await asyncio.gather(*(self._sample(prompt) for _ in range(n)))

    async def close(self) -> None:
        """The servers are the trainer's."""

    async def _sample(self, prompt: list[int]) -> Completion | None:
        said: Any = await self._loop.server_manager.generate(
            request_id=uuid.uuid4().hex,  # servers are sticky by request
            prompt_ids=prompt,
            sampling_params=dict(self._params),
        )
        if said.stop_reason in ("aborted", "abort"):
            return None
        ids = tuple(int(one) for one in said.token_ids)
        return Completion(
            text=self._loop.tokenizer.decode(ids, skip_special_tokens=True),
            token_ids=ids,
            logprobs=tuple(float(one) for one in said.log_probs) if said.log_probs else None,
            prompt_ids=tuple(prompt),
            finish_reason="length" if said.stop_reason == "length" or self._is_cut(ids, len(prompt)) else "stop",
            policy_version=_version(said.extra_fields),
        )

    def _is_cut(self, ids: Sequence[int], read: int) -> bool:
        """The vLLM server says ``completed`` of what was cut off, too."""
        rollout = self._loop.rollout_config
        longest = int(self._params.get("max_tokens", rollout.response_length))
        if rollout.get("max_model_len"):
            longest = min(longest, int(rollout.max_model_len) - read)
        return len(ids) >= longest and ids[-1:] != (self._loop.tokenizer.eos_token_id,)


@_algos.register_adv_est(LOOP_NAME)  # type: ignore[untyped-decorator]
def gasp_advantages(
    token_level_rewards: Any,  # noqa: ANN401 - tensor of samples x tokens
    response_mask: Any,  # noqa: ANN401
    **_: object,
) -> tuple[Any, Any]:
    """Task-relative REINFORCE++: the agent loop has standardised each reward; every trained token gets it.

    Returns:
        Advantages and returns, samples x tokens.
    """
    advantages = token_level_rewards.sum(dim=-1, keepdim=True) * response_mask
    return advantages, advantages


class GaspCheckpoint(_callbacks.CheckpointCallback):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Saves the curriculum with every checkpoint; takes it back to the step that training goes on from.

    verl makes it in the trainer's process before anything is played.
    """

    def __init__(self, config: Any = None) -> None:  # noqa: ANN401 - the whole configuration
        """Go to the curriculum of the step that verl goes on from; a start from scratch goes to the run's beginning.

        Raises:
            ConfigError: ``GASP_RUN`` is not set, or names no run; ``trainer.resume_from_path`` names no checkpoint.
            DataError: neither the store nor the checkpoint holds the curriculum of that step.
        """
        self.config, self._run = config, run_folder()
        if config.trainer.val_only:
            return
        folder = _resumed(config.trainer)
        step = _step(folder)
        with self._curriculum() as curriculum:
            go_to_step(curriculum, step, folder)
            logger.info("step %d: the curriculum holds %d settled episodes", step, len(curriculum.state.settled))

    def on_save(self, trainer: Any, global_step: int, checkpoint_dir: str, **_: object) -> None:  # noqa: ANN401
        """Mark the curriculum of this step, put it into the checkpoint, and its figures into the trainer's log."""
        with self._curriculum() as curriculum:
            save_step(curriculum, global_step, Path(checkpoint_dir))
            figures = {f"gasp/{name}": value for name, value in curriculum.metrics().items()}
        trainer.logger.log(data=figures, step=global_step)

    def _curriculum(self) -> Curriculum:
        found = open_curriculum(self._run.store_url, self._run.manifest.config)
        found.add_goalposts(self._run.goalposts())
        return found


def _resumed(trainer: Any) -> Path | None:  # noqa: ANN401
    """The checkpoint that verl goes on from, found as verl finds it; None: from scratch."""
    if trainer.resume_mode == "disable":
        return None
    if trainer.resume_mode == "resume_path":
        return Path(str(trainer.resume_from_path))
    checkpoints = require("verl.utils.checkpoint.checkpoint_manager", extra="verl")
    found = checkpoints.find_latest_ckpt_path(str(Path(trainer.default_local_dir).absolute()))
    return None if found is None else Path(found)


def _step(folder: Path | None) -> int:
    if folder is None:
        return 0
    number = folder.name.removeprefix("global_step_")
    if not number.isdecimal():
        raise ConfigError(f"trainer.resume_from_path: {str(folder)!r} is no checkpoint; expected .../global_step_N")
    return int(number)


_joined: dict[tuple[int, int], "asyncio.Task[Joined]"] = {}
"""By process and event loop."""


async def _join() -> Joined:
    key = os.getpid(), id(asyncio.get_running_loop())
    if key not in _joined:
        _joined[key] = asyncio.ensure_future(join_run())
        _joined[key].add_done_callback(lambda task: _joined.pop(key) if task.cancelled() or task.exception() else None)
    return await asyncio.shield(_joined[key])


def _silent(token: int) -> TokenSpan:
    """Stands where nothing was sampled."""
    return TokenSpan(prompt_ids=(token,), completion_ids=(token,), logprobs=(0.0,), mask=(0,), turns=0)


def _version(fields: dict[str, Any]) -> str | None:
    """The step whose weights sampled, or the first and the last where they changed on the way."""
    first, last = fields.get("min_global_steps"), fields.get("max_global_steps")
    if first is None or last is None:
        return None
    return str(last) if first == last else f"{first}-{last}"


def _weights(played: Played, before: int) -> dict[str, int]:
    """Of which steps the weights were that sampled what is trained; ``before`` where no server said it."""
    said = [one.policy_version for _, one in played.trained if one.policy_version]
    steps = [int(step) for version in said for step in version.split("-")] or [before]
    return {"min_global_steps": min(steps), "max_global_steps": max(steps)}
