"""Policies by name, and scripts."""

import asyncio

import pytest

from gasp_env.errors import ConfigError, DataError, PolicyError
from gasp_env.policy import OpenAIPolicy, Sampling, open_policy
from gasp_env.types import Message, Role


def sample(policy, role, n):
    ask = [Message(role="user", content="hi")]
    found = asyncio.run(policy.generate(ask, n=n, role=role, sampling=Sampling()))
    return [one.text for one in found]


def test_a_script_answers_each_role_in_order_over_and_over(tmp_path):
    file = tmp_path / "script.jsonl"
    file.write_text('{"role":"teacher","text":"a"}\n{"role":"student","text":"x"}\n{"role":"teacher","text":"b"}\n')
    policy = open_policy(f"scripted:{file}")
    assert sample(policy, Role.TEACHER, 3) == ["a", "b", "a"]
    assert sample(policy, Role.STUDENT, 2) == ["x", "x"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"role":"teacher","text":"a"}\n{"role":"judge","text":"a"}\n', "line 2"),
        ('{"role":"teacher","text":"a"}\n', "no line for student"),
        ('{"role":"teacher"}\n', "line 1.*text"),
    ],
)
def test_a_script_with_a_bad_line_is_named(tmp_path, text, named):
    file = tmp_path / "script.jsonl"
    file.write_text(text)
    with pytest.raises(DataError, match=named):
        open_policy(f"scripted:{file}")


@pytest.mark.parametrize("spec", ["oracle", "openai:", "vllm:x", ""])
def test_an_unknown_policy_is_named(spec):
    with pytest.raises(ConfigError, match=r"expected openai:URL"):
        open_policy(spec)


def test_a_model_behind_an_address():
    policy = open_policy("openai:http://x/v1#org/name")
    assert isinstance(policy, OpenAIPolicy) and (policy.url, policy.model) == ("http://x/v1", "org/name")
    asyncio.run(policy.close())


def test_a_model_that_is_not_there(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(PolicyError, match="can't be loaded"):
        open_policy(f"hf:{tmp_path / 'nothing'}")
