"""SkyRL's real generator around the text environment: probes on its own engine, token-exact rows, masked faults."""

import asyncio
import subprocess
from types import SimpleNamespace

import pytest

pytest.importorskip("skyrl", reason="SkyRL has an environment of its own: tests/contract/run_venvs.sh")

from adapter_cases import ROOT, CharTokenizer, Script, make_run, summary
from skyrl.train.config import SkyRLTrainConfig

from gasp_env.adapters.skyrl import ENV_ID, gasp_generator
from gasp_env.errors import ConfigError
from gasp_env.play import leave_runs


class Client:
    """SkyRL's inference client, as its generator sees it."""

    weight_version = 3

    def __init__(self, tokenizer):
        self.script, self.tokenizer, self.probes = Script(), tokenizer, 0

    async def generate(self, asked, model=None):
        prompts = asked["prompt_token_ids"]
        self.probes += len(prompts) if len(prompts) > 1 else 0
        texts = [self.script.answer(self.tokenizer.chat(one)) for one in prompts]
        ids = [self.tokenizer.sampled(one) for one in texts]
        return {
            "responses": texts,
            "response_ids": ids,
            "stop_reasons": ["stop"] * len(ids),
            "response_logprobs": [[-1.0] * len(one) for one in ids],
        }

    async def finish_session(self, session_id):
        pass


class Tokenizer(CharTokenizer):
    """SkyRL measures its template on a conversation of its own."""

    def apply_chat_template(self, chat, **options):
        if isinstance(chat, str):
            return chat
        return super().apply_chat_template(chat, **options)

    def __call__(self, text, **_):
        return SimpleNamespace(input_ids=self.encode(text))


def generator(workers=4):
    tokenizer = Tokenizer()
    cfg = SkyRLTrainConfig.from_cli_overrides([f"environment.skyrl_gym.max_env_workers={workers}"])
    client = Client(tokenizer)
    made = gasp_generator()(
        generator_cfg=cfg.generator,
        skyrl_gym_cfg=cfg.environment.skyrl_gym,
        inference_engine_client=client,
        tokenizer=tokenizer,
    )
    return made, client, tokenizer


async def loop(made, row):
    return await made.agent_loop(
        row["prompt"], ENV_ID, {"extra_info": row["extra_info"]}, 100_000, 100_000, {"logprobs": 1, "stop": None}
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("GASP_RUN", str(tmp_path / "run"))
    yield tmp_path / "run", make_run(tmp_path / "run", form="skyrl", rows=8)
    leave_runs()


def test_episodes_through_the_generator(run):
    folder, rows = run
    made, client, tokenizer = generator()

    async def go():
        return [await loop(made, row) for row in rows]

    found = asyncio.run(go())
    total = summary(folder)
    assert total["settled"] == 8 and client.probes
    for one, episode in zip(found, total["episodes"], strict=True):
        assert sum(one.reward) == episode[2] == one.env_metrics["gasp_reward"]
        assert one.loss_mask == [1] * len(one.response_ids) == [1] * len(one.rollout_logprobs)
        assert tokenizer.decode(one.response_ids)


def test_a_fault_has_no_trained_token(run):
    _, rows = run
    made, client, _ = generator()
    whole = client.generate

    async def fails_on_probes(asked, model=None):
        said = await whole(asked, model)
        if len(asked["prompt_token_ids"]) > 1:
            said["stop_reasons"] = ["abort"] * len(said["stop_reasons"])
        return said

    client.generate = fails_on_probes
    one = asyncio.run(loop(made, rows[0]))
    assert one.env_metrics["gasp_masked"] == 1.0 and sum(one.loss_mask) == 0 and sum(one.reward) == 0.0


def test_steps_need_a_thread(run):
    made, _, _ = generator(workers=0)
    with pytest.raises(ConfigError, match="max_env_workers"):
        asyncio.run(loop(made, run[1][0]))


@pytest.mark.parametrize("profile", ["gasp", "rlvr"])
def test_the_launch_script_speaks_skyrls_configuration(profile, tmp_path):
    env = {"PATH": "/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1"}
    script = ROOT / "integrations" / "skyrl" / "train.sh"
    done = subprocess.run(["bash", script, profile], env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    config = SkyRLTrainConfig.from_cli_overrides(done.stdout.splitlines())
    assert config.environment.env_class == ENV_ID and config.generator.n_samples_per_prompt == 4
    assert config.trainer.policy.optimizer_config.lr == 1e-6 and config.trainer.max_training_steps == 500
