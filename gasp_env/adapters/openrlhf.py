r"""GASP inside OpenRLHF: an `AgentExecutor` that plays tickets with the rollout engine, and a reward function.

    gasp-env tickets --run runs/first --goalposts hard.jsonl --format openrlhf --out tickets.jsonl
    GASP_RUN=runs/first python -m openrlhf.cli.train_ppo_ray --train.agent_func_path "$(gasp-env path openrlhf)" \
        --data.prompt_dataset tickets.jsonl --data.input_key prompt --data.label_key label ...

OpenRLHF makes one executor in each engine actor and awaits it once a sample; all of them share the curriculum through its
store. The law of this module: the shared sampling parameters are never changed; token ids are those that the engine read
and sampled; ``reward`` is standardised by role, stage and kind, ``scores`` is raw; what an infrastructure fault touched has
the reward 0 after standardising, which is the mean of its role, stage and kind (OpenRLHF can't drop one sample of a group).
"""

import asyncio
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.errors import PolicyError
from gasp_env.play import Joined, Played, join_run, process_run, read_ticket, trained_tokens
from gasp_env.policy import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = ("LOG_KEYS", "AgentExecutor", "EnginePolicy", "reward_func")

require_version("openrlhf", at_least="0.11.2", below="0.12", extra="openrlhf")
_agent: Any = require("openrlhf.utils.agent", extra="openrlhf")

LOG_KEYS = (
    "gasp_reward",
    "gasp_teacher",
    "gasp_accepted",
    "gasp_solve_rate",
    "gasp_solved",
    "gasp_masked",
    "gasp_probes",
)
"""Of ``extra_logs``; the same in every sample, as OpenRLHF averages each key over those that have it."""
Trajectory = dict[str, Any]


class EnginePolicy:
    """Samples from OpenRLHF's rollout engine with the trainer's current weights."""

    def __init__(self, engine: Any, tokenizer: Any, sampling_params: Any, max_length: int) -> None:  # noqa: ANN401
        """Hold what `execute` was given.

        Args:
            engine: has ``await generate(token_ids, sampling_params, multi_modal_data=None)``.
            tokenizer: with a chat template.
            sampling_params: of the trainer; copied for every call.
            max_length: tokens of prompt and completion together.
        """
        self._engine, self._tokenizer = engine, tokenizer
        self._params, self._max_length = sampling_params, max_length

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,  # noqa: ARG002 - one engine plays both
        sampling: Sampling,  # noqa: ARG002 - the trainer's parameters decide
    ) -> Sequence[Completion | None]:
        """Sample ``n`` completions.

        Raises:
            PolicyError: the prompt leaves no room for an answer.
        """
        chat = [{"role": one.role, "content": one.content} for one in messages]
        prompt = list(
            self._tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, return_dict=False)
        )
        room = self._max_length - len(prompt)
        if room < 1:
            raise PolicyError(f"the prompt has {len(prompt)} tokens, --data.max_len is {self._max_length}; raise it")
        return await asyncio.gather(*(self._sample(prompt, room) for _ in range(n)))

    async def close(self) -> None:
        """The engine is the trainer's."""

    async def _sample(self, prompt: list[int], room: int) -> Completion:
        params = deepcopy(self._params)
        params.max_tokens = min(room, params.max_tokens or room)
        done = (await self._engine.generate(prompt, params, multi_modal_data=None)).outputs[0]
        ids = tuple(int(one) for one in done.token_ids)
        logprobs = None
        if params.logprobs is not None and done.logprobs is not None:
            logprobs = tuple(float(row[one].logprob) for one, row in zip(ids, done.logprobs, strict=True))
        return Completion(
            text=self._tokenizer.decode(ids, skip_special_tokens=True),
            token_ids=ids,
            logprobs=logprobs,
            prompt_ids=tuple(prompt),
            finish_reason="length" if done.finish_reason == "length" else "stop",
        )


class AgentExecutor(_agent.AgentExecutorBase):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """What ``--train.agent_func_path`` loads; joins the run that ``GASP_RUN`` names at the first sample."""

    def __init__(self) -> None:
        """Nothing is opened yet: the event loop is not running."""
        self._joined: Joined | None = None
        self._opening = asyncio.Lock()

    async def execute(  # noqa: PLR0913, PLR0917 - OpenRLHF's signature
        self,
        prompt: str,
        label: str,
        sampling_params: Any,  # noqa: ANN401
        max_length: int,
        hf_tokenizer: Any,  # noqa: ANN401
        llm_engine: Any,  # noqa: ANN401
        images: Any = None,  # noqa: ANN401
    ) -> Trajectory:
        """Play the ticket in ``label``.

        Raises:
            DataError: the label is no ticket.
            ConfigError: ``GASP_RUN`` is not set, or names no run.
        """
        ticket = read_ticket(label)
        joined = await self._join()
        policy = EnginePolicy(llm_engine, hf_tokenizer, sampling_params, max_length)
        played = await joined.play(ticket, policy=policy)
        shown = {"prompt": prompt, "label": label, "images": images, "mm_train_inputs": None}
        wants = sampling_params.logprobs is not None
        return shown | _tokens(played, hf_tokenizer, logprobs=wants) | _rewards(played, joined)

    async def close(self) -> None:
        """Leave the run; OpenRLHF never calls it, the processes end with the actor."""
        if self._joined is not None:
            await self._joined.close()
            self._joined = None

    async def _join(self) -> Joined:
        async with self._opening:
            if self._joined is None:
                self._joined = await join_run()
            return self._joined


