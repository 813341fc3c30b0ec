"""An endpoint's faults are retried, then one clear error; they are never completions."""

import asyncio
import json

import httpx
import pytest

from gasp_env.errors import ConfigError, PolicyError
from gasp_env.policy import OpenAIPolicy, Sampling
from gasp_env.types import Message, Role

ASK = [Message(role="user", content="hi")]
SAMPLING = Sampling(seed=7, max_tokens=9)


def choice(text, **more):
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | more


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    real = asyncio.sleep

    async def at_once(_):
        await real(0)

    monkeypatch.setattr("gasp_env.policy.openai.asyncio.sleep", at_once)


def generate(answer, *, n=1, context=None, sampling=SAMPLING, **options):
    """Ask an endpoint that is the function ``answer(request body, call number)``."""
    asked = []

    def handle(request):
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "first", "max_model_len": context}]})
        asked.append(json.loads(request.content))
        found = answer(asked[-1], len(asked))
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    async def main():
        policy = OpenAIPolicy("http://here/v1", transport=httpx.MockTransport(handle), **options)
        try:
            return await policy.generate(ASK, n=n, role=Role.STUDENT, sampling=sampling)
        finally:
            await policy.close()

    return asyncio.run(main()), asked


def test_what_is_sent_and_read():
    body = {"choices": [choice("a", token_ids=[1, 2], logprobs={"content": [{"logprob": -0.5}]}), choice("b")]}
    (first, second), asked = generate(lambda *_: body | {"prompt_token_ids": [5]}, n=2, extra_body={"top_k": 3})
    assert (first.text, first.token_ids, first.logprobs, first.prompt_ids) == ("a", (1, 2), (-0.5,), (5,))
    assert second.text == "b" and second.token_ids is None
    assert asked == [
        {
            "model": "first",
            "messages": [{"role": "user", "content": "hi"}],
            "n": 2,
            "temperature": 1.0,
            "top_p": 1.0,
            "max_tokens": 9,
            "seed": 7,
            "top_k": 3,
        }
    ]


def test_greedy_answers_are_asked_for_one_by_one():
    """VLLM refuses several choices at temperature 0."""
    found, asked = generate(lambda *_: {"choices": [choice("a")]}, n=3, sampling=Sampling(temperature=0.0))
    assert len(found) == 3 and [body["n"] for body in asked] == [1, 1, 1]


@pytest.mark.parametrize(("context", "sent"), [(768, None), (769, 768), (None, 768), ("many", 768)])
def test_a_limit_that_the_context_cannot_hold_is_left_to_the_endpoint(context, sent):
    answers = {"choices": [choice("a")]}
    _, asked = generate(lambda *_: answers, context=context, sampling=Sampling(max_tokens=768))
    assert asked[0].get("max_tokens") == sent


def test_an_endpoint_that_ignores_n_is_asked_again_with_other_seeds():
    found, asked = generate(lambda body, _: {"choices": [choice(str(body["seed"]))]}, n=3)
    assert [one.text for one in found] == ["7", "8", "9"] and [body["n"] for body in asked] == [3, 1, 1]


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(503, text="busy"),
        httpx.Response(429, headers={"Retry-After": "2"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json={"choices": [{"message": "x"}]}),
        httpx.Response(200, json={"choices": [choice(["x"])]}),
        httpx.Response(200, json={"choices": [choice("x", logprobs={"content": [{"logprob": None}]})]}),
        httpx.DecodingError("not gzip"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=["busy", "limit", "html", "list", "empty", "words", "number", "logprob", "gzip", "down", "slow"],
)
def test_a_passing_fault_is_tried_again_and_a_lasting_one_is_named(fault):
    (only,), asked = generate(lambda _, call: fault if call < 3 else {"choices": [choice("ok")]})
    assert only.text == "ok" and len(asked) == 3
    with pytest.raises(PolicyError, match=r"http://here/v1/chat/completions: .+ \(tried 4 times\)"):
        generate(lambda *_: fault)


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored():
    body = b'{"choices": [{"message": {"content": "a\\ud83d"}}]}'
    (only,), _ = generate(lambda *_: httpx.Response(200, content=body))
    assert only.text == "a?"


def test_a_refusal_is_not_tried_again():
    with pytest.raises(PolicyError, match="HTTP 400: context too long"):
        generate(lambda _, call: httpx.Response(400, text="context too long") if call == 1 else None)


def test_some_choices_that_fail_are_none():
    found, _ = generate(lambda body, _: httpx.Response(400) if body["seed"] == 8 else {"choices": [choice("ok")]}, n=3)
    assert [one and one.text for one in found] == ["ok", None, "ok"]


def test_a_model_that_is_not_served_is_named():
    async def main():
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [{"id": "other"}]}))
        await OpenAIPolicy("http://here/v1", model="mine", transport=transport).check()

    with pytest.raises(PolicyError, match="does not serve 'mine'; it serves other"):
        asyncio.run(main())


def test_sampling_out_of_range():
    with pytest.raises(ConfigError, match="n: got -1"):
        generate(lambda *_: {}, n=-1)
