"""The agent loop inside verl's real classes; the rollout server is scripted."""

import asyncio
import subprocess
from pathlib import Path

import pytest

verl = pytest.importorskip("verl", reason="verl has an environment of its own: tests/contract/run_venvs.sh")
torch = pytest.importorskip("torch")

from adapter_cases import ROOT, CharTokenizer, Script, make_run, summary  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from verl.experimental.agent_loop import agent_loop as loops  # noqa: E402
from verl.trainer.ppo.core_algos import get_adv_estimator_fn  # noqa: E402
from verl.workers.rollout.replica import TokenOutput  # noqa: E402

import gasp_env.adapters.verl as adapter  # noqa: E402
from gasp_env.errors import ConfigError, DataError  # noqa: E402
from gasp_env.play import ticket_text  # noqa: E402
from gasp_env.types import Stage, Ticket  # noqa: E402


class Server:
    """verl's ``LLMServerClient`` as a loop sees it."""

    def __init__(self, script, tokenizer):
        self.script, self.tokenizer = script, tokenizer
        self.requests = []
        self.aborted = False

    async def generate(self, request_id, *, prompt_ids, sampling_params, **_):
        self.requests.append(request_id)
        ids = self.tokenizer.sampled(self.script.answer(self.tokenizer.chat(prompt_ids)))
        logs = [-0.5 - at / 1000 for at in range(len(ids))]
        return TokenOutput(token_ids=ids, log_probs=logs, stop_reason="aborted" if self.aborted else "completed")


def play(rows, *, estimator="gasp", server=None, length=4000):
    """As ``AgentLoopWorker`` does it: one loop object a sample, all on one event loop."""
    config = OmegaConf.create(
        {
            "actor_rollout_ref": {"rollout": {"prompt_length": 100_000, "response_length": length}},
            "algorithm": {"adv_estimator": estimator},
            "data": {},
        }
    )
    tokenizer = CharTokenizer()
    server = server or Server(Script(), tokenizer)

    async def go():
        outputs = []
        for row in rows:
            import hydra

            loop = hydra.utils.instantiate(
                loops._agent_loop_registry[row["agent_name"]],
                trainer_config=loops.DictConfigWrap(config=config),
                server_manager=server,
                tokenizer=tokenizer,
                processor=None,
                dataset_cls=object,
                data_config=loops.DictConfigWrap(config.data),
                hf_model_type=None,
                tools=loops.ToolListWrap([]),
            )
            outputs.append(await loop.run({"temperature": 1.0}, raw_prompt=row["prompt"], **row))
        for task in adapter._joined.values():
            await (await task).close()
        return outputs

    try:
        return asyncio.run(go()), server, tokenizer
    finally:
        adapter._joined.clear()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("GASP_RUN", str(tmp_path / "run"))
    return tmp_path / "run", make_run(tmp_path / "run", form="verl", rows=12)


def test_a_run_of_both_roles(run):
    folder, rows = run
    outputs, server, tokenizer = play(rows)
    total = summary(folder)
    assert total["settled"] == len(rows) and total["questions"]
    assert len(set(server.requests)) == len(server.requests) > len(rows)
    logs = [one.extra_fields["reward_extra_info"] for one in outputs]
    assert [one["gasp_reward"] for one in logs] == [episode[2] for episode in total["episodes"]]
    assert all(set(one) == set(logs[0]) for one in logs)
    said = {text for row in _turns(folder) for text in row}
    for one in outputs:
        assert one.response_mask == [1] * len(one.response_ids) and len(one.response_logprobs) == len(one.response_ids)
        assert tokenizer.decode(one.response_ids) in said
        assert max(one.response_logprobs) == -0.5
    fields = outputs[0].as_dict()
    assert fields["rm_scores"][-1].item() == pytest.approx(outputs[0].reward_score)
    assert fields["rollout_log_probs"].shape == fields["response_mask"].shape


def _turns(folder):
    from gasp_env.play import RunFolder

    return [one.result.turns[0].completions for one in RunFolder.open(folder).all_transcripts()]


