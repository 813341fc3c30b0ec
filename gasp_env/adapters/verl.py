"""GASP inside verl: the agent loop ``gasp`` plays tickets with the rollout servers; the estimator ``gasp`` trains on them.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --format verl --out tickets.jsonl
    export GASP_RUN=$PWD/runs/first VERL_USE_EXTERNAL_MODULES=gasp_env.adapters.verl
    python -m verl.trainer.main_ppo data.train_files=tickets.jsonl algorithm.adv_estimator=gasp ...

Every agent loop worker joins the run by itself; they share the curriculum through its store. The law of this module: token
ids are those that the server read and sampled; every probe is a request of its own; with the estimator ``gasp`` the reward
is standardised by role, stage and kind, with any other it is raw; what is masked has no trained token and reward 0.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.errors import DataError
from gasp_env.play import Joined, Played, TokenSpan, episode_figures, join_run, read_ticket, trained_tokens
from gasp_env.policy import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = ("LOOP_NAME", "GaspAgentLoop", "ServerPolicy", "gasp_advantages")

require_version("verl", at_least="0.9.1", below="0.10", extra="verl")
_loops: Any = require("verl.experimental.agent_loop.agent_loop", extra="verl")
_algos: Any = require("verl.trainer.ppo.core_algos", extra="verl")

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
        return self._output(played, joined)

    def _output(self, played: Played, joined: Joined) -> Any:  # noqa: ANN401
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
            response_logprobs=list(span.logprobs[:longest]),
            reward_score=score,
            num_turns=2 * span.turns,
            metrics=_loops.AgentLoopMetrics(),
            extra_fields={"turn_scores": [], "tool_rewards": [], "reward_extra_info": logs},
        )


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
        if said.stop_reason == "aborted":
            return None
        ids = tuple(int(one) for one in said.token_ids)
        return Completion(
            text=self._loop.tokenizer.decode(ids, skip_special_tokens=True),
            token_ids=ids,
            logprobs=tuple(float(one) for one in said.log_probs) if said.log_probs else None,
            prompt_ids=tuple(prompt),
            policy_version=_version(said.extra_fields),
        )


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
    step = fields.get("max_global_steps")
    return None if step is None else str(step)
