"""Sampling many rows from one causal language model in one batch: the loop below `TransformersPolicy`.

The law of this module: every row draws from its own random stream, so what a row becomes does not depend on the rows that
happen to share its batch (but for a draw that falls within rounding error of the border between two tokens). Prompts that
are equal are read once; rows that ended leave the batch at once.
"""

import inspect
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import compress
from random import Random, SystemRandom
from threading import Event
from typing import Any

from gasp_env._optional import require
from gasp_env.errors import PolicyError
from gasp_env.policy.protocol import Sampling

__all__ = ("Decoder", "Row", "make_rows")


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """One completion in the making."""

    prompt_ids: tuple[int, ...]
    max_new: int
    """Upper limit of new tokens, at least 1."""
    temperature: float
    """0 takes the likeliest token."""
    top_p: float
    seed: str
    """Of the row's own random stream."""
    dropped: Event
    """Set when nobody waits for the row any more."""
    token_ids: list[int] = field(default_factory=list[int])
    """What was sampled, the stop token included."""
    logprobs: list[float] = field(default_factory=list[float])
    """Natural logarithm of each token's probability, see `Decoder.decode`."""
    finish_reason: str = "length"
    rng: Random = field(default_factory=Random)

    def restart(self) -> None:
        """Forget what was sampled; a batch that did not fit the memory is sampled again."""
        self.token_ids, self.logprobs, self.finish_reason = [], [], "length"
        self.rng = Random(self.seed)  # noqa: S311 - sampling, not secrets


def make_rows(prompt_ids: Sequence[int], n: int, sampling: Sampling, *, max_new: int, dropped: Event) -> list[Row]:
    """Rows for ``n`` samples of one prompt.

    The stream of a row is seeded from the seed, the prompt and the row's number, so the first of eight samples equals the
    only one of a call for one, and two prompts under one seed are independent.
    """
    seed = SystemRandom().getrandbits(64) if sampling.seed is None else sampling.seed
    prompt = tuple(prompt_ids)
    digest = sha256(repr(prompt).encode()).hexdigest()
    return [
        Row(
            prompt_ids=prompt,
            max_new=max_new,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=f"{seed}/{digest}/{number}",
            dropped=dropped,
        )
        for number in range(n)
    ]


