"""Figures of an evaluation: pass@k with intervals, splits, pairs; files that open again."""

import asyncio
import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from problem_files import LCB_STDIN, write

from gasp_env.errors import ConfigError, DataError
from gasp_env.evaluate import (
    EvalManifest,
    Evaluation,
    TaskRecord,
    check_ground_truth,
    goalposts_solved,
    paired,
    pass_curve,
    read_records,
    summarize,
    summary_table,
    write_report,
)
from gasp_env.play.answers import Asker, extracted, prompt_for
from gasp_env.play.grade_suite import Graded, GradeMode, GradeSettings
from gasp_env.play.lines import Lines
from gasp_env.policy import Sampling, ScriptedPolicy
from gasp_env.tasks import load_problems, read_samples
from gasp_env.types import Verdict


def task(name, solved, n=10, **fields):
    return TaskRecord(id=name, verdicts=("ok",) * solved + ("wrong",) * (n - solved), **fields)


def test_pass_at_k_is_the_unbiased_mean():
    found = summarize([task("a", 5), task("b", 0)], (1, 5, 10))
    assert [one.k for one in found.estimates] == [1, 5, 10]
    assert [one.value for one in found.estimates] == pytest.approx([25.0, 50 * (1 - 1 / 252), 50.0])
    assert all(one.low <= one.value <= one.high for one in found.estimates)
    assert found.solved_tasks == 1 and found.verdicts == {"ok": 5, "wrong": 15} and not found.warnings


def test_too_few_samples_leave_k_out_with_a_warning():
    found = summarize([task("a", 5), task("b", 1, n=3)], (1, 3, 5))
    assert [one.k for one in found.estimates] == [1, 3]
    assert found.warnings == ("pass@5 is left out: a task has only 3 graded samples, fewer than 5",)


def test_masked_samples_count_neither_way():
    masked = TaskRecord(id="a", verdicts=("ok", "sandbox_failure", "policy", "wrong"))
    lost = TaskRecord(id="b", verdicts=("sandbox_failure",))
    found = summarize([masked, lost], (1,))
    assert found.estimates[0].value == 50 and found.masked == 3 and len(found.warnings) == 2
    with pytest.raises(DataError, match="no task has a graded sample"):
        summarize([lost])


def test_splits():
    records = [
        task("a", 10, difficulty="easy", platform="atcoder", date="2024-08-01T00:00:00"),
        task("b", 0, difficulty="hard", platform="atcoder", date="2024-09-01T00:00:00"),
    ]
    splits = summarize(records, (1,)).splits
    assert {name: found[0].value for name, found in splits["difficulty"].items()} == {"easy": 100.0, "hard": 0.0}
    assert list(splits["month"]) == ["2024-08", "2024-09"] and splits["platform"]["atcoder"][0].tasks == 2
    assert summarize([task("a", 1)], (1,)).splits == {"difficulty": {}, "platform": {}, "month": {}}
    assert "by difficulty" in summary_table(summarize(records, (1,)))


