"""A real vLLM server (its CPU build) serves the micro policy: play, tokens, greedy answers. See tests/contract/run_venvs.sh."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytest.importorskip("vllm", reason="vLLM has an environment of its own: tests/contract/run_venvs.sh vllm")

from gasp_env.play import RunFolder
from gasp_env.policy import OpenAIPolicy, Sampling, load_transformers
from gasp_env.types import Message, Role

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
MICRO = ROOT / "examples" / "micro" / "policy"
ASKS = [[Message(role="user", content=f"induction\nf({x}) == {x + 1}\n")] for x in range(5)]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    port = free_port()
    log = tmp_path_factory.mktemp("vllm") / "log"
    words = ["--model", str(MICRO), "--served-model-name", "micro", "--port", str(port), "--dtype", "float32"]
    env = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words],
            stdout=out,
            stderr=out,
            env=env,
            start_new_session=True,
        )
    try:
        while server.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models")
                break
            except httpx.TransportError:
                time.sleep(1)
        assert server.poll() is None, log.read_text()[-3000:]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def sample(policy, **settings):
    async def main():
        try:
            asked = [policy.generate(ask, n=3, role=Role.STUDENT, sampling=Sampling(**settings)) for ask in ASKS]
            return await asyncio.gather(*asked)
        finally:
            await policy.close()

    return asyncio.run(main())


def test_self_play(url, tmp_path):
    words = ["play", "--policy", f"openai:{url}", "--goalposts", str(ROOT / "examples/micro/goalposts.jsonl")]
    more = ["--set", "rules.prompt_style=compact", "--run", str(tmp_path / "run"), "--episodes", "16"]
    done = subprocess.run(
        [sys.executable, "-m", "gasp_env.cli", *words, *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = list(RunFolder.open(tmp_path / "run").transcripts)
    assert len(rows) == 16 and not any(row.fault for row in rows)


def test_tokens_are_those_of_the_engine(url):
    tokenizer = load_transformers(MICRO).tokenizer
    policy = OpenAIPolicy(url, extra_body={"return_token_ids": True, "logprobs": True})
    for ask, group in zip(ASKS, sample(policy, seed=1, max_tokens=64), strict=True):
        assert len(group) == 3
        for one in group:
            assert tokenizer.decode(one.token_ids, skip_special_tokens=True) == one.text
            assert len(one.logprobs) == len(one.token_ids) and max(one.logprobs) <= 0
            assert ask[0].content.strip() in tokenizer.decode(one.prompt_ids)


def test_greedy_answers_are_those_of_the_model_itself(url):
    served = sample(OpenAIPolicy(url), temperature=0.0, max_tokens=48)
    own = sample(load_transformers(MICRO), temperature=0.0, max_tokens=48)
    assert [one.text for group in served for one in group] == [one.text for group in own for one in group]
