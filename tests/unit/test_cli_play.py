"""``gasp-env play`` in process, with the policy and the sandbox replaced: what it prints, writes, resumes and refuses."""

import pytest
from arena_cases import AffineSandbox, Author, Steady
from game_cases import GOALPOST

from gasp_env.cli import main
from gasp_env.errors import PolicyError, SandboxUnavailable
from gasp_env.play import RunFolder, compare_runs
from gasp_env.tasks import dump_goalposts


@pytest.fixture
def parts(monkeypatch):
    """What was opened."""
    found = {"policy": Steady(), "sandbox": AffineSandbox()}

    async def open_box(_):
        if isinstance(found["sandbox"], Exception):
            raise found["sandbox"]
        return found["sandbox"]

    monkeypatch.setattr("gasp_env.cli.playing.open_policy", lambda _, **__: found["policy"], raising=False)
    monkeypatch.setattr("gasp_env.cli.playing.open_box", open_box)
    return found


@pytest.fixture
def goalposts(tmp_path):
    file = tmp_path / "goalposts.jsonl"
    file.write_bytes(dump_goalposts([GOALPOST]))
    return file


def play(capsys, *argv):
    named = () if "--policy" in argv else ("--policy", "steady")
    words = ("play", *named, "--set", "rules.prompt_style=compact", "--wave", "4", *map(str, argv))
    with pytest.raises(SystemExit) as stop:
        main(words)
    shown = capsys.readouterr()
    return stop.value.code, shown.out, shown.err


def test_a_run_from_start_to_report(capsys, parts, goalposts, tmp_path):
    code, out, err = play(capsys, "--run", tmp_path / "run", "--goalposts", goalposts, "--episodes", 8)
    assert code == 0 and "8 episodes" in out and "report.html" in err
    assert parts["policy"].closed and parts["sandbox"].closed
    run = RunFolder.open(tmp_path / "run")
    assert len(list(run.transcripts)) == 8 and run.policy_calls.stat().st_size > 0
    assert (run.path / "report.html").is_file()


def test_resume_new_and_neither(capsys, parts, goalposts, tmp_path):
    run = tmp_path / "run"
    assert play(capsys, "--run", tmp_path / "whole", "--goalposts", goalposts, "--episodes", 8)[0] == 0
    assert play(capsys, "--run", run, "--goalposts", goalposts, "--episodes", 4)[0] == 0
    code, _, err = play(capsys, "--run", run, "--goalposts", goalposts, "--episodes", 8)
    assert code == 2 and "--resume" in err and "--new" in err
    assert play(capsys, "--run", run, "--episodes", 8, "--resume")[0] == 0
    assert compare_runs(run, tmp_path / "whole") == ()
    assert (run / "policy.jsonl").read_bytes() == (tmp_path / "whole" / "policy.jsonl").read_bytes()
    assert play(capsys, "--run", run, "--goalposts", goalposts, "--episodes", 4, "--new")[0] == 0
    assert len(list(RunFolder.open(run).transcripts)) == 4
    assert len(list(RunFolder.open(tmp_path / "run.old-1").transcripts)) == 8


def test_a_recorded_run_replays_bit_for_bit(capsys, parts, goalposts, tmp_path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))

    class Uneven(Author):  # answers by the order of calls and fails now and then: only the recording can repeat it
        async def generate(self, messages, *, n, role, sampling):
            if (self.calls + 1) % 7 == 0:
                self.calls += 1
                raise PolicyError("too slow")
            return await super().generate(messages, n=n, role=role, sampling=sampling)

    parts["policy"] = Uneven()
    play(capsys, "--run", first, "--goalposts", goalposts, "--episodes", 12)
    replay = ("--policy", f"replay:{first / 'policy.jsonl'}", "--goalposts", goalposts)
    assert play(capsys, "--run", again, "--episodes", 12, "--concurrency", 1, *replay)[0] == 0
    assert compare_runs(first, again) == ()
    assert (first / "policy.jsonl").read_bytes() == (again / "policy.jsonl").read_bytes()
    code, _, err = play(capsys, "--run", other, "--episodes", 12, "--seed", 7, "--quiet", *replay)
    assert code == 2 and "holds no call" in err and "settings" in err


def test_an_extended_run_is_a_straight_one_and_replays(capsys, parts, goalposts, tmp_path):
    straight, longer, again = (tmp_path / name for name in ("straight", "longer", "again"))
    assert play(capsys, "--run", straight, "--goalposts", goalposts, "--episodes", 14)[0] == 0
    assert play(capsys, "--run", longer, "--goalposts", goalposts, "--episodes", 6)[0] == 0
    assert play(capsys, "--run", longer, "--episodes", 14, "--resume")[0] == 0
    assert compare_runs(straight, longer) == () and len(list(RunFolder.open(longer).transcripts)) == 16
    replay = ("--policy", f"replay:{longer / 'policy.jsonl'}", "--goalposts", goalposts)
    assert play(capsys, "--run", again, "--episodes", 14, *replay)[0] == 0
    assert compare_runs(straight, again) == ()


def test_compare_says_same_or_where(capsys, parts, goalposts, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        play(capsys, "--run", tmp_path / name, "--goalposts", goalposts, "--episodes", 4, "--seed", seed)
    for other, code in (("b", 0), ("c", 1)):
        with pytest.raises(SystemExit) as stop:
            main(["compare", str(tmp_path / "a"), str(tmp_path / other)])
        assert stop.value.code == code
    assert "manifest.config" in capsys.readouterr().out


def test_faults_are_one_line_and_keep_what_was_played(capsys, parts, goalposts, tmp_path):
    class Dying(Steady):
        async def generate(self, messages, *, n, role, sampling):
            if self.calls > 12:
                raise PolicyError("http://localhost:1 does not answer; start the server")
            return await super().generate(messages, n=n, role=role, sampling=sampling)

    parts["policy"] = Dying()
    code, _, err = play(capsys, "--run", tmp_path / "run", "--goalposts", goalposts, "--episodes", 80, "--quiet")
    last = err.strip().splitlines()[-1]
    assert code == 2 and last.startswith("gasp-env: error: http://localhost:1 does not answer") and "--resume" in last
    assert len(list(RunFolder.open(tmp_path / "run").transcripts)) >= 8


def test_a_sandbox_level_that_cannot_be_had_writes_nothing(capsys, parts, goalposts, tmp_path):
    parts["sandbox"] = SandboxUnavailable("level L3 needs user namespaces; enable them or take require_level L2")
    code, _, err = play(capsys, "--run", tmp_path / "run", "--goalposts", goalposts)
    assert code == 2 and "L3 needs user namespaces" in err and parts["policy"].closed
    assert not (tmp_path / "run").exists()


def test_bad_rows_need_to_be_asked_for(capsys, parts, goalposts, tmp_path):
    goalposts.write_bytes(goalposts.read_bytes() + b'{"id": "b"}\n')
    code, _, err = play(capsys, "--run", tmp_path / "run", "--goalposts", goalposts, "--episodes", 4)
    assert code == 2 and "line 2" in err and "--skip-bad-rows" in err
    assert play(capsys, "--run", tmp_path / "run", "--goalposts", goalposts, "--episodes", 4, "--skip-bad-rows")[0] == 0
    assert RunFolder.open(tmp_path / "run").manifest.goalposts_count == 1
