"""The checked-in micro policy: tokenizer round trip, loading offline, generating, and the judge that executes nothing."""

import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

MICRO = Path(__file__).parents[2] / "examples" / "micro"
POLICY = MICRO / "policy"
sys.path.insert(0, str(MICRO))

import domain  # noqa: E402
import judge  # noqa: E402
import pairs  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(POLICY, local_files_only=True)


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return transformers.AutoModelForCausalLM.from_pretrained(POLICY, local_files_only=True).eval()


@given(seed=st.integers(0, 2**32))
def test_domain_text_round_trips(tokenizer, seed: int) -> None:
    made = pairs.draw_pair(random.Random(seed))
    for text in (made.prompt, made.answer):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


@given(text=st.text(max_size=60).filter(lambda t: "<" not in t))
def test_any_text_round_trips(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_prompts_fit_and_answers_are_short(tokenizer) -> None:
    rng = random.Random(0)
    for _ in range(200):
        made = pairs.draw_pair(rng)
        assert len(tokenizer.encode(made.prompt)) + len(tokenizer.encode(made.answer)) < 512


def test_chat_template_is_what_pretraining_used(tokenizer) -> None:
    chat = [{"role": "user", "content": "solve\nsort"}]
    assert (
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        == "<user>solve\nsort<assistant>"
    )
    answered = [*chat, {"role": "assistant", "content": "x"}]
    assert tokenizer.apply_chat_template(answered, tokenize=False) == "<user>solve\nsort<assistant>x<eos>"
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.padding_side) == ("<eos>", "<pad>", "left")


def test_folder_is_small_and_has_provenance(model) -> None:
    assert sum(f.stat().st_size for f in POLICY.iterdir()) < 4_200_000
    record = json.loads((POLICY / "provenance.json").read_text())
    assert record["parameters"] == sum(p.numel() for p in model.parameters())
    assert {"script", "settings", "device", "training", "checks_by_trusted_interpreter"} <= set(record)


def test_it_writes_programs_for_common_steps(model, tokenizer) -> None:
    torch.manual_seed(0)
    asked = judge.questions(random.Random(0), 8, 1, 0)
    texts = judge.sample(model, tokenizer, [q.prompt for q in asked], n=4, max_new=60)
    solved = sum(judge.judge_solution(t, q) for q, row in zip(asked, texts, strict=True) for t in row)
    assert solved >= 8  # a quarter; a policy that can't write the format solves none


def test_it_proposes_questions(model, tokenizer) -> None:
    torch.manual_seed(0)
    rng = random.Random(1)
    asked = [pairs.draw_pair(rng, kind).prompt for kind in ("lemma", "lift") * 6]
    texts = judge.sample(model, tokenizer, asked, n=1)
    assert sum(judge.judge_proposal(row[0]) is not None for row in texts) >= 3


def test_judge_accepts_an_equivalent_program_and_refuses_others() -> None:
    steps = (domain.Step("square"),)
    inputs = ((1, 2), (3,), (-4, 5))
    made = pairs.Pair(kind="solve", prompt="", answer="", steps=steps, inputs=inputs)
    assert judge.judge_solution(pairs.fence("python", "def f(xs):\n    xs = [x ** 2 for x in xs]\n    return xs"), made)
    assert not judge.judge_solution(pairs.fence("python", "def f(xs):\n    xs = sorted(xs)\n    return xs"), made)
    assert not judge.judge_solution("def f(xs): ...", made)


@given(seed=st.integers(0, 2**32))
def test_judge_accepts_training_proposals(seed: int) -> None:
    made = pairs.draw_pair(random.Random(seed), "lift")
    assert judge.judge_proposal(made.answer) == made.steps


@pytest.mark.parametrize("line", ["[1, 2,]", "1+1", "[True]", "'a'", "[" * 50, "[00]", "None"])
def test_judge_reads_lists_of_integers_only(line: str) -> None:
    good = "\n".join(f"[{i}]" for i in range(9))
    blocks = (pairs.fence("python", "def f(xs):\n    xs = sorted(xs)\n    return xs"), pairs.fence("message", "sort"))
    assert judge.judge_proposal("\n".join((*blocks, pairs.fence("inputs", f"{good}\n[9]")))) is not None
    assert judge.judge_proposal("\n".join((*blocks, pairs.fence("inputs", f"{good}\n{line}")))) is None
