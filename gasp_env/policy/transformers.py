"""A Hugging Face model in this process as a policy.

The law of this module: requests of many tasks share batches, and what a request gets does not depend on its company
(see `gasp_env.policy.decode`). Token ids and log-probabilities are those that were sampled; text is only decoded from them.
"""

import asyncio
import inspect
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gasp_env._optional import require
from gasp_env.errors import ConfigError, PolicyError
from gasp_env.policy.batcher import Batcher
from gasp_env.policy.checks import check_call
from gasp_env.policy.decode import Decoder, Row, make_rows
from gasp_env.policy.protocol import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = ("TransformersPolicy", "load_transformers")


class TransformersPolicy:
    """Samples from a model in this process.

    With a seed, a call's completions are the same in any company, up to rounding (`gasp_env.policy.decode`). Text is
    decoded without special tokens; ``token_ids`` keep them, the stop token included, which is what a trainer needs.
    Log-probabilities are those of the distribution that was drawn from, after temperature and top-p; of the model
    itself where it is greedy.

    Attributes:
        policy_version: stamped on completions; set it when the weights change.
        template_options: passed on to the tokenizer's chat template, e.g. ``{"enable_thinking": False}``.
        context: tokens that prompt and completion may have together; None: not known.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        tokenizer: Any,  # noqa: ANN401
        *,
        device: str | None = None,
        dtype: Any = None,  # noqa: ANN401
        max_batch: int = 64,
        batch_tokens: int = 131_072,
    ) -> None:
        """Take a model and its tokenizer.

        Args:
            model: ``AutoModelForCausalLM`` or alike; a trainer's own model may be given.
            tokenizer: with a chat template.
            device: move the model there, e.g. ``cuda``; None leaves it where it is.
            dtype: cast the model, e.g. ``torch.bfloat16`` or its name; None leaves it.
            max_batch: completions sampled at once, at most.
            batch_tokens: bound on completions at once times (prompt + new tokens): the memory of the attention cache.

        Raises:
            ConfigError: a bound below 1, an unknown dtype, or a tokenizer that can't format a chat.
            MissingExtra: torch is not installed.
        """
        for name, value in (("max_batch", max_batch), ("batch_tokens", batch_tokens)):
            if value < 1:
                raise ConfigError(f"{name}: got {value}; expected at least 1")
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError("tokenizer: has no chat template; set tokenizer.chat_template, or take an instruct model")
        if device is not None or dtype is not None:
            model.to(device=device, dtype=_dtype(dtype))
        self.model, self.tokenizer = model, tokenizer
        self.policy_version: str | None = None
        self.template_options: dict[str, Any] = {}
        self.context = _context(model)
        decoder = Decoder(model, stop_ids=_stop_ids(model, tokenizer), pad_id=tokenizer.pad_token_id or 0)
        self._batcher = Batcher(decoder.decode, max_rows=max_batch, max_tokens=batch_tokens)
        self._tokenizing = threading.Lock()  # a fast tokenizer can't be used from two threads at once

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,  # noqa: ARG002 - one model plays both
        sampling: Sampling,
    ) -> Sequence[Completion | None]:
        """Sample ``n`` completions; limited to what fits the model's context.

        Raises:
            PolicyError: the prompt does not fit, the chat template refuses it, or the model failed.
            ConfigError: sampling settings out of range.
        """
        check_call(n, sampling)
        if not n:
            return []
        prompt = self.encode(messages)
        dropped, version = threading.Event(), self.policy_version
        rows = make_rows(prompt, n, sampling, max_new=self._room(prompt, sampling), dropped=dropped)
        try:
            await asyncio.wrap_future(self._batcher.submit(rows))
        except asyncio.CancelledError:
            dropped.set()
            raise
        return [self._completion(row, version) for row in rows]

    def encode(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Token ids of a chat, ready to be answered.

        Control tokens that a message spells out are read as plain text where transformers can do that, so that a
        proposal can't forge a turn.

        Raises:
            PolicyError: the chat template refuses these messages.
        """
        jinja: Any = require("jinja2", extra="transformers")
        call = self.tokenizer.apply_chat_template
        options: dict[str, Any] = {"add_generation_prompt": True, "return_dict": False, **self.template_options}
        if "sanitize_control_tokens" in inspect.signature(call).parameters:
            options.setdefault("sanitize_control_tokens", True)
        try:
            with self._tokenizing:
                ids = call([{"role": one.role, "content": one.content} for one in messages], tokenize=True, **options)
        except (jinja.TemplateError, ValueError) as error:
            roles = ", ".join(one.role for one in messages)
            raise PolicyError(f"the model's chat template refuses messages of {roles}: {error}") from error
        return tuple(ids)

    async def close(self) -> None:
        """Stop sampling; who still waits gets a `PolicyError`."""
        await asyncio.to_thread(self._batcher.close)

    def _room(self, prompt: Sequence[int], sampling: Sampling) -> int:
        room = sampling.max_tokens if self.context is None else self.context - len(prompt)
        if room < 1:
            raise PolicyError(
                f"the prompt has {len(prompt)} tokens and the model's context holds {self.context}, prompt and answer "
                "together; take shorter goalposts, fewer visible tests or a model with more context"
            )
        return min(room, sampling.max_tokens)

    def _completion(self, row: Row, version: str | None) -> Completion:
        with self._tokenizing:
            text = self.tokenizer.decode(row.token_ids, skip_special_tokens=True)
        return Completion(
            text=text,
            token_ids=tuple(row.token_ids),
            logprobs=tuple(row.logprobs),
            prompt_ids=row.prompt_ids,
            finish_reason=row.finish_reason,
            policy_version=version,
        )


def load_transformers(
    name_or_path: str | Path,
    *,
    device: str = "cpu",
    dtype: Any = "auto",  # noqa: ANN401
    max_batch: int = 64,
    batch_tokens: int = 131_072,
) -> TransformersPolicy:
    """Load a model and its tokenizer from a folder or by its Hugging Face name.

    Raises:
        MissingExtra: transformers is not installed.
        PolicyError: no such model, or it can't be read.
        ConfigError: see `TransformersPolicy`.
    """
    hub: Any = require("transformers", extra="transformers")
    name = str(name_or_path)
    try:
        tokenizer = hub.AutoTokenizer.from_pretrained(name)
        model = hub.AutoModelForCausalLM.from_pretrained(name, dtype=_dtype(dtype))
    except (OSError, ValueError) as error:
        raise PolicyError(
            f"model {name!r} can't be loaded: {str(error).splitlines()[0]}; name a folder with config.json, tokenizer "
            "and weights, or a Hugging Face model that can be downloaded from here"
        ) from error
    return TransformersPolicy(model, tokenizer, device=device, max_batch=max_batch, batch_tokens=batch_tokens)


def _dtype(dtype: Any) -> Any:  # noqa: ANN401
    if not isinstance(dtype, str) or dtype == "auto":
        return dtype
    found = getattr(require("torch", extra="transformers"), dtype, None)
    if found is None:
        raise ConfigError(f"dtype: got {dtype!r}; expected float32, bfloat16 or float16")
    return found


def _context(model: Any) -> int | None:  # noqa: ANN401
    config = model.config.get_text_config()
    found = getattr(config, "max_position_embeddings", None)
    return int(found) if found else None


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:  # noqa: ANN401
    settings = getattr(model, "generation_config", None)
    named: list[Any] = [getattr(settings, "eos_token_id", None), tokenizer.eos_token_id]
    flat: list[Any] = []
    for entry in named:
        flat += entry if isinstance(entry, list) else [entry]
    return frozenset(int(one) for one in flat if one is not None)
