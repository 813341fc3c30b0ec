"""SkyRL's real generator around the text environment: probes on its own engine, token-exact rows, masked faults."""

import asyncio
import importlib.util
import inspect
import subprocess
from types import SimpleNamespace

import pytest

pytest.importorskip("skyrl", reason="SkyRL has an environment of its own: tests/contract/run_venvs.sh")

from adapter_cases import ROOT, Concatenating, Repairs, Script, make_run, summary
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.trainer import RayPPOTrainer
from skyrl.train.utils import validate_cfg

from gasp_env.adapters.skyrl import ENV_ID, gasp_generator, gasp_trainer
from gasp_env.errors import ConfigError
from gasp_env.play import CURRICULUM_FILE, leave_runs, ticket_text
from gasp_env.types import Stage, Ticket


class Client:
    """SkyRL's inference client, as its generator sees it."""

    weight_version = 3

    def __init__(self, tokenizer):
        self.script, self.tokenizer, self.probes = Script(), tokenizer, 0
        self.salts, self.prompts = set(), []

    async def generate(self, asked, model=None):
        prompts = asked["prompt_token_ids"]
        self.probes += len(prompts) if len(prompts) > 1 else 0
        self.salts.add(asked["cache_salt"])
        self.prompts += [list(one) for one in prompts]  # the generator goes on writing to its list
        ids = [self.tokenizer.sampled(self.script.answer(self.tokenizer.chat(one))) for one in prompts]
        return {
            "responses": self.tokenizer.batch_decode(ids),  # as RemoteInferenceClient.detokenize: with special tokens
            "response_ids": ids,
            "stop_reasons": ["stop"] * len(ids),
            "response_logprobs": [[-1.0] * len(one) for one in ids],
        }

    async def finish_session(self, session_id):
        pass


END, THINKS = "<|im_end|>", "thinks"


class Tokenizer(Concatenating):
    """SkyRL measures its template on a conversation of its own. Two special tokens; an option is seen in the prompt."""

    all_special_tokens = (END, "<|endoftext|>")

    def apply_chat_template(self, chat, **options):
        if isinstance(chat, str):
            return chat
        prompt = super().apply_chat_template(chat, **options)
        return [*prompt, *self.encode(THINKS)] if options.get("thinks") else prompt

    def chat(self, ids):
        return super().chat(ids[: -len(THINKS)] if self.decode(ids).endswith(THINKS) else ids)

    def batch_decode(self, rows):
        return [self.decode(ids, skip_special_tokens=False) + END for ids in rows]

    def __call__(self, text, **_):
        return SimpleNamespace(input_ids=self.encode(text))


def generator(workers=4, *options):
    tokenizer = Tokenizer()
    wanted = [f"environment.skyrl_gym.max_env_workers={workers}", "generator.max_input_length=100000", *options]
    cfg = SkyRLTrainConfig.from_cli_overrides(wanted)
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
        row["prompt"],
        ENV_ID,
        {"extra_info": row["extra_info"]},
        100_000,
        100_000,
        {"logprobs": 1, "stop": None},
        cache_salt=made._compute_cache_salt(),
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


def test_probes_are_asked_as_trained_turns_are(run):
    _, rows = run
    made, client, tokenizer = generator(4, "generator.chat_template_kwargs={'thinks': true}")
    one = asyncio.run(loop(made, rows[0]))
    assert client.probes and client.salts == {made._compute_cache_salt()} and client.salts != {None}
    assert all(tokenizer.decode(ids).endswith(THINKS) for ids in client.prompts)
    assert one.env_metrics["gasp_masked"] == 0.0


def test_a_prompt_that_is_too_long_is_masked_and_the_batch_goes_on(run):
    folder, rows = run
    made, client, _ = generator(4, "generator.max_input_length=50")
    one = asyncio.run(loop(made, rows[0]))
    assert one.env_metrics["gasp_masked"] == 1.0 and sum(one.loss_mask) == 0 and not client.probes
    assert summary(folder)["settled"] == 1


