"""``gasp-env eval`` and ``gasp-env mine`` from the shell's side, on files and a scripted policy."""

import json

import pytest
from problem_files import CALL_PROGRAM, HUMANEVAL, LCB_CALL, LCB_STDIN, write

from gasp_env.cli import main
from gasp_env.tasks import load_goalposts

RIGHT = "print(input()[::-1])"
HARD = LCB_STDIN | {
    "question_id": "abc999_g",
    "question_title": "Hard",
    "question_content": "Read a word and print its rank among all permutations.",
    "private_test_cases": json.dumps([{"input": "ba\n", "output": "1\n"}, {"input": "xyz\n", "output": "0\n"}]),
    "public_test_cases": json.dumps([{"input": "cba\n", "output": "5\n"}]),
}


def run(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in argv])
    shown = capsys.readouterr()
    return stop.value.code, shown.out, " ".join(shown.err.split())


@pytest.fixture
def problems(tmp_path):
    return write(tmp_path / "set.jsonl", LCB_STDIN, HARD, LCB_CALL)


def samples(path, **answers):
    return write(path, *({"question_id": name.lstrip("_"), "code_list": found} for name, found in answers.items()))


def test_saved_answers_are_graded_again_without_the_model(capsys, tmp_path, problems):
    saved = samples(
        tmp_path / "s.jsonl", abc999_a=[RIGHT, "print(1)"], abc999_g=["print(0)"] * 2, _9001=[CALL_PROGRAM] * 2
    )
    common = ("eval", "--problems", problems, "--cpu-s", 2, "--level", "L1")
    code, out, err = run(capsys, *common, "--samples", saved, "--out", tmp_path / "one", "--k", 1, "--k", 2, "--k", 5)
    assert code == 0 and "@1 50.00" in out and "@2 66.67" in out and "pass@5 is left out" in out
    assert "no references" in err
    again = tmp_path / "one" / "samples.jsonl"
    code, out, _ = run(
        capsys,
        *common,
        "--samples",
        again,
        "--out",
        tmp_path / "two",
        "--baseline",
        tmp_path / "one",
        "--seed-of",
        tmp_path / "one",
    )
    assert code == 0 and "+0.00" in out and "2 together, 2 by every seed" in out
    assert (tmp_path / "one" / "tasks.jsonl").read_bytes() == (tmp_path / "two" / "tasks.jsonl").read_bytes()
    code, _, _ = run(capsys, *common, "--samples", again, "--out", tmp_path / "all", "--run-all")
    first = json.loads((tmp_path / "all" / "tasks.jsonl").read_text().splitlines()[0])
    assert code == 0 and first["tests"] == [["ok", "ok"], ["wrong", "wrong"]]
    report = json.loads((tmp_path / "two" / "report.json").read_text())
    assert report["manifest"]["settings"]["grading"]["mode"] == "default" and report["compared_with"]["paired"]
    assert (tmp_path / "two" / "pass_at_k.svg").read_text().startswith("<svg")


def test_a_window_and_official_semantics(capsys, tmp_path, problems):
    saved = samples(tmp_path / "s.jsonl", _9001=[CALL_PROGRAM])
    options = ("--samples", saved, "--window", "2024-08-01..", "--mode", "lcb", "--cpu-s", 2, "--level", "L1", "--k", 1)
    code, out, _ = run(capsys, "eval", "--problems", problems, "--out", tmp_path / "e", *options)
    assert code == 0 and "1 tasks, 1 samples" in out and "@1 100.00" in out


def test_a_report_on_broken_references_is_refused_unless_forced(capsys, tmp_path):
    broken = write(tmp_path / "h.jsonl", HUMANEVAL | {"canonical_solution": "    return []\n"})
    saved = write(tmp_path / "s.jsonl", {"task_id": "HumanEval/900", "completion": HUMANEVAL["canonical_solution"]})
    options = ("eval", "--problems", broken, "--samples", saved, "--cpu-s", 2, "--level", "L1", "--out", tmp_path / "e")
    code, _, err = run(capsys, *options)
    assert code == 2 and "0 of 1 references" in err and "--force" in err
    assert run(capsys, *options, "--force")[0] == 0


