"""Measure a micro policy in the project's sandbox: solve rates on questions by length and rarity, and on goalposts.

Run: ``python examples/micro/evaluate.py --policy examples/micro/policy`` (adds the figures to its provenance.json).
"""

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from domain import pair, parse, run
from judge import answers, questions, sample
from pairs import Pair
from transformers import AutoModelForCausalLM, AutoTokenizer

from gasp_env.sandbox import open_local
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.tasks.jsonl import load_goalposts
from gasp_env.types import Goalpost, Job, Limits, Verdict
from gasp_env.values import encode

__all__ = ("main",)

HERE = Path(__file__).parent
CELLS = ((1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1), (3, 1), (2, 2), (3, 3))
LIMITS = Limits(cpu_s=1.0, job_cpu_s=5.0, memory_mb=256)

Wanted = tuple[tuple[str, ...], tuple[str, ...]]
"""Inputs as literals, outputs as canonical values."""


async def grade(sandbox: Sandbox, texts: Sequence[str], wanted: Wanted) -> list[bool]:
    """True for each answer whose program gives all the wanted outputs."""
    inputs, outputs = wanted
    jobs = [
        Job(program=answers(t).get("python", "raise SystemExit"), inputs=inputs, limits=LIMITS, stop_early=True)
        for t in texts
    ]
    done = await sandbox.run(jobs)
    return [
        all(test.verdict is Verdict.OK and test.value == value for test, value in zip(job.tests, outputs, strict=True))
        for job in done
    ]


def of_pair(made: Pair) -> Wanted:
    """The question's tests."""
    return tuple(repr(list(xs)) for xs in made.inputs), tuple(encode(run(made.steps, xs)) for xs in made.inputs)


def of_goalpost(goalpost: Goalpost) -> Wanted:
    """The goalpost's tests, hidden ones included."""
    return tuple(t.input for t in goalpost.tests), tuple(t.output for t in goalpost.tests)


def goalpost_prompt(goalpost: Goalpost) -> str:
    """The goalpost put as a compact induction prompt; its reference gives the visible values."""
    steps = parse(goalpost.reference or "")
    if steps is None:
        raise ValueError(f"{goalpost.id}: the reference is not a program of the micro domain")
    lines = (pair(steps, json.loads(t.input)) for t in goalpost.visible)
    return "\n".join(("solve", goalpost.statement, *lines))


def rates(solved: Sequence[Sequence[bool]], n: int) -> dict[str, float]:
    """Mean pass@1 and the share of questions solved at least once in ``n``."""
    flat = [ok for row in solved for ok in row]
    return {"pass@1": round(sum(flat) / len(flat), 4), f"pass@{n}": round(sum(map(any, solved)) / len(solved), 3)}


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    tokenizer = AutoTokenizer.from_pretrained(args.policy)
    model = AutoModelForCausalLM.from_pretrained(args.policy).eval()
    rng = random.Random(args.seed)
    torch.manual_seed(args.seed)
    sandbox = await open_local()
    report: dict[str, Any] = {
        "questions_a_cell": args.cells,
        "seed": args.seed,
        "sandbox": sandbox.report.level,
        "solve": {},
    }

    async def solve(prompts: list[str], wanted: list[Wanted]) -> dict[str, float]:
        texts = sample(model, tokenizer, prompts, n=args.n, max_new=110)
        solved = [await grade(sandbox, row, w) for row, w in zip(texts, wanted, strict=True)]
        return rates(solved, args.n)

    try:
        for length, tail in CELLS:
            asked = questions(rng, args.cells, length, tail)
            figures = await solve([q.prompt for q in asked], [of_pair(q) for q in asked])
            report["solve"][f"{length} steps, {tail} tail"] = figures
        goalposts = load_goalposts(HERE / "goalposts.jsonl")
        report["goalposts"] = await solve([goalpost_prompt(g) for g in goalposts], [of_goalpost(g) for g in goalposts])
    finally:
        await sandbox.close()
    return report


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, default=HERE / "policy")
    parser.add_argument("--cells", type=int, default=20, help="questions a cell")
    parser.add_argument("--n", type=int, default=16, help="samples a question")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = asyncio.run(measure(args))
    print(json.dumps(report, indent=2))
    path = args.policy / "provenance.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(record | {"checks_in_sandbox": report}, indent=2) + "\n")


if __name__ == "__main__":
    main()
