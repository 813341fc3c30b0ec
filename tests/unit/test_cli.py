"""The command line without a policy: help, listings, and errors as one line with exit code 2."""

import subprocess
import sys

import pytest

from gasp_env.cli import main
from gasp_env.cli.options import PlayOptions
from gasp_env.cli.playing import settings
from gasp_env.cli.recipes import copy_recipe, recipe_names
from gasp_env.config import overrides
from gasp_env.errors import ConfigError
from gasp_env.game.prompts import TEMPLATES


def run(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in argv])
    shown = capsys.readouterr()
    return stop.value.code, shown.out, shown.err


def error(capsys, *argv):
    code, _, err = run(capsys, *argv)
    assert code == 2 and err.startswith("gasp-env: error: ") and err.count("\n") == 1
    return err


def options(tmp_path, **changes):
    return PlayOptions(**({"run": tmp_path / "run", "policy": "x"} | changes))


def test_help_is_light():
    code = (
        "import sys\nfrom gasp_env.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "transformers", "numpy", "sqlalchemy", "jinja2", "httpx", "gasp_env.play", "gasp_env.store"}
    assert not heavy & set(loaded)


def test_doctor_names_the_level(capsys):
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and "level L" in out and "python" in out


def test_check_names_what_it_cannot_check(capsys):
    assert "moon" in error(capsys, "check", "--sandbox", "moon")


def test_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0 and out.strip()


def test_prompts_are_listed_and_shown(capsys):
    assert all(name in run(capsys, "prompts")[1] for name in TEMPLATES)
    assert "$program" in run(capsys, "prompts", "lift_f", "--style", "compact")[1]
    assert "lift_f" in error(capsys, "prompts", "lift_g")


def test_recipes_are_copied_and_never_overwritten(capsys, tmp_path, monkeypatch):
    root = tmp_path / "recipes" / "some-trainer"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "config.toml").write_text("a = 1")
    monkeypatch.setattr("gasp_env.cli.recipes.files", lambda _: tmp_path)
    assert recipe_names() == ("some-trainer",)
    (copied,) = copy_recipe("some-trainer", tmp_path / "mine")
    assert copied.read_text() == "a = 1"
    copied.write_text("a = 2")
    with pytest.raises(ConfigError, match="exists"):
        copy_recipe("some-trainer", tmp_path / "mine")
    assert copied.read_text() == "a = 2"
    assert "some-trainer" in error(capsys, "recipe", "other")


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_folder_that_is_no_run_is_named(capsys, tmp_path, command):
    assert "does not exist" in error(
        capsys, command, tmp_path / "nowhere", *([tmp_path] if command == "compare" else [])
    )


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ((), "--goalposts"),
        (("--goalposts", "missing.jsonl"), "missing.jsonl"),
        (("--episodes", "0"), "--episodes"),
        (("--wave", "-1"), "--wave"),
        (("--concurrency", "0"), "--concurrency"),
        (("--resume", "--new"), "choose one"),
        (("--set", "rules.rollout=8"), "rules.rollout"),
        (("--set", "rules.rollouts"), "key=value"),
        (("--set", "rules.rollouts=many"), "rules.rollouts"),
        (("--profile", "grpo"), "grpo"),
        (("--config", "missing.toml"), "missing.toml"),
    ],
)
def test_bad_options_are_named_and_nothing_is_written(capsys, tmp_path, argv, named):
    assert named in error(capsys, "play", "--policy", "replay:x", "--run", tmp_path / "run", *argv)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "argv", [("play",), ("fly",), ("play", "--bogus"), ("play", "--run", "x", "--policy", "y", "--episodes", "many")]
)
def test_usage_errors_exit_with_2(capsys, argv):
    assert run(capsys, *argv)[0] == 2


def test_settings_go_profile_file_set_seed(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('profile = "azr"\nseed = 3\n[rules]\nrollouts = 4\nvisible = 2\n')
    found = settings(options(tmp_path, config=file, set=("rules.rollouts=6", "rules.prompt_style=compact"), seed=9))
    assert (found.profile, found.seed, found.mix.free) == ("azr", 9, 1)
    assert (found.rules.rollouts, found.rules.visible, found.rules.prompt_style) == (6, 2, "compact")
    assert overrides(("a.b=c=d",)) == {"a.b": "c=d"}


def test_an_interrupt_says_that_all_is_saved(capsys, monkeypatch):
    def stop(_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("gasp_env.cli.playing.play_command", stop)
    code, _, err = run(capsys, "play", "--run", "x", "--policy", "y")
    assert code == 130 and "--resume" in err
