"""The adapter inside TRL's real trainer, on the micro policy: tokens, masks, advantages, resume, SIGKILL."""

import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("trl")
pytestmark = [pytest.mark.trl, pytest.mark.filterwarnings("ignore::FutureWarning:transformers.*")]

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

from gasp_env._optional import require_version  # noqa: E402
from gasp_env.adapters.trl import Gasp, GaspGRPOTrainer  # noqa: E402
from gasp_env.config import load_config  # noqa: E402
from gasp_env.errors import ConfigError, DataError, MissingExtra, PolicyError  # noqa: E402
from gasp_env.play import CURRICULUM_FILE, RunFolder, Session  # noqa: E402
from gasp_env.stats import whiten  # noqa: E402
from gasp_env.store import open_curriculum  # noqa: E402
from gasp_env.tasks import load_goalposts  # noqa: E402

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "examples" / "micro" / "policy"
GOALPOSTS = ROOT / "examples" / "micro" / "goalposts.jsonl"
CONFIG = load_config(None, {"rules.prompt_style": "compact", "rules.rollouts": "10", "mix.solve": "1.0"})
TOKENIZER = AutoTokenizer.from_pretrained(MICRO)


class Watched(Gasp):
    """Keeps what it gave to the trainer."""

    def rollout(self, prompts, trainer):
        self.given = super().rollout(prompts, trainer)
        return self.given


def open_session(folder, **options):
    return Session.open(folder, config=CONFIG, goalposts=load_goalposts(GOALPOSTS), **options)


def make_trainer(gasp, folder, *, steps, kind=GaspGRPOTrainer, **options):
    torch.manual_seed(0)
    args = GRPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=12,
        num_generations=2,
        max_completion_length=160,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        scale_rewards="none",
        save_steps=1,
        logging_steps=1,
        beta=0.0,
        use_cpu=True,
        bf16=False,
        report_to=[],
        disable_tqdm=True,
        seed=0,
        **options,
    )
    return kind(
        model=AutoModelForCausalLM.from_pretrained(MICRO),
        processing_class=TOKENIZER,
        args=args,
        train_dataset=gasp.dataset(200),
        rollout_func=gasp.rollout,
        reward_funcs=gasp.reward,
        callbacks=[gasp.callback()],
    )


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Three steps in one go: session's folder, trainer, adapter."""
    folder = tmp_path_factory.mktemp("straight")
    with open_session(folder / "run") as session:
        gasp = Watched(session)
        trainer = make_trainer(gasp, folder / "ck", steps=3)
        before = {name: one.clone() for name, one in trainer.model.named_parameters()}
        trainer.train()
        state = session.curriculum.state
    return SimpleNamespace(folder=folder, trainer=trainer, gasp=gasp, before=before, state=state)


def test_it_trains_and_logs(straight):
    moved = [not torch.equal(one, straight.before[name]) for name, one in straight.trainer.model.named_parameters()]
    assert any(moved)
    logs = [row for row in straight.trainer.state.log_history if "loss" in row]
    assert len(logs) == 3 and all(row["gasp/episodes"] == 12 * at for at, row in enumerate(logs, 1))
    assert any(key.startswith("gasp/reward/lemma") for row in logs for key in row)
    assert len(straight.state.settled) == 36


def test_what_is_trained_is_what_was_sampled(straight):
    rows = list(RunFolder.open(straight.folder / "run").transcripts)[-12:]
    given = straight.gasp.given
    for place, row in enumerate(rows):
        ids, mask = given["completion_ids"][place], given["env_mask"][place]
        assert len(ids) == len(mask) == len(given["logprobs"][place])
        text = TOKENIZER.decode([one for one, ours in zip(ids, mask, strict=True) if ours], skip_special_tokens=True)
        assert text == "".join(turn.completions[0] for turn in row.result.turns if turn.train)
        assert given["gasp_reward"][place] == row.result.reward.value