def test_a_policy_is_asked_and_mined(capsys, tmp_path, problems):
    policy = write(
        tmp_path / "policy.jsonl",
        {"role": "teacher", "text": "-"},
        {"role": "student", "text": f"```python\n{RIGHT}\n```"},
    )
    common = ("--cpu-s", 2, "--level", "L1", "--concurrency", 1)
    code, out, _ = run(
        capsys,
        "eval",
        "--problems",
        problems,
        "--policy",
        f"scripted:{policy}",
        "--n",
        2,
        "--out",
        tmp_path / "e",
        *common,
    )
    assert code == 0 and "3 tasks, 6 samples" in out and "@1 33.33" in out
    options = ("--checkpoint", f"1:base=scripted:{policy}", "--n", 6, "--stages", 2, "--out", tmp_path / "m", *common)
    code, out, err = run(capsys, "mine", "--problems", problems, *options)
    assert code == 0 and "round 1: 1 of 2 solved, 1 left" in out and "1:base to 2: 2 asked, 1 left" in err
    (goalpost,) = load_goalposts(tmp_path / "m" / "goalposts.jsonl")
    assert goalpost.id == "abc999_g"
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert manifest["rounds"][0]["removed"] == {"abc999_a": "1:base"} and manifest["evidence"] == {
        "abc999_g": {"1:base": 6}
    }
    before = (tmp_path / "m" / "evidence.jsonl").read_bytes()
    assert run(capsys, "mine", "--problems", problems, *options)[0] == 0
    assert (tmp_path / "m" / "evidence.jsonl").read_bytes() == before
    code, _, err = run(capsys, "mine", "--problems", problems, *options, "--temperature", 0.5)
    assert code == 2 and "another sampling" in err


def test_mining_from_saved_answers_with_a_guard(capsys, tmp_path, problems):
    saved = samples(tmp_path / "s.jsonl", abc999_a=["print(1)"] * 3, abc999_g=["print(0)"] * 2)
    common = ("mine", "--problems", problems, "--n", 3, "--cpu-s", 2, "--level", "L1")
    code, out, _ = run(capsys, *common, "--samples", f"1:old={saved}", "--out", tmp_path / "m")
    assert code == 0 and "1 undecided" in out
    assert [one.id for one in load_goalposts(tmp_path / "m" / "goalposts.jsonl")] == ["abc999_a"]
    evaluation = write(tmp_path / "eval.jsonl", LCB_STDIN | {"question_id": "twin", "question_title": "?"})
    code, out, _ = run(capsys, *common, "--samples", f"1:old={saved}", "--out", tmp_path / "g", "--guard", evaluation)
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert code == 0 and "contamination" in manifest["refused"]["abc999_a"] and manifest["goalposts"] == 0


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("eval", "--out", "e"), "--policy or --samples"),
        (("eval", "--out", "e", "--policy", "x:y", "--n", 0), "--n: got 0"),
        (("eval", "--out", "e", "--policy", "x:y", "--k", 0), "--k: got 0"),
        (("eval", "--out", "e", "--policy", "x:y", "--window", "soon"), "window"),
        (("eval", "--out", "e", "--policy", "x:y", "--format", "xml"), "format: unknown 'xml'"),
        (("eval", "--out", "e", "--policy", "x:y", "--mode", "moon"), "mode: unknown 'moon'"),
        (("mine", "--out", "m"), "--checkpoint or --samples"),
        (("mine", "--out", "m", "--checkpoint", "base"), "ROUND:NAME"),
    ],
)
def test_bad_options_are_one_line(capsys, tmp_path, monkeypatch, problems, argv, why):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *argv, "--problems", problems, "--level", "L1", "--cpu-s", 1)
    assert code == 2 and not out and why in err