def test_two_turns_are_one_sequence_or_start_anew(tmp_path, monkeypatch):
    class Repairs(Script):
        def answer(self, chat):
            return super().answer(chat) if len(chat) > 1 else "no code"

    folder = tmp_path / "two"
    make_run(folder, form="verl", rules__teacher_turns="2")
    monkeypatch.setenv("GASP_RUN", str(folder))
    ticket = Ticket(stage=Stage.LEMMA, draw_seed=1)
    row = {"agent_name": "gasp", "prompt": [], "extra_info": {"ticket": ticket_text(ticket)}}
    tokenizer = CharTokenizer()
    (one,), _, _ = play([row], server=Server(Repairs(), tokenizer))
    trained = [at for at, bit in zip(one.response_ids, one.response_mask, strict=True) if bit]
    assert tokenizer.decode(trained) != "no code" and len(trained) == sum(one.response_mask)


def test_a_fault_has_no_trained_token(run):
    tokenizer = CharTokenizer()
    server = Server(Script(), tokenizer)
    server.aborted = True
    outputs, _, _ = play(run[1][:1], server=server)
    assert sum(outputs[0].response_mask) == 0 and outputs[0].reward_score == 0.0
    assert outputs[0].extra_fields["reward_extra_info"]["gasp_masked"] == 1.0


def test_other_estimators_get_the_raw_reward(run):
    outputs, _, _ = play(run[1], estimator="grpo")
    assert [one.reward_score for one in outputs] == [
        one.extra_fields["reward_extra_info"]["gasp_reward"] for one in outputs
    ]


def test_the_estimator_spreads_the_reward_over_the_trained_tokens():
    rewards = torch.tensor([[0.0, 0.0, 2.0], [0.0, -1.0, 0.0]])
    mask = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    advantages, returns = get_adv_estimator_fn("gasp")(
        token_level_rewards=rewards, response_mask=mask, config=None, index=["a", "b"]
    )
    assert advantages.tolist() == [[2.0, 0.0, 2.0], [-1.0, -1.0, 0.0]] and returns is advantages


def test_a_long_answer_is_cut(run):
    outputs, _, _ = play(run[1][:1], length=5)
    assert len(outputs[0].response_ids) == len(outputs[0].response_mask) == len(outputs[0].response_logprobs) == 5


def test_what_is_not_set_up_is_one_clear_error(run, monkeypatch):
    row = dict(run[1][0])
    with pytest.raises(DataError, match=r"extra_info.ticket: missing"):
        play([row | {"extra_info": {}}])
    monkeypatch.delenv("GASP_RUN")
    with pytest.raises(ConfigError, match="GASP_RUN: is not set"):
        play([row])


@pytest.mark.parametrize("profile", ["gasp", "rlvr"])
def test_the_launch_script_speaks_verls_configuration(profile, tmp_path):
    """Its own configuration tree takes every override; a name that it does not know is an error."""
    from hydra import compose, initialize_config_dir

    env = {"PATH": "/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1"}
    script = ROOT / "integrations" / "verl" / "train.sh"
    done = subprocess.run(["bash", script, profile], env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    with initialize_config_dir(str(Path(verl.__file__).parent / "trainer" / "config"), version_base=None):
        config = compose("ppo_trainer", overrides=done.stdout.splitlines())
    assert config.algorithm.adv_estimator == "gasp" and config.actor_rollout_ref.rollout.n == 4
    assert config.actor_rollout_ref.actor.optim.lr == 1e-6 and config.trainer.total_training_steps == 500


def test_verls_dataset_reads_the_rows(run):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    folder, rows = run
    config = OmegaConf.create({"max_prompt_length": 64, "filter_overlong_prompts": False, "prompt_key": "prompt"})
    dataset = RLHFDataset(str(folder.with_suffix(".jsonl")), CharTokenizer(), config)
    row = dataset[0]
    assert row["agent_name"] == "gasp" and row["extra_info"]["ticket"] == rows[0]["extra_info"]["ticket"]
