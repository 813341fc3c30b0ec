"""The agent loop inside verl's real classes; the rollout server is scripted."""

import asyncio
import json
import subprocess
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

verl = pytest.importorskip("verl", reason="verl has an environment of its own: tests/contract/run_venvs.sh")
torch = pytest.importorskip("torch")

from adapter_cases import ROOT, CharTokenizer, Concatenating, Repairs, Script, make_run, summary  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from verl.experimental.agent_loop import agent_loop as loops  # noqa: E402
from verl.trainer.ppo.core_algos import get_adv_estimator_fn  # noqa: E402
from verl.workers.rollout.replica import TokenOutput  # noqa: E402

import gasp_env.adapters.verl as adapter  # noqa: E402
from gasp_env.errors import ConfigError, DataError  # noqa: E402
from gasp_env.play import CURRICULUM_FILE, ticket_text  # noqa: E402
from gasp_env.types import Stage, Ticket  # noqa: E402


class Server:
    """verl's ``LLMServerClient`` as a loop sees it."""

    def __init__(self, script, tokenizer):
        self.script, self.tokenizer = script, tokenizer
        self.requests, self.prompts = [], []
        self.aborted, self.logs = False, True
        self.versions = iter(())

    async def generate(self, request_id, *, prompt_ids, sampling_params, **_):
        self.requests.append(request_id)
        self.prompts.append(list(prompt_ids))
        ids = self.tokenizer.sampled(self.script.answer(self.tokenizer.chat(prompt_ids)))
        logs = [-0.5 - at / 1000 for at in range(len(ids))] if self.logs else None
        first, last = next(self.versions, (None, None))
        said = {} if first is None else {"min_global_steps": first, "max_global_steps": last}
        reason = "aborted" if self.aborted else "completed"
        return TokenOutput(token_ids=ids, log_probs=logs, stop_reason=reason, extra_fields=said)


def play(rows, *, estimator="gasp", server=None, length=4000, tokenizer=None):
    """As ``AgentLoopWorker`` does it: one loop object a sample, all on one event loop."""
    rollout = {"prompt_length": 100_000, "response_length": length, "calculate_log_probs": True, "max_model_len": None}
    config = OmegaConf.create(
        {
            "actor_rollout_ref": {"rollout": rollout},
            "algorithm": {"adv_estimator": estimator},
            "data": {},
        }
    )
    tokenizer = tokenizer or CharTokenizer()
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


def two_turns(folder, tokenizer, monkeypatch, **options):
    make_run(folder, form="verl", rules__teacher_turns="2")
    monkeypatch.setenv("GASP_RUN", str(folder))
    ticket = Ticket(stage=Stage.LEMMA, draw_seed=1)
    row = {"agent_name": "gasp", "prompt": [], "extra_info": {"ticket": ticket_text(ticket)}}
    server = Server(Repairs(), tokenizer)
    server.versions = options.pop("versions", iter(()))
    (one,), _, _ = play([row], server=server, tokenizer=tokenizer, **options)
    return one, [token for token, bit in zip(one.response_ids, one.response_mask, strict=True) if bit]


def test_two_turns_are_one_sequence_where_the_template_goes_on(tmp_path, monkeypatch):
    tokenizer = Concatenating()
    one, trained = two_turns(tmp_path / "two", tokenizer, monkeypatch, versions=iter([(3, 3), *[(4, 5)] * 50]))
    assert one.num_turns == 4 and trained[: len("no code") + 1] == tokenizer.sampled("no code")
    assert "```python" in tokenizer.decode(trained[len("no code") :])
    between = [at for at, bit in enumerate(one.response_mask) if not bit]
    said = tokenizer.decode([one.response_ids[at] for at in between])
    assert said.startswith("u") and said.endswith("a") and {one.response_logprobs[at] for at in between} == {0.0}
    assert (one.extra_fields["min_global_steps"], one.extra_fields["max_global_steps"]) == (3, 5)


def test_two_turns_start_anew_where_it_rewrites_history(tmp_path, monkeypatch):
    one, trained = two_turns(tmp_path / "two", CharTokenizer(), monkeypatch)
    assert one.num_turns == 2 and len(trained) == len(one.response_ids)
    assert "no code" not in CharTokenizer().decode(trained)


def test_a_group_has_one_task(run):
    server = Server(Script(), CharTokenizer())
    one, other = play([run[1][0]] * 2, server=server)[0]
    assert one.prompt_ids == other.prompt_ids and server.prompts.count(one.prompt_ids) >= 2


def test_log_probabilities_that_nobody_knows_are_none(run):
    server = Server(Script(), CharTokenizer())
    server.logs = False
    (one,), _, _ = play(run[1][:1], server=server)
    assert one.response_logprobs is None and "rollout_log_probs" not in one.as_dict()


def test_what_is_cut_off_says_so(run):
    server, tokenizer = Server(Script(), CharTokenizer()), CharTokenizer()
    rollout = OmegaConf.create({"response_length": 6, "max_model_len": None})
    loop = SimpleNamespace(server_manager=server, tokenizer=tokenizer, rollout_config=rollout)
    for limit, ending in ((6, "length"), (100_000, "stop")):
        policy = adapter.ServerPolicy(loop, {"max_tokens": limit})
        server.generate = _cut(server, limit)
        said = asyncio.run(policy._sample(tokenizer.apply_chat_template([{"role": "user", "content": "lemma"}])))
        assert said.finish_reason == ending


