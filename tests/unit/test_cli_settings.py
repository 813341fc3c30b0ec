"""The printed settings are all of them, each with its meaning, and read back as the profile."""

import tomllib

import pytest

from gasp_env.cli.settings import settings_toml
from gasp_env.config import PROFILES, load_config, profile


@pytest.mark.parametrize("name", PROFILES)
def test_they_read_back(tmp_path, name):
    file = tmp_path / "settings.toml"
    file.write_text(settings_toml(name))
    assert load_config(file) == profile(name)


def test_all_are_there_and_explained():
    text = settings_toml("gasp")
    known = tomllib.loads(text)
    assert {"seed", "guard", "rules", "mix"} <= set(known) and {"rollouts", "lift_band"} <= set(known["rules"])
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert [lines[number] for number in keys if not lines[number - 1].startswith("# ")] == []
