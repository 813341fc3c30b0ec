"""The run folder: what is written survives a kill, what is no run is refused in words."""

import json
import os

import msgspec
import pytest
from game_cases import GOALPOST, ticket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gasp_env.config import Config
from gasp_env.errors import ConfigError, DataError, StoreError, StoreVersionError
from gasp_env.play.lines import Lines, write_atomic
from gasp_env.play.run import Metrics, RunFolder, Transcript, make_manifest
from gasp_env.types import EpisodeResult, Reward, Stage


def manifest(**changes):
    fields = {"policy": "scripted", "wave": 2, "goalposts": ("g.jsonl", "abc", 1)}
    return make_manifest(changes.pop("config", Config()), **(fields | changes))


def row(index, wave_end):
    result = EpisodeResult(ticket=ticket(seed=index), stage=Stage.LEMMA, reward=Reward(value=1.0), turns=())
    return Transcript(index=index, wave_end=wave_end, episode_id=f"play-{index}", result=result)


def test_a_run_is_what_it_was_made(tmp_path):
    made = RunFolder.create(tmp_path / "run", manifest(), goalposts=[GOALPOST])
    found = RunFolder.open(tmp_path / "run")
    assert found.manifest == made.manifest
    assert found.goalposts() == (GOALPOST,)
    assert found.manifest.versions["python"] and found.manifest.hardware["cores"] and found.manifest.prompts_hash
    assert RunFolder.resume(tmp_path / "run", manifest()).manifest == made.manifest


def test_a_folder_with_a_run_is_refused_or_set_aside(tmp_path):
    RunFolder.create(tmp_path / "run", manifest())
    with pytest.raises(ConfigError, match="--resume"):
        RunFolder.create(tmp_path / "run", manifest())
    RunFolder.create(tmp_path / "run", manifest(wave=3), aside=True)
    RunFolder.create(tmp_path / "run", manifest(wave=4), aside=True)
    waves = [RunFolder.open(tmp_path / name).manifest.wave for name in ("run.old-1", "run.old-2", "run")]
    assert waves == [2, 3, 4]


@pytest.mark.parametrize("aside", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, aside):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="no run of gasp-env"):
        RunFolder.create(tmp_path, manifest(), aside=aside)
    with pytest.raises(ConfigError, match=r"no manifest\.json"):
        RunFolder.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_or_nothing_is_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        RunFolder.create(tmp_path / "file", manifest())
    with pytest.raises(ConfigError, match="does not exist"):
        RunFolder.open(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be made"):
        RunFolder.create(tmp_path / "file" / "run", manifest())


def test_another_version_is_named(tmp_path):
    run = RunFolder.create(tmp_path / "run", manifest())
    data = json.loads((run.path / "manifest.json").read_text())
    (run.path / "manifest.json").write_text(json.dumps(data | {"format": 99, "gasp_env": "9.9"}))
    with pytest.raises(StoreVersionError, match=r"9\.9.*format 99"):
        RunFolder.open(run.path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 1}', "\udcff"])
def test_a_damaged_manifest_is_named(tmp_path, content):
    run = RunFolder.create(tmp_path / "run", manifest())
    (run.path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises((ConfigError, StoreVersionError), match=r"manifest\.json"):
        RunFolder.open(run.path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": Config(seed=5)}, r"config\.seed was 0 and is now 5"),
        ({"wave": 9}, "wave was 2"),
        ({"goalposts": ("x", "other", 1)}, "goalposts_hash"),
    ],
)
def test_resume_with_other_settings_is_refused(tmp_path, changes, named):
    RunFolder.create(tmp_path / "run", manifest())
    with pytest.raises(ConfigError, match=named):
        RunFolder.resume(tmp_path / "run", manifest(**changes))


def test_two_processes_do_not_share_a_folder(tmp_path):
    run = RunFolder.create(tmp_path / "run", manifest())
    with run.locked(), pytest.raises(ConfigError, match="another process"), RunFolder.open(run.path).locked():
        pass
    with run.locked(), pytest.raises(ConfigError, match="another process"):
        RunFolder.create(run.path, manifest(), aside=True)
    with run.locked():
        pass
    RunFolder.create(run.path, manifest(), aside=True)


def test_an_incomplete_wave_is_cut_off(tmp_path):
    run = RunFolder.create(tmp_path / "run", manifest())
    run.transcripts.append([row(0, 2), row(1, 2), row(2, 4)])
    assert [one.index for one in run.whole_waves()] == [0, 1]
    assert [one.index for one in run.transcripts] == [0, 1]
    run.transcripts.append([row(2, 3)])
    assert [one.index for one in run.whole_waves()] == [0, 1, 2]
    assert RunFolder.create(tmp_path / "new", manifest()).whole_waves() == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=4000))
def test_a_kill_at_any_byte_loses_at_most_the_last_wave(tmp_path, cut):
    run = RunFolder(tmp_path, manifest())
    run.transcripts.path.unlink(missing_ok=True)
    rows = [row(0, 2), row(1, 2), row(2, 4), row(3, 4)]
    run.transcripts.append(rows)
    size = run.transcripts.path.stat().st_size
    os.truncate(run.transcripts.path, min(cut, size))
    kept = run.whole_waves()
    assert kept == rows[: len(kept)] and len(kept) in (0, 2, 4)
    run.transcripts.append(rows[len(kept) :])
    assert list(run.transcripts) == rows


def test_damage_in_the_middle_is_named_by_line(tmp_path):
    lines = Lines(tmp_path / "metrics.jsonl", Metrics)
    lines.append([Metrics(step=1, values={})])
    with lines.path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(DataError, match="line 2"):
        list(lines)


def test_a_full_disk_is_one_clear_error(tmp_path):
    with pytest.raises(StoreError, match="can't be written"):
        Lines(tmp_path / "no" / "folder.jsonl", Metrics).append([Metrics(step=1, values={})])
    with pytest.raises(StoreError, match="No space left"):
        Lines(type(tmp_path)("/dev/full"), Metrics).append([Metrics(step=1, values={})])
    with pytest.raises(StoreError, match="can't be written"):
        write_atomic(tmp_path / "no" / "file", b"")


def test_atomic_write_replaces_as_a_whole(tmp_path):
    write_atomic(tmp_path / "file", b"one")
    write_atomic(tmp_path / "file", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"two")]


def test_a_transcript_round_trips_exactly():
    assert msgspec.json.decode(msgspec.json.encode(row(3, 4)), type=Transcript) == row(3, 4)
