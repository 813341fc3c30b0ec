"""Any endpoint that speaks the OpenAI chat protocol: vLLM, SGLang, llama.cpp, a hosted model.

The law of this module: what the endpoint does wrong is retried, then is one `PolicyError` that names the address; it
never becomes a completion. An answer that holds fewer choices than asked for (llama.cpp) is filled up by further calls.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, cast

import httpx

from gasp_env.errors import PolicyError
from gasp_env.policy.checks import check_call
from gasp_env.policy.protocol import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = ("OpenAIPolicy",)

logger = logging.getLogger(__name__)
_LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses worth another try."""
_LONGEST_PAUSE_S = 30.0
_CONNECT_S = 10.0
_SAID = 200
_CHECK_S = 15.0
"""Longest wait for the list of models, which any server has at hand."""


class _Again(Exception):  # noqa: N818 - an event, not a mistake
    """This try failed in a way that another may not."""

    def __init__(self, why: str, pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class OpenAIPolicy:
    """Samples from ``URL/chat/completions``. Use it on one event loop."""

    def __init__(  # noqa: PLR0913 - all but the address have defaults
        self,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 600.0,
        tries: int = 4,
        concurrency: int = 256,
        extra_body: Mapping[str, Any] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember where to ask; nothing is sent yet.

        Args:
            url: base address, ending in ``/v1`` as a rule.
            model: its name there; None takes the first that ``/models`` lists.
            api_key: bearer token; None reads ``OPENAI_API_KEY``, which may be absent.
            timeout_s: longest wait for one answer, in seconds.
            tries: of one call, before it fails.
            concurrency: open connections, at most.
            extra_body: further fields of every request, such as vLLM's ``{"return_token_ids": True}``.
            transport: another way out than the network, for tests.
        """
        self.url, self.model, self._tries = url.rstrip("/"), model, max(1, tries)
        self._timeout_s = timeout_s
        self._extra = dict(extra_body or {})
        key = api_key or os.environ.get("OPENAI_API_KEY")
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            transport=transport,
            trust_env=False,
        )
        self._jitter = Random()  # noqa: S311 - spreads retries
        self._single = False
        """The endpoint answers one choice a call."""
        self._context: int | None = None
        """Tokens that the model's context holds, where the endpoint says it (vLLM)."""

    async def check(self) -> str:
        """Ask which models are served; returns the name of the one that will be asked.

        Raises:
            PolicyError: the endpoint is down, or does not serve the model.
        """
        body = await self._send("GET", "/models", timeout_s=_CHECK_S)
        served = [str(one["id"]) for one in _dicts(body.get("data")) if "id" in one]
        if self.model is None:
            if not served:
                raise PolicyError(f"{self.url}/models lists no model; name one: openai:{self.url}#MODEL")
            self.model = served[0]
        elif served and self.model not in served:
            raise PolicyError(f"{self.url} does not serve {self.model!r}; it serves {', '.join(served[:10])}")
        self._context = next((_context(one) for one in _dicts(body.get("data")) if one.get("id") == self.model), None)
        return self.model

    async def generate(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        role: Role,  # noqa: ARG002 - one model plays both
        sampling: Sampling,
    ) -> Sequence[Completion | None]:
        """Sample ``n`` completions; None where a call for one of them failed after all tries.

        Raises:
            PolicyError: nothing could be sampled.
            ConfigError: sampling settings out of range.
        """
        check_call(n, sampling)
        if n == 0:
            return []
        if self.model is None:
            await self.check()
        found: list[Completion | None] = []
        if not self._single and (n == 1 or sampling.temperature > 0):  # vLLM: greedy sampling has one choice
            found += (await self._ask(messages, n, sampling))[:n]
            self._single = n > 1 and len(found) == 1
        if len(found) == n:
            return found
        calls = [self._ask(messages, 1, sampling, shift=at) for at in range(len(found), n)]
        return _gathered(found, await asyncio.gather(*calls, return_exceptions=True))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _ask(
        self, messages: Sequence[Message], n: int, sampling: Sampling, *, shift: int = 0
    ) -> Sequence[Completion]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "n": n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if self._context is None or sampling.max_tokens < self._context:
            body["max_tokens"] = sampling.max_tokens  # vLLM refuses more than the context; without, it is the limit
        if sampling.seed is not None:
            body["seed"] = (sampling.seed + shift) % (1 << 31)
        found: Sequence[Completion] = await self._send(
            "POST", "/chat/completions", body | self._extra, read=_completions
        )
        return found

    async def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        read: Callable[[Mapping[str, Any]], Any] = dict,
        timeout_s: float | None = None,
    ) -> Any:  # noqa: ANN401 - what read makes of the answer
        for number in range(1, self._tries + 1):
            try:
                found = await self._try(method, path, body, min(timeout_s or self._timeout_s, self._timeout_s))
                return read(found)
            except _Again as again:
                if number == self._tries:
                    raise PolicyError(f"{self.url}{path}: {again} (tried {number} times)") from again.__cause__
                pause = max(again.pause_s, 0.5 * 2 ** (number - 1)) * self._jitter.uniform(0.5, 1.0)
                logger.warning("%s%s: %s; again in %.1f s", self.url, path, again, pause)
                await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))
        raise AssertionError  # pragma: no cover - the last try returns or raises

    async def _try(self, method: str, path: str, body: object, timeout_s: float) -> dict[str, Any]:
        timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
        try:
            answer = await self._client.request(method, self.url + path, json=body, timeout=timeout)
        except httpx.RequestError as error:
            raise _Again(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except httpx.InvalidURL as error:
            raise PolicyError(f"{self.url}: {error}; expected an address such as http://localhost:8000/v1") from error
        if answer.status_code in _LATER:
            raise _Again(f"HTTP {answer.status_code}: {_said(answer)}", _retry_after(answer))
        if not answer.is_success:
            raise PolicyError(f"{self.url}{path}: HTTP {answer.status_code}: {_said(answer)}")
        try:
            found = answer.json()
        except (ValueError, RecursionError) as error:
            raise _Again(f"the answer is not JSON: {_said(answer)}") from error
        if not isinstance(found, dict):
            raise _Again(f"the answer is no JSON object: {_said(answer)}")
        return cast("dict[str, Any]", found)


def _gathered(
    found: list[Completion | None], answers: Sequence[Sequence[Completion] | BaseException]
) -> Sequence[Completion | None]:
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    for failure in failures:
        if not isinstance(failure, PolicyError) or not (found or len(failures) < len(answers)):
            raise failure
    return [*found, *(None if isinstance(answer, BaseException) else answer[0] for answer in answers)]


def _completions(body: Mapping[str, Any]) -> Sequence[Completion]:
    choices = _dicts(body.get("choices"))
    prompt_ids = _ints(body.get("prompt_token_ids"))
    try:
        found = [_completion(choice, prompt_ids) for choice in choices]
    except (TypeError, ValueError) as error:
        raise _Again(f"a choice holds something else than its protocol says ({error})") from error
    if not found:
        raise _Again("the answer holds no choices")
    return found


def _completion(choice: Mapping[str, Any], prompt_ids: tuple[int, ...] | None) -> Completion:
    message: Any = choice.get("message")
    content: Any = cast("dict[str, Any]", message).get("content") if isinstance(message, dict) else None
    if content is not None and not isinstance(content, str):
        raise _Again("a choice holds no text")
    if not isinstance(message, dict):
        raise _Again("a choice holds no message")
    logprobs: Any = choice.get("logprobs") or {}
    content_logprobs = _dicts(cast("dict[str, Any]", logprobs).get("content") if isinstance(logprobs, dict) else None)
    return Completion(
        text=(content or "").encode("utf-8", "replace").decode(),  # a lone surrogate is no text that can be stored
        token_ids=_ints(choice.get("token_ids")),
        logprobs=tuple(float(one["logprob"]) for one in content_logprobs if "logprob" in one) or None,
        prompt_ids=prompt_ids,
        finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
    )


def _dicts(value: object) -> list[dict[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in items if isinstance(one, dict)]


def _context(served: Mapping[str, Any]) -> int | None:
    length: object = served.get("max_model_len")
    return length if type(length) is int and length > 0 else None


def _ints(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(one for one in cast("list[object]", value) if isinstance(one, int))


def _said(answer: httpx.Response) -> str:
    """What the endpoint said, short enough for one line."""
    return " ".join(answer.text[: 4 * _SAID].split())[:_SAID] or "nothing"


def _retry_after(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", 0))
    except ValueError:  # a date: our own pause does
        return 0.0