def _tokens(played: Played, tokenizer: Any, *, logprobs: bool) -> Trajectory:  # noqa: ANN401
    span = trained_tokens(played.trained)
    if span is None:  # nothing was sampled: one token, and its reward is the mean
        nothing = int(tokenizer.eos_token_id)
        return {
            "observation_tokens": [nothing, nothing],
            "action_ranges": [(1, 2)],
            "rollout_log_probs": [0.0, 0.0] if logprobs else None,
            "truncated": False,
        }
    start = len(span.prompt_ids)
    return {
        "observation_tokens": [*span.prompt_ids, *span.completion_ids],
        "action_ranges": _ranges(span.mask, start),
        "rollout_log_probs": [0.0] * start + list(span.logprobs) if logprobs else None,
        "truncated": played.trained[-1][1].finish_reason == "length",
    }


def _ranges(mask: Sequence[int], start: int) -> list[tuple[int, int]]:
    """Runs of ones as half-open ranges, shifted by ``start``."""
    edges = [at for at, (before, now) in enumerate(zip((0, *mask), (*mask, 0), strict=True)) if before != now]
    return [(start + first, start + end) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _rewards(played: Played, joined: Joined) -> Trajectory:
    result = played.result
    raw, solved = result.reward.value, [one.solved for one in result.attempts[-1:]]
    teacher = result.role is Role.TEACHER
    standard = 0.0 if raw is None else joined.curriculum.standardise(result.baseline_key, raw)
    values = (
        raw or 0.0,
        teacher,
        result.accepted,
        result.solve_rate.value if result.solve_rate and result.solve_rate.n else 0.0,
        not teacher and solved == [True],
        raw is None,
        len(result.attempts) if teacher else 0,
    )
    logs = {key: float(value) for key, value in zip(LOG_KEYS, values, strict=True)}
    return {"reward": standard, "scores": _score(raw, teacher=teacher, solved=solved == [True]), "extra_logs": logs}


def _score(raw: float | None, *, teacher: bool, solved: bool) -> float:
    """For dynamic filtering, which drops groups whose mean score leaves (0, 1).

    A student's group is dropped when all or none of it is solved; a teacher's never, because its rewards differ even when every
    proposal is refused.
    """
    if raw is None:
        return 0.5
    if teacher:
        return min(0.99, max(0.01, (raw + 1) / 2))
    return float(solved)


_LONGEST_TOKEN = 44
_ENDING = re.compile(r"(?:<[|\uff5c][^<>|\uff5c]{1,40}[|\uff5c]>|</s>|<(?:eos|pad|end_of_turn)>)\Z")
"""A special token behind a completion; OpenRLHF decodes queries with them."""


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> list[Trajectory]:
    """OpenRLHF's ``reward_func`` (``--reward.remote_url FILE.py``): grade what its own executor sampled, for RLVR.

    OpenRLHF calls it from several threads at once.

    Args:
        queries: prompt and completion as text.
        prompts: the prompts, as ``gasp-env tickets --format openrlhf-reward`` wrote them.
        labels: tickets of stage ``real``.

    Returns:
        ``rewards``, ``scores`` and ``extra_logs`` of each query.
    """
    loop, joined = process_run()
    found: list[Trajectory] = []
    for query, prompt, label in zip(queries, prompts, labels, strict=True):
        policy = _Said(_without_endings(query.removeprefix(prompt)))
        told = _rewards(loop.run(joined.play(read_ticket(label), policy=policy)), joined)
        found.append({"rewards": told["reward"], "scores": told["scores"], "extra_logs": told["extra_logs"]})
    return found


def _without_endings(text: str) -> str:
    """Linear in the text, which is a model's."""
    end = len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        found = _ENDING.search(text, max(0, end - _LONGEST_TOKEN), end)
        if found is None:
            return text[:end]
        end = found.start()


class _Said:
    """A policy that said one thing already."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def generate(
        self,
        messages: Sequence[Message],  # noqa: ARG002
        *,
        n: int,
        role: Role,  # noqa: ARG002
        sampling: Sampling,  # noqa: ARG002
    ) -> Sequence[Completion | None]:
        return [Completion(text=self._text)] * n

    async def close(self) -> None:
        """Nothing to free."""