def _cut(server, limit):
    async def generate(request_id, *, prompt_ids, sampling_params, **rest):
        full = await Server.generate(server, request_id, prompt_ids=prompt_ids, sampling_params=sampling_params, **rest)
        return TokenOutput(token_ids=full.token_ids[:limit], stop_reason="completed")  # as verl's vLLM server says it

    return generate


def test_verls_worker_gets_all_that_its_trainer_reads(run, monkeypatch):
    """Its own post-processing, up to the queue; the trainer makes numbers of the tags."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every engine that is not installed
        from verl.trainer.ppo.v1 import agent_loop_tq as queue

    put = {}

    async def kept(**fields):
        put.update(fields)

    monkeypatch.setattr(queue.tq, "async_kv_batch_put", kept)
    worker = object.__new__(queue.AgentLoopWorkerTQ.__ray_metadata__.modified_class)
    worker.processor = worker.reward_loop_worker_handles = None
    worker.distillation_enabled = False
    outputs, _, _ = play([row | {"global_steps": 7} for row in run[1][:2]])
    for session, one in enumerate(outputs):
        asyncio.run(worker._agent_loop_postprocess(one, validate=False, uid="u", session_id=session, global_steps=7))
        for name in ("min_global_steps", "max_global_steps"):
            assert np.array([tag[name] for tag in put["tags"]], dtype=int).tolist() == [6]
        assert put["keys"] == [f"u_{session}_0"] and put["tags"][0]["status"] == "success"
        assert put["fields"]["rollout_log_probs"][0].shape == put["fields"]["responses"][0].shape


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


def recipe(tmp_path, profile="gasp", *more):
    """The configuration that ``train.sh`` starts verl with, resolved as its task runner does it."""
    from hydra import compose, initialize_config_dir
    from verl.utils.config import validate_config

    env = {"PATH": "/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1"}
    script = ROOT / "integrations" / "verl" / "train.sh"
    words = ["bash", script, profile, *more]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    path, folder, name, config_name, *overrides = done.stdout.splitlines()
    assert (path, name) == ("--config-path", "--config-name")
    with initialize_config_dir(folder, version_base=None):
        config = compose(config_name, overrides=overrides)
    validate_config(config, use_reference_policy=False, use_critic=False)
    OmegaConf.resolve(config)
    return config


@pytest.mark.parametrize("profile", ["gasp", "azr", "rlvr", "gasp+rlvr"])
def test_the_launch_script_speaks_verls_configuration(profile, tmp_path):
    """Its own configuration tree takes the recipe; a name that it does not know is an error."""
    config = recipe(tmp_path, profile, "trainer.save_freq=50")
    assert config.algorithm.adv_estimator == "gasp" and config.actor_rollout_ref.rollout.n == 4
    assert config.actor_rollout_ref.actor.optim.lr == 1e-6 and config.trainer.total_training_steps == 500
    assert config.actor_rollout_ref.actor.ppo_mini_batch_size == config.data.train_batch_size == 96
    assert config.trainer.save_freq == 50 and config.data.train_files == config.data.val_files
    handed = config.ray_kwargs.ray_init.runtime_env.env_vars
    assert adapter.__name__ == handed.VERL_USE_EXTERNAL_MODULES and Path(handed.GASP_RUN) == tmp_path / "runs" / profile


def test_checkpoints_hold_their_curriculum(run, tmp_path):
    from verl.trainer.ppo.checkpoint_callback import build_checkpoint_callback

    folder, rows = run
    config = recipe(tmp_path, "gasp", f"trainer.default_local_dir={tmp_path / 'saved'}")
    logged = {}
    trainer = SimpleNamespace(logger=SimpleNamespace(log=lambda data, step: logged.update({step: data})))
    callback = build_checkpoint_callback(config)
    play(rows[:2])
    saved = tmp_path / "saved" / "global_step_5"
    saved.mkdir(parents=True)
    callback.on_save(trainer=trainer, global_step=5, checkpoint_dir=str(saved), async_save=False)
    assert json.loads((saved / CURRICULUM_FILE).read_text())["step"] == 5 and "gasp/questions/accepted" in logged[5]
    play(rows[2:3])
    assert summary(folder)["settled"] == 3

    (tmp_path / "saved" / "latest_checkpointed_iteration.txt").write_text("5")
    build_checkpoint_callback(config)
    assert summary(folder)["settled"] == 2
    config.trainer.resume_mode = "disable"
    build_checkpoint_callback(config)
    assert summary(folder)["settled"] == 0
    config.trainer.resume_mode, config.trainer.resume_from_path = "resume_path", str(tmp_path / "saved" / "best")
    with pytest.raises(ConfigError, match="resume_from_path"):
        build_checkpoint_callback(config)


def test_verls_dataset_reads_the_rows(run):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    folder, rows = run
    config = OmegaConf.create({"max_prompt_length": 64, "filter_overlong_prompts": False, "prompt_key": "prompt"})
    dataset = RLHFDataset(str(folder.with_suffix(".jsonl")), CharTokenizer(), config)
    row = dataset[0]
    assert row["agent_name"] == "gasp" and row["extra_info"]["ticket"] == rows[0]["extra_info"]["ticket"]
