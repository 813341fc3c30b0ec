"""The executor as OpenRLHF loads and awaits it, on the micro policy; its real code reads what we give.

vLLM and its engine can't run here; the engine below has the signature of OpenRLHF's actor (``generate(prompt_token_ids,
sampling_params, multi_modal_data=None)``) and samples from a real model.
"""

import argparse
import ast
import asyncio
import importlib.util
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

pytest.importorskip("openrlhf", reason="pip install --no-deps openrlhf==0.11.2, then sympy pylatexenc aiohttp")
torch = pytest.importorskip("torch")

from openrlhf.utils.agent import AgentExecutorBase  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from gasp_env.adapters.openrlhf import LOG_KEYS, reward_func  # noqa: E402
from gasp_env.cli.app import main  # noqa: E402
from gasp_env.errors import ConfigError, DataError  # noqa: E402
from gasp_env.play import RunFolder, leave_runs  # noqa: E402
from gasp_env.policy.decode import Decoder, Row  # noqa: E402
from gasp_env.store import open_curriculum  # noqa: E402

ROOT = Path(__file__).parents[2]
MICRO = ROOT / "examples" / "micro" / "policy"
GOALPOSTS = ROOT / "examples" / "micro" / "goalposts.jsonl"
TRAIN = ROOT / "integrations" / "openrlhf" / "train.sh"
PARAMS = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 160, "logprobs": 1, "min_tokens": 1}


class Engine:
    """OpenRLHF's rollout actor, as an executor sees it."""

    def __init__(self):
        self.tokenizer = AutoTokenizer.from_pretrained(MICRO)
        model = AutoModelForCausalLM.from_pretrained(MICRO)
        self.decoder = Decoder(model, stop_ids=frozenset({self.tokenizer.eos_token_id}), pad_id=0)
        self.calls = 0
        self.down = False

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        if self.down:
            raise RuntimeError("CUDA error")
        self.calls += 1
        row = Row(
            prompt_ids=tuple(prompt_token_ids),
            max_new=min(sampling_params.max_tokens, 768 - len(prompt_token_ids)),
            temperature=1.0,
            top_p=1.0,
            seed=str(self.calls),
            dropped=None,
        )
        row.dropped = SimpleNamespace(is_set=lambda: False)
        self.decoder.decode([row])
        sampling_params.max_tokens = 0  # whoever shares the object notices
        chosen = [{one: SimpleNamespace(logprob=value)} for one, value in zip(row.token_ids, row.logprobs, strict=True)]
        text = self.tokenizer.decode(row.token_ids)
        output = SimpleNamespace(token_ids=row.token_ids, text=text, finish_reason=row.finish_reason, logprobs=chosen)
        return SimpleNamespace(outputs=[output])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run made by the command, and the trainer's environment."""
    folder = tmp_path / "run"
    rows = command(folder, tmp_path / "tickets.jsonl", "--set", "mix.lift=0", "--set", "rules.rollouts=2")
    monkeypatch.setenv("GASP_RUN", str(folder))
    return SimpleNamespace(folder=folder, rows=rows)


def command(folder, out, *more, form="openrlhf", rows=12):
    words = ["tickets", "--run", folder, "--goalposts", GOALPOSTS, "--out", out, "--format", form, "--rows", rows]
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words), "--set", "rules.prompt_style=compact", *more])
    assert stop.value.code in (None, 0)
    return [json.loads(line) for line in out.read_text().splitlines()]


def load_executor():
    """As ``openrlhf/trainer/ray/vllm_engine.py`` does it."""
    path = subprocess.run(
        [sys.executable, "-m", "gasp_env.cli", "path", "openrlhf"], capture_output=True, text=True, check=True
    )
    spec = importlib.util.spec_from_file_location("agent_module", path.stdout.strip())
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.AgentExecutor, AgentExecutorBase)
    return module.AgentExecutor()


def execute(engine, rows, *, samples=2, **params):
    """As ``RolloutRayActor.generate_responses`` does it: the sampling parameters are one object."""

    async def go():
        executor = load_executor()
        shared = SimpleNamespace(**(PARAMS | params))
        calls = [
            executor.execute(
                prompt=row["prompt"],
                label=row["label"],
                sampling_params=shared,
                max_length=768,
                hf_tokenizer=engine.tokenizer,
                llm_engine=engine,
                images=None,
            )
            for row in rows
            for _ in range(samples)
        ]
        try:
            found = await asyncio.gather(*calls)
        finally:
            await executor.close()
        assert vars(shared) == PARAMS | params
        return found

    return asyncio.run(go())


def test_a_group_of_episodes(run):
    engine = Engine()
    found = execute(engine, run.rows[:2])
    folder = RunFolder.open(run.folder)
    rows = {row.episode_id: row for row in folder.all_transcripts()}
    assert len(rows) == 4
    texts = {row.result.turns[0].completions[0] for row in rows.values()}
    for one in found:
        assert set(one) == {
            "prompt", "label", "images", "mm_train_inputs", "reward", "scores", "observation_tokens", "action_ranges",
            "rollout_log_probs", "truncated", "extra_logs",
        }  # fmt: skip
        ((start, end),) = one["action_ranges"]
        assert end == len(one["observation_tokens"]) == len(one["rollout_log_probs"])
        assert engine.tokenizer.decode(one["observation_tokens"][start:end], skip_special_tokens=True) in texts
        assert one["rollout_log_probs"][:start] == [0.0] * start and min(one["rollout_log_probs"]) < 0
        assert tuple(one["extra_logs"]) == LOG_KEYS and all(
            type(value) is float for value in one["extra_logs"].values()
        )
        assert 0 <= one["scores"] <= 1
    prompts = [tuple(one["observation_tokens"][: one["action_ranges"][0][0]]) for one in found]
    assert all(prompts[at] == prompts[at + 1] for at in range(0, 4, 2)), "a group plays one ticket"
    with open_curriculum(folder.store_url, folder.manifest.config) as curriculum:
        assert set(curriculum.state.settled) == set(rows)


