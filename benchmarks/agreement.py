"""Runs the grader on every labelled program of GASP_ENV_DATA and writes the table of disagreements.

    GASP_ENV_DATA=... python benchmarks/agreement.py docs/grader_disagreements.md

The folder holds humaneval/, mbpp/, lcb_labelled/ and reflexion_labelled/ as described in docs/evaluation.md.
"""

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import labelled
from labelled import Labelled

from gasp_env.play.grade_suite import Graded, Grader, GradeSettings
from gasp_env.sandbox import open_local
from gasp_env.sandbox.protocol import Sandbox
from gasp_env.tasks import load_problems

Counts = dict[str, tuple[int, int]]
Found = tuple[Labelled, Graded]
CPU_S = 6.0
"""Official."""
RACE = "a thread that is never joined: the official grader takes what was printed before it ends, by chance; here never"
CAUSES = {
    "3414 O1-Mini": "returns a number of 134 million bits: refused for its size here, fails while it is printed officially",
    "abc366_e O1-Mini": "a thread that is never joined and never ends: officially cut off before it prints, here the time limit",
    "abc324_d O1-Preview": "a thread that is never joined: officially cut off before it prints, here it runs into the time limit",
    "abc359_d O1-Mini": "readline, then read: the mock of commit 28fef95 gives all of the input again; the label was made with an earlier build, whose stdin was a StringIO",
    "abc363_c O1-Mini": "needs 6 s of CPU, the limit itself: on a fast machine it is in time here and right",
    "reflexion": "published verdict of another run: the program passes the published test in an ordinary interpreter",
}


async def canonical(grader: Grader, path: Path) -> tuple[int, list[str]]:
    """How many references there are, and which fail their own tests."""
    problems = load_problems(path)
    bad = [one.id for one in problems if not (await grader.grade(one, [one.reference]))[0].solved]
    return len(problems), bad


async def run(sandbox: Sandbox, rows: Iterable[Labelled], settings: GradeSettings) -> tuple[Counts, list[Found]]:
    """Programs and agreements by label, and what differs."""
    grader, found, counts = Grader(sandbox, settings), list[Found](), Counts()
    for one in rows:
        (graded,) = await grader.grade(one.problem, [one.program])
        agrees = graded.verdict in one.expected
        total, right = counts.get(one.label, (0, 0))
        counts[one.label] = (total + 1, right + agrees)
        if not agrees:
            found.append((one, graded))
    return counts, found


def cause(one: Labelled, mode: str) -> str:
    """Why they differ, as far as it was looked into."""
    if one.id in CAUSES:
        return CAUSES[one.id]
    if one.label.startswith("reflexion"):
        return CAUSES["reflexion"]
    return RACE if mode == "lcb" and "hreading" in one.program and ".join()" not in one.program else "unexplained"


async def main(folder: Path) -> str:
    """The table."""
    lines = [
        "# Where the grader and a published label differ",
        "",
        "Made by `benchmarks/agreement.py`; ids only, no texts.",
        "",
    ]
    table = ["| mode | label | programs | agree |", "|---|---|---|---|"]
    rows = ["| mode | id | label | verdict here | cause |", "|---|---|---|---|---|"]
    async with await open_local(site_packages=True) as sandbox:
        for name in ("humaneval/HumanEval.jsonl.gz", "mbpp/mbpp.jsonl"):
            total, bad = await canonical(Grader(sandbox), folder / name)
            table.append(f"| default | {name.split('/')[0]} canonical | {total} | {total - len(bad)} |")
            rows += [f"| default | {one} | canonical | fails | unexplained |" for one in bad]
        parts = [
            ("default", labelled.livecodebench(folder)),
            ("default", labelled.reflexion(folder)),
            ("lcb", labelled.livecodebench(folder, mode="lcb")),
        ]
        for mode, source in parts:
            began = time.monotonic()
            counts, found = await run(sandbox, source, GradeSettings(mode=mode, cpu_s=CPU_S))
            print(mode, counts, f"{time.monotonic() - began:.0f} s", flush=True)
            table += [f"| {mode} | {label} | {total} | {right} |" for label, (total, right) in counts.items()]
            rows += [
                f"| {mode} | {one.id} | {one.label} | {graded.verdict} | {cause(one, mode)} |" for one, graded in found
            ]
    print("\n".join(rows))
    return "\n".join([*lines, *table, "", *rows, ""])


if __name__ == "__main__":
    found = labelled.data_folder()
    if found is None:
        sys.exit("set GASP_ENV_DATA to the folder of the labelled files")
    Path(sys.argv[1]).write_text(asyncio.run(main(found)), encoding="utf-8")