def test_runs_are_compared_on_their_common_tasks():
    first = [task(str(at), 2) for at in range(30)] + [task("only", 10)]
    second = [task(str(at), 4) for at in range(30)]
    found = paired(first, second, 1)
    assert (found.tasks, found.better, found.worse) == (30, 30, 0)
    assert found.difference == pytest.approx(20) and found.low == pytest.approx(20) == found.high
    with pytest.raises(DataError, match="no task"):
        paired(first, [task("else", 1)], 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_a_comparison_is_antisymmetric(pairs):
    first, second = ([task(str(at), pair[side], n=5) for at, pair in enumerate(pairs)] for side in (0, 1))
    there, back = paired(first, second, 2), paired(second, first, 2)
    assert there.difference == pytest.approx(-back.difference) and there.better == back.worse


def test_goalposts_solved_by_seed_and_their_overlap():
    runs = {"s0": [task("a", 1), task("b", 1), task("c", 0)], "s1": [task("a", 2), task("b", 0)], "s2": [task("a", 1)]}
    found = goalposts_solved(runs)
    assert found["per_seed"] == {"s0": 2, "s1": 1, "s2": 1} and found["union"] == 2 and found["in_every_seed"] == 1


def test_the_figure_is_whole_xml_and_names_are_escaped():
    estimates = summarize([task("a", 5), task("b", 1)], (1, 5, 10)).estimates
    for series in ({"<run>&": estimates, "b": estimates[:1]}, {}):
        ET.fromstring(pass_curve(series))


def test_a_report_is_read_back(tmp_path):
    records = [task("a", 5), task("b", 1)]
    Lines(tmp_path / "tasks.jsonl", TaskRecord).append(records)
    manifest = EvalManifest(problems="p", problems_hash="h", answers="x", settings={}, gasp_env="0", created="now")
    table = write_report(tmp_path, manifest, summarize(records), compared=("other", [paired(records, records, 1)]))
    assert "minus other" in table and read_records(tmp_path) == records
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["summary"]["estimates"][0]["value"] == 30.0 and told["compared_with"]["paired"][0]["difference"] == 0
    with pytest.raises(ConfigError, match="no evaluation"):
        read_records(tmp_path / "none")


def test_references_must_pass():
    check_ground_truth(100, ["a"], force=False)
    check_ground_truth(0, [], force=False)
    check_ground_truth(10, ["a"], force=True)
    with pytest.raises(DataError, match=r"9 of 10 references \(90.0 %\)"):
        check_ground_truth(10, ["a"], force=False)


# ---- answers


@pytest.mark.parametrize(
    ("text", "default", "official"),
    [
        ("print(1)", "print(1)", "print(1)"),
        ("So:\n```python\nprint(1)\n```\ndone", "print(1)", "print(1)"),
        ("```python\na\n```\n```\nb\n```", "b", "b"),
        ("```python\na", "", ""),
        ("```python\na\n```\nThus ```x``` it is", "a", ""),
    ],
)
def test_the_program_in_an_answer(text, default, official):
    assert (extracted(text), extracted(text, GradeMode.LCB)) == (default, official)


def test_samples_in_their_forms(tmp_path):
    file = tmp_path / "s.jsonl"
    rows = [
        {"task_id": "a", "completion": "x"},
        {"task_id": "a", "completion": None},
        {"question_id": 7, "code_list": ["p", "q"], "output_list": ["long", "long"]},
        {"id": "b", "completions": []},
    ]
    assert read_samples(write(file, *rows)) == {"a": ["x", None], "7": ["p", "q"], "b": []}
    (tmp_path / "l.json").write_text(json.dumps([{"question_id": "1", "code_list": ["p"]}]))
    assert read_samples(tmp_path / "l.json") == {"1": ["p"]}
    for bad, field in (
        ({"completion": "x"}, "task_id"),
        ({"task_id": "a"}, "completion"),
        ({"id": "a", "code": 3}, "code"),
    ):
        with pytest.raises(DataError, match=f"row 1, field `{field}`"):
            read_samples(write(file, bad))


class Judge:
    """Grades by a word; counts what it was given."""

    settings = GradeSettings()

    def __init__(self):
        self.graded = 0

    async def grade(self, _problem, programs):
        self.graded += len(programs)
        verdicts = [
            Verdict.OK if "right" in one else Verdict.SANDBOX_FAILURE if "fault" in one else Verdict.WRONG
            for one in programs
        ]
        return [
            Graded(solved=None if one is Verdict.SANDBOX_FAILURE else one is Verdict.OK, verdicts=(one,))
            for one in verdicts
        ]


def problems(tmp_path, count=5):
    rows = [LCB_STDIN | {"question_id": str(at), "question_title": str(at)} for at in range(count)]
    return load_problems(write(tmp_path / "set.jsonl", *rows))


def test_an_evaluation_goes_on_where_it_ended(tmp_path):
    found, asked = problems(tmp_path), []

    def answer(messages, _role, rng):
        asked.append(messages)
        return rng.choice(["right", "wrong", "fault", "```python\n```"])

    def run(part):
        asker = Asker(policy=ScriptedPolicy(answer), sampling=Sampling(seed=3))
        judge = Judge()
        evaluation = Evaluation(folder=tmp_path / "e", grader=judge, answers=asker, n=4, concurrency=2)
        return asyncio.run(evaluation.run(part)), judge.graded

    first, _ = run(found[:3])
    calls = len(asked)
    every, _ = run(found)
    assert every[:3] == first and [one.id for one in every] == [one.id for one in found]
    assert len(asked) - calls == 2 * 4  # only the two new problems
    assert (run(found)) == (every, 0)
    saved = read_samples(tmp_path / "e" / "samples.jsonl")
    again = Evaluation(folder=tmp_path / "again", grader=Judge(), answers=saved)
    assert asyncio.run(again.run(found)) == every
    assert found[0].statement in prompt_for(found[0])[-1].content


def test_problems_without_samples_are_named(tmp_path):
    found = problems(tmp_path)
    run = Evaluation(folder=tmp_path / "e", grader=Judge(), answers={"1": ["right", None]})
    (record,) = asyncio.run(run.run(found))
    assert record.verdicts == ("ok", "policy") and run.missing == ["0", "2", "3", "4"]
    with pytest.raises(ConfigError, match="do the ids"):
        asyncio.run(Evaluation(folder=tmp_path / "f", grader=Judge(), answers={"x": []}).run(found))