class Decoder:
    """Runs a Hugging Face causal language model over batches of rows. One thread at a time."""

    def __init__(self, model: Any, *, stop_ids: frozenset[int], pad_id: int) -> None:  # noqa: ANN401
        """Hold the model where it is.

        Args:
            model: anything that is called as ``AutoModelForCausalLM`` is.
            stop_ids: tokens that end a completion.
            pad_id: fills the left of shorter prompts; masked out.
        """
        self._torch: Any = require("torch", extra="transformers")
        self._model, self._stop_ids, self._pad_id = model, stop_ids, pad_id
        names = inspect.signature(model.forward).parameters
        open_ended = any(one.kind is one.VAR_KEYWORD for one in names.values())
        self._takes_positions = open_ended or "position_ids" in names
        self._last_only: dict[str, int] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}

    def decode(self, rows: Sequence[Row]) -> None:
        """Sample every row to its end, in place.

        Log-probabilities are those of the distribution that was drawn from: after temperature and top-p, renormalised.
        For greedy rows, whose distribution would be a single point, they are the model's own (temperature 1).

        Raises:
            PolicyError: the model's output is not a number.
        """
        for row in rows:
            row.restart()
        with self._torch.inference_mode(), _evaluating(self._model):
            state, logits = self._read_prompts(rows)
            while True:
                alive = self._draw(state, logits)
                if not any(alive):
                    return
                if not all(alive):
                    state.keep(self._index(list(compress(range(len(alive)), alive))), alive)
                logits = self._step(state)

    def _index(self, values: object) -> Any:  # noqa: ANN401
        return self._torch.tensor(values, dtype=self._torch.long, device=self._model.device)

    def _read_prompts(self, rows: Sequence[Row]) -> "tuple[_State, Any]":
        prompts = list(dict.fromkeys(row.prompt_ids for row in rows))
        width = max(map(len, prompts))
        ids = self._index([[self._pad_id] * (width - len(one)) + list(one) for one in prompts])
        mask = self._index([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
        out = self._call(ids, mask, (mask.cumsum(1) - 1).clamp(min=0), None)
        place = {prompt: number for number, prompt in enumerate(prompts)}
        pick = self._index([place[row.prompt_ids] for row in rows])
        positions = self._index([[len(row.prompt_ids) - 1] for row in rows])
        out.past_key_values.batch_select_indices(pick)
        return _State(list(rows), out.past_key_values, mask[pick], positions), out.logits[:, -1][pick]

    def _step(self, state: "_State") -> Any:  # noqa: ANN401
        torch = self._torch
        state.mask = torch.cat([state.mask, state.mask.new_ones((len(state.rows), 1))], dim=1)
        state.positions = state.positions + 1
        tokens = self._index([row.token_ids[-1:] for row in state.rows])
        out = self._call(tokens, state.mask, state.positions, state.cache)
        state.cache = out.past_key_values
        return out.logits[:, -1]

    def _call(self, ids: Any, mask: Any, positions: Any, cache: Any) -> Any:  # noqa: ANN401
        more: dict[str, Any] = dict(self._last_only)
        if self._takes_positions:
            more["position_ids"] = positions
        return self._model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)

    def _draw(self, state: "_State", logits: Any) -> list[bool]:  # noqa: ANN401
        """Append one token to each row; says which rows go on."""
        tokens, logprobs = self._choose(state.rows, logits)
        for row, token, logprob in zip(state.rows, tokens, logprobs, strict=True):
            if math.isnan(logprob):
                raise PolicyError("the model's scores are not numbers (NaN); check its weights and dtype (try float32)")
            row.token_ids.append(token)
            row.logprobs.append(logprob)
            if token in self._stop_ids:
                row.finish_reason = "stop"
        return [self._goes_on(row) for row in state.rows]

    def _goes_on(self, row: Row) -> bool:
        return row.finish_reason == "length" and len(row.token_ids) < row.max_new and not row.dropped.is_set()

    def _choose(self, rows: Sequence[Row], logits: Any) -> tuple[list[int], list[float]]:  # noqa: ANN401
        """By inverting the cumulative distribution at one uniform number a row."""
        torch = self._torch
        heat = self._real([row.temperature or 1.0 for row in rows])
        scores = torch.log_softmax(logits.float() / heat[:, None], dim=-1)
        if any(row.top_p < 1 and row.temperature for row in rows):
            scores = self._nucleus(scores, self._real([row.top_p if row.temperature else 1.0 for row in rows]))
        heaps = scores.to(self._wide).exp().cumsum(-1)
        draws = self._real([row.rng.random() for row in rows], self._wide)[:, None] * heaps[:, -1:]
        chosen = torch.searchsorted(heaps, draws, right=True).clamp(max=heaps.shape[-1] - 1)
        greedy = self._index([[0 if row.temperature else 1] for row in rows]).bool()
        chosen = torch.where(greedy, scores.argmax(-1, keepdim=True), chosen)
        return chosen[:, 0].tolist(), scores.gather(-1, chosen)[:, 0].tolist()

    def _nucleus(self, scores: Any, top_p: Any) -> Any:  # noqa: ANN401
        """Keep the likeliest tokens whose mass before them is below ``top_p``, renormalised."""
        ordered, order = scores.sort(-1, descending=True)
        mass = ordered.exp()
        out = (mass.cumsum(-1) - mass >= top_p[:, None]) & (top_p[:, None] < 1)
        cut = scores.masked_fill(out.scatter(-1, order, out), -math.inf)
        return self._torch.log_softmax(cut, dim=-1)

    @property
    def _wide(self) -> Any:  # noqa: ANN401
        """Apple's devices have no 64-bit numbers."""
        return self._torch.float32 if self._model.device.type == "mps" else self._torch.float64

    def _real(self, values: list[float], dtype: Any = None) -> Any:  # noqa: ANN401
        return self._torch.tensor(values, dtype=dtype or self._torch.float32, device=self._model.device)


@dataclass(slots=True)
class _State:
    rows: list[Row]
    cache: Any
    mask: Any
    positions: Any

    def keep(self, pick: Any, alive: Sequence[bool]) -> None:  # noqa: ANN401
        self.rows = list(compress(self.rows, alive))
        self.cache.batch_select_indices(pick)
        self.mask, self.positions = self.mask[pick], self.positions[pick]


@contextmanager
def _evaluating(model: Any) -> Generator[None]:  # noqa: ANN401
    """Dropout off; a model in the middle of its training is given back as it was."""
    training = bool(model.training)
    model.eval()
    try:
        yield
    finally:
        model.train(training)
