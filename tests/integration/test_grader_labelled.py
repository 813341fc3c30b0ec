"""The grader on programs with published verdicts; their texts may not be republished, so a folder is named from outside."""

import asyncio

import labelled
import pytest

from gasp_env.play.grade_suite import Grader, GradeSettings
from gasp_env.sandbox import open_local
from gasp_env.tasks import LCB_V5_EVAL, LCB_V5_TRAIN, Source, load_problems
from gasp_env.types import Verdict

FOLDER = labelled.data_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="GASP_ENV_DATA names no folder of labelled programs")
KNOWN = {"3414 O1-Mini", "abc324_d O1-Preview", "abc363_c O1-Mini", "abc366_e O1-Mini"}
"""Right in another class than officially: docs/grader_disagreements.md."""


def differing(rows, **settings):
    async def main():
        async with await open_local(site_packages=True) as sandbox:
            grader = Grader(sandbox, GradeSettings(**settings))
            found = [(one, (await grader.grade(one.problem, [one.program]))[0]) for one in rows]
            return {one.id for one, graded in found if graded.verdict not in one.expected}

    return asyncio.run(main())


def canonical(path):
    problems = load_problems(path)

    async def main():
        async with await open_local() as sandbox:
            grader = Grader(sandbox)
            return [one.id for one in problems if not (await grader.grade(one, [one.reference]))[0].solved]

    return len(problems), asyncio.run(main())


def test_the_paper_windows_of_livecodebench():
    path = FOLDER / "lcb_v5_problems" / "problems.jsonl"
    assert [len(list(Source(path=path, window=window))) for window in (LCB_V5_TRAIN, LCB_V5_EVAL)] == [601, 279]
    assert len(load_problems(FOLDER / "lcb_real_rows" / "test.jsonl")) == 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "count"), [("humaneval/HumanEval.jsonl.gz", 164), ("mbpp/mbpp.jsonl", 974)])
def test_canonical_solutions_pass(name, count):
    assert canonical(FOLDER / name) == (count, [])


@pytest.mark.parametrize("label", ["pass_all", "fail_grader_artifact"])
def test_right_programs_pass(label):
    assert not differing([one for one in labelled.livecodebench(FOLDER) if one.label == label])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wrong_programs_fail_in_the_official_class():
    assert differing([one for one in labelled.livecodebench(FOLDER) if one.label == "fail_on_test"]) <= KNOWN


def test_official_semantics_fail_what_their_quirks_failed():
    rows = labelled.livecodebench(FOLDER, mode="lcb")
    assert not differing([one for one in rows if one.label == "fail_grader_artifact"], mode="lcb")


def test_reflexion_labels_agree_but_for_programs_that_pass_their_published_test():
    rows = list(labelled.reflexion(FOLDER))
    found = differing(rows)
    unsolved = {one.id for one in rows if Verdict.OK not in one.expected}
    assert found <= unsolved and len(found) <= 5