def test_openrlhf_reads_it(run, monkeypatch):
    """Its own code turns a response into an experience (vLLM is not installed here and not called there)."""
    pytest.importorskip("ray")
    for name in ("vllm", "vllm.inputs", "vllm.utils"):
        monkeypatch.setitem(sys.modules, name, MagicMock(name=name))
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    (one,) = execute(Engine(), run.rows[:1], samples=1)
    experience = SamplesGenerator._process_response_into_experience(None, one, max_len=768)
    start, end = one["action_ranges"][0]
    assert experience.action_mask.sum().item() == end - start
    assert experience.rewards.item() == pytest.approx(one["reward"]) and experience.info["gasp_probes"].item() >= 0


def test_a_dead_engine_stops_the_trainer_in_its_own_words(run):
    engine = Engine()
    engine.down = True
    with pytest.raises(RuntimeError, match="CUDA"):
        execute(engine, run.rows[:1])
    assert not list(RunFolder.open(run.folder).all_transcripts())


def test_a_prompt_that_does_not_fit_has_the_mean_of_its_kind(run):
    (one,) = execute(Engine(), run.rows[:1], samples=1, max_tokens=1)
    assert one["truncated"] and len(one["observation_tokens"]) > 2

    async def go():
        engine, executor = Engine(), load_executor()
        found = await executor.execute(
            "x", run.rows[0]["label"], SimpleNamespace(**PARAMS), 3, engine.tokenizer, engine
        )
        await executor.close()
        return found

    masked = asyncio.run(go())
    assert masked["reward"] == 0.0 and masked["scores"] == 0.5 and masked["extra_logs"]["gasp_masked"] == 1.0
    assert masked["action_ranges"] == [(1, 2)] and masked["rollout_log_probs"] == [0.0, 0.0]


def test_what_is_not_set_up_is_one_clear_error(run, monkeypatch):
    with pytest.raises(DataError, match="no ticket"):
        execute(Engine(), [{"prompt": "x", "label": "What is 2 + 2?"}])
    monkeypatch.delenv("GASP_RUN")
    with pytest.raises(ConfigError, match="GASP_RUN: is not set"):
        execute(Engine(), run.rows[:1])


def test_the_reward_function_grades_real_problems(tmp_path, monkeypatch):
    rows = command(tmp_path / "run", tmp_path / "rows.jsonl", "--profile", "rlvr", form="openrlhf-reward", rows=2)
    monkeypatch.setenv("GASP_RUN", str(tmp_path / "run"))
    goalpost = RunFolder.open(tmp_path / "run").goalposts()[0]
    tokenizer = AutoTokenizer.from_pretrained(MICRO)
    prompt = tokenizer.apply_chat_template(rows[0]["prompt"], tokenize=False, add_generation_prompt=True)
    right, wrong = f"```python\n{goalpost.reference}\n```", "```python\ndef f(xs):\n    return xs\n```"
    found = reward_func([prompt + right, prompt + wrong], [prompt] * 2, [rows[0]["label"]] * 2)
    assert [one["scores"] for one in found] == [1.0, 0.0]
    endings = (
        "<|im_end|>",
        "<|endoftext|>\n",
        "</s>",
        "<\uff5cend\uff5c>",
        "<|im_end|>\n<|endoftext|><|endoftext|>",
    )
    with ThreadPoolExecutor(4) as threads:  # as the trainer does, which decodes with special tokens
        answers = threads.map(lambda end: reward_func([prompt + right + end], [prompt], [rows[0]["label"]]), endings)
        assert [one["scores"] for (one,) in answers] == [1.0] * len(endings)
    assert len(list((tmp_path / "run").glob("transcripts-*.jsonl"))) == 1
    leave_runs()
    assert found[0]["extra_logs"]["gasp_reward"] == 1.0 > found[1]["extra_logs"]["gasp_reward"]


@pytest.mark.parametrize("profile", ["gasp", "azr", "rlvr", "gasp+rlvr"])
def test_the_launch_script_speaks_the_real_command_line(profile, tmp_path):
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "GOALPOSTS": "g.jsonl", "PRINT": "1"}
    done = subprocess.run(["bash", TRAIN, profile], env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    options = real_parser().parse_args(done.stdout.splitlines())
    named = vars(options)
    assert bool(named["train.agent_func_path"]) == (profile != "rlvr")
    assert bool(named["reward.remote_url"]) == (profile == "rlvr")
    assert named["algo.advantage.estimator"] == "reinforce" and named["actor.adam.lr"] == 1e-6


def real_parser():
    """The parser of OpenRLHF's own command, built by its own lines."""
    file = Path(importlib.util.find_spec("openrlhf").origin).parent / "cli" / "train_ppo_ray.py"
    tree = ast.parse(file.read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    lines = []
    for node in block.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "args":
            break
        lines.append(node)
    space = {"argparse": argparse, "datetime": __import__("datetime").datetime, "os": __import__("os")}
    exec(compile(ast.Module(body=lines, type_ignores=[]), str(file), "exec"), space)
    return space["parser"]