def test_a_second_turn_is_token_exact_and_a_group_has_one_task(tmp_path, monkeypatch):
    folder = tmp_path / "two"
    make_run(folder, form="skyrl", rules__teacher_turns="2")
    monkeypatch.setenv("GASP_RUN", str(folder))
    row = {"prompt": [], "extra_info": {"ticket": ticket_text(Ticket(stage=Stage.LEMMA, draw_seed=1))}}
    made, client, tokenizer = generator(4, "generator.max_turns=2")
    client.script = Repairs()

    async def go():
        return [await loop(made, row) for _ in range(2)]

    one, other = asyncio.run(go())
    trained = [at for at, bit in zip(one.response_ids, one.loss_mask, strict=True) if bit]
    assert tokenizer.decode(trained).startswith("no code") and "```python" in tokenizer.decode(trained)
    assert 0 < sum(one.loss_mask) < len(one.response_ids) == len(one.rollout_logprobs)
    assert one.prompt_ids == other.prompt_ids
    leave_runs()


def test_checkpoints_hold_their_curriculum(run, tmp_path):
    class Base:
        """The two methods of RayPPOTrainer that are wrapped; their signatures are checked below."""

        global_step = 0

        def save_checkpoints(self) -> str:
            folder = tmp_path / f"global_step_{self.global_step}"
            folder.mkdir()
            return str(folder)

        def load_checkpoints(self):
            return (3, str(tmp_path / "global_step_3")) if (tmp_path / "global_step_3").exists() else (0, None)

    for name in ("save_checkpoints", "load_checkpoints"):
        assert list(inspect.signature(getattr(RayPPOTrainer, name)).parameters) == ["self"]
    folder, rows = run
    made, _, _ = generator()
    trainer = gasp_trainer(Base)()
    assert trainer.load_checkpoints() == (0, None)
    asyncio.run(loop(made, rows[0]))
    trainer.global_step = 3
    trainer.save_checkpoints()
    before = summary(folder)
    asyncio.run(loop(made, rows[1]))
    assert summary(folder)["settled"] == 2
    assert trainer.load_checkpoints()[0] == 3
    assert summary(folder)["settled"] == before["settled"] == 1
    assert (tmp_path / "global_step_3" / CURRICULUM_FILE).is_file()


def test_the_entry_point_is_skyrls_own_with_our_parts():
    spec = importlib.util.spec_from_file_location("gasp_skyrl_train", ROOT / "integrations" / "skyrl" / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wanted = list(inspect.signature(BasePPOExp.get_trainer).parameters)[1:]
    made = module.GaspExp.get_trainer
    assert issubclass(module.GaspExp, BasePPOExp) and callable(made)
    assert wanted == [
        "cfg",
        "tracker",
        "tokenizer",
        "train_dataset",
        "eval_dataset",
        "inference_engine_client",
        "generator",
        "colocate_pg",
    ]


def test_steps_need_a_thread(run):
    made, _, _ = generator(workers=0)
    with pytest.raises(ConfigError, match="max_env_workers"):
        asyncio.run(loop(made, run[1][0]))


@pytest.mark.parametrize("turns", ["1", "2"])
@pytest.mark.parametrize("profile", ["gasp", "azr", "rlvr", "gasp+rlvr"])
def test_the_launch_script_speaks_skyrls_configuration(profile, turns, tmp_path):
    env = {"PATH": "/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1", "TURNS": turns}
    script = ROOT / "integrations" / "skyrl" / "train.sh"
    done = subprocess.run(["bash", script, profile], env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    config = SkyRLTrainConfig.from_cli_overrides(done.stdout.splitlines())
    validate_cfg(config)
    assert config.environment.env_class == ENV_ID and config.generator.n_samples_per_prompt == 4
    assert config.trainer.policy.optimizer_config.lr == 1e-6 and config.trainer.max_training_steps == 500