def test_logprobs_are_of_the_weights_that_sampled(tmp_path):
    with open_session(tmp_path / "run") as session:
        gasp = Watched(session)
        trainer = make_trainer(gasp, tmp_path / "ck", steps=1)
        gasp.rollout(session.tickets(2), trainer)
        for prompt, ids, logprobs in zip(
            *(gasp.given[key] for key in ("prompt_ids", "completion_ids", "logprobs")), strict=True
        ):
            with torch.inference_mode():
                scores = trainer.model.eval()(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
            expected = [scores[len(prompt) - 1 + at, token].item() for at, token in enumerate(ids)]
            assert logprobs == pytest.approx(expected, abs=1e-3)


def test_advantages_are_those_of_the_paper(tmp_path):
    found = {}

    class Spy(GaspGRPOTrainer):
        def _generate_and_score_completions(self, inputs):
            output = super()._generate_and_score_completions(inputs)
            found["ours"] = output["advantages"].tolist()
            return output

    with open_session(tmp_path / "run") as session:
        gasp = Watched(session)
        make_trainer(gasp, tmp_path / "ck", steps=1, kind=Spy).train()
    expected = whiten(gasp.given["gasp_reward"], gasp.given["gasp_key"]).advantages
    assert found["ours"] == pytest.approx([one or 0.0 for one in expected], abs=1e-5) and any(found["ours"])


def test_the_plain_trainer_works_too(tmp_path):
    with open_session(tmp_path / "run") as session:
        trainer = make_trainer(Gasp(session), tmp_path / "ck", steps=1, kind=GRPOTrainer)
        trainer.train()
        assert len(session.curriculum.state.settled) == 12


def test_a_resumed_run_is_the_straight_one(straight, tmp_path):
    with open_session(tmp_path / "run") as session:
        make_trainer(Gasp(session), tmp_path / "ck", steps=2).train()
    (tmp_path / "ck" / "checkpoint-2" / CURRICULUM_FILE).unlink()  # as if killed before it was written
    with open_session(tmp_path / "run") as session:
        gasp = Gasp(session)
        newest = gasp.last_checkpoint(tmp_path / "ck")
        assert newest.endswith("checkpoint-1")
        make_trainer(gasp, tmp_path / "ck", steps=3).train(resume_from_checkpoint=newest)
        state = session.curriculum.state
    assert state.settled == straight.state.settled and state.questions == straight.state.questions
    rows = [row.episode_id for row in RunFolder.open(tmp_path / "run").transcripts]
    assert rows == [row.episode_id for row in RunFolder.open(straight.folder / "run").transcripts]


def test_a_checkpoint_carries_its_curriculum_to_another_store(straight, tmp_path):
    with open_session(tmp_path / "run") as session:
        session.begin(2, straight.folder / "ck" / "checkpoint-2")
        known = set(session.curriculum.state.settled)
        assert len(known) == 24 and known < set(straight.state.settled)
        with pytest.raises(DataError, match=CURRICULUM_FILE):
            session.begin(7, tmp_path)


class Down:
    """A policy whose endpoint is gone."""

    async def generate(self, *_, **__):
        raise PolicyError("the endpoint is down")

    async def close(self):
        pass


def test_what_a_fault_touched_is_masked_and_a_dead_endpoint_ends_the_run(tmp_path):
    with open_session(tmp_path / "run") as session:
        gasp = Watched(session, policy=Down())
        trainer = make_trainer(gasp, tmp_path / "ck", steps=5)
        with pytest.raises(PolicyError, match="3 batches in a row failed whole; the last fault: the endpoint is down"):
            trainer.train()
        assert set(gasp.given["gasp_reward"]) == {None} and {sum(one) for one in gasp.given["env_mask"]} == {0}
        assert not session.curriculum.state.questions
    start = AutoModelForCausalLM.from_pretrained(MICRO).state_dict()
    assert all(torch.equal(one, start[name]) for name, one in trainer.model.state_dict().items())


def test_weights_that_are_elsewhere_need_a_policy(tmp_path):
    with open_session(tmp_path / "run") as session:
        args = SimpleNamespace(temperature=1.0, top_p=1.0, max_completion_length=8)
        trainer = SimpleNamespace(
            args=args,
            state=SimpleNamespace(global_step=0),
            accelerator=SimpleNamespace(process_index=0),
            use_vllm=True,
        )
        with pytest.raises(ConfigError, match=r"give Gasp.open\(policy="):
            Gasp(session).rollout(session.tickets(1), trainer)
        with pytest.raises(DataError, match="no ticket"):
            Gasp(session).rollout(["Write a program."], trainer)


@pytest.mark.parametrize("version", ["1.15.9", "1.17.0", "2.0"])
def test_another_version_is_one_sentence(monkeypatch, version):
    monkeypatch.setattr(metadata, "version", lambda _: version)
    with pytest.raises(MissingExtra, match=rf"trl {version} is installed; gasp-env works with 1.16 up to below 1.17"):
        require_version("trl", at_least="1.16", below="1.17", extra="trl")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_in_the_middle_and_resumed(tmp_path):
    run = tmp_path / "run"
    words = [sys.executable, str(ROOT / "integrations" / "trl" / "train.py"), "--model", str(MICRO), "--cpu"]
    words += [
        "--goalposts",
        str(GOALPOSTS),
        "--run-dir",
        str(run),
        "--save-steps",
        "1",
        "--batch",
        "12",
        "--group",
        "2",
    ]
    words += ["--max-tokens", "160", "--set", "rules.prompt_style=compact", "rules.rollouts=10"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*words, "--steps", "100"], env=env, start_new_session=True, **quiet)
    file = run / "checkpoints" / "checkpoint-2" / CURRICULUM_FILE
    while process.poll() is None and not file.exists():
        pass  # pytest's timeout bounds it
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = subprocess.run([*words, "--steps", "5"], env=env, check=False, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    folder = RunFolder.open(run)
    rows = list(folder.transcripts)
    assert [row.index for row in rows] == list(range(60)) and len({row.episode_id for row in rows}) == 60
    with open_curriculum(folder.store_url, folder.manifest.config) as curriculum:
        state = curriculum.state
    lost = {name for line in folder.metrics for name in line.duplicates}
    kept = [row.result.question.id for row in rows if row.result.accepted and row.episode_id not in lost]
    assert set(state.settled) == {row.episode_id for row in rows}
    assert sorted(state.questions) == sorted(kept) and kept
    assert (run / "model" / "model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_processes_share_one_curriculum(tmp_path):
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    words += [str(ROOT / "integrations" / "trl" / "train.py"), "--model", str(MICRO), "--cpu", "--steps", "2"]
    words += ["--goalposts", str(GOALPOSTS), "--run-dir", str(tmp_path / "run"), "--batch", "6", "--group", "2"]
    words += ["--max-tokens", "160", "--set", "rules.prompt_style=compact"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = RunFolder.open(tmp_path / "run")
    rows = [row.episode_id for row in folder.transcripts]
    assert len(set(rows)) == 24 and {row.split("-")[3] for row in rows} == {"0", "1"}
    with open_curriculum(folder.store_url, folder.manifest.config) as curriculum:
        assert set(curriculum.state.settled) == set(rows)
