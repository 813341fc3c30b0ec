"""Measure a micro policy without executing anything it writes.

Programs are mapped back to primitives by `domain.parse` and run by the primitives' callables; a program with a line that is
none of the known forms counts as wrong, so the figures are lower bounds. ``evaluate.py`` measures in the sandbox.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from domain import Hardness, Step, Value, draw_inputs, draw_program, fits, message, parse, run
from pairs import Pair, draw_pair, solve_prompt
from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ("answers", "judge_policy", "judge_proposal", "judge_solution", "questions", "sample")

FENCE = re.compile(r"```(\w+)\n(.*?)\n```", re.DOTALL)
CHUNK = 256
TRIES = 16
VALUE = re.compile(r"-?(?:0|[1-9]\d{0,6})|\[\]|\[-?(?:0|[1-9]\d{0,6})(?:, -?(?:0|[1-9]\d{0,6})){0,63}\]")


@torch.no_grad()
def sample(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], *, n: int, max_new: int = 240
) -> list[list[str]]:
    """Sample ``n`` answers a prompt at temperature 1."""
    flat = [f"<user>{p}<assistant>" for p in prompts for _ in range(n)]
    order = sorted(range(len(flat)), key=lambda i: len(flat[i]))
    texts = [""] * len(flat)
    for start in range(0, len(order), CHUNK):
        rows = order[start : start + CHUNK]
        batch = tokenizer([flat[i] for i in rows], return_tensors="pt", padding=True, add_special_tokens=False).to(
            model.device
        )
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max_new,
        )
        new = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        for i, text in zip(rows, new, strict=True):
            texts[i] = text
    return [texts[i * n : (i + 1) * n] for i in range(len(prompts))]


def answers(text: str) -> dict[str, str]:
    """The fenced blocks of an answer by tag."""
    return dict(FENCE.findall(text))


def _value(text: str) -> Value | None:
    """A list of integers or an integer, read without evaluating the text; None for anything else."""
    return json.loads(text) if VALUE.fullmatch(text) else None


def judge_proposal(text: str) -> tuple[Step, ...] | None:
    """The steps of a valid proposal: a known program, at least ten lists, a message; None if it is not one."""
    blocks = answers(text)
    steps = parse(blocks.get("python", ""))
    lists = [_value(line) for line in blocks.get("inputs", "").split("\n")][:10]
    usable = len(lists) == 10 and all(isinstance(xs, list) for xs in lists)
    return steps if steps and usable and blocks.get("message") else None


def judge_solution(text: str, made: Pair) -> bool:
    """True if the program equals the question's on all inputs."""
    steps = parse(answers(text).get("python", ""))
    return steps is not None and all(run(steps, xs) == run(made.steps, xs) for xs in made.inputs)


def questions(rng: random.Random, n: int, length: int, tail: int) -> list[Pair]:
    """Fresh induction questions with this many steps and tail primitives."""
    out: list[Pair] = []
    while len(out) < n:
        steps = draw_program(rng, length, tail=tail)
        inputs = draw_inputs(rng, 10, Hardness.USUAL)
        if fits(steps, inputs):
            prompt = solve_prompt(message(steps), steps, inputs)
            out.append(
                Pair(kind="solve", prompt=prompt, answer="", steps=steps, inputs=tuple(tuple(x) for x in inputs))
            )
    return out


def judge_policy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, cells: int, seed: int
) -> dict[str, Any]:
    """Figures a task: solve by length and tail count, proposals by stage, deduction, abduction."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    report: dict[str, Any] = {"questions_a_cell": cells, "tries": TRIES, "solve": {}}
    for length, tail in ((1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1), (3, 1), (2, 2), (3, 3), (4, 4)):
        asked = questions(rng, cells, length, tail)
        texts = sample(model, tokenizer, [q.prompt for q in asked], n=TRIES, max_new=110)
        solved = [[judge_solution(t, q) for t in row] for q, row in zip(asked, texts, strict=True)]
        report["solve"][f"{length} steps, {tail} tail"] = {
            "pass@1": round(sum(map(sum, solved)) / (cells * TRIES), 3),
            f"pass@{TRIES}": round(sum(map(any, solved)) / cells, 3),
        }
    for kind in ("lemma", "lift"):
        report[kind] = _judge_teacher(model, tokenizer, [draw_pair(rng, kind) for _ in range(4 * cells)])
    for kind in ("output", "input"):
        asked = [draw_pair(rng, kind) for _ in range(4 * cells)]
        texts = sample(model, tokenizer, [q.prompt for q in asked], n=1, max_new=64)
        report[kind] = _share(_fits_question(t[0], q) for t, q in zip(texts, asked, strict=True))
    return report


def _judge_teacher(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, asked: Sequence[Pair]
) -> dict[str, float]:
    texts = sample(model, tokenizer, [q.prompt for q in asked], n=1)
    found = [judge_proposal(t[0]) for t in texts]
    told = [bool(f) and answers(t[0]).get("message") == message(f) for f, t in zip(found, texts, strict=True) if f]
    return {"valid": _share(f is not None for f in found), "message tells the program, of valid": _share(told)}


def _fits_question(text: str, made: Pair) -> bool:
    value = _value(answers(text).get(made.kind, ""))
    wanted = run(made.steps, made.inputs[0])
    if made.kind == "output":
        return value == wanted
    return isinstance(value, list) and run(made.steps, value) == wanted


def _share(flags: Iterable[bool]) -> float:
    listed = list(flags)
    return round(sum(listed) / max(len(listed), 1), 3)
