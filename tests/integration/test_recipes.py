"""`gasp-env recipe NAME --to DIR` copies every trainer's folder whole."""

import os
from pathlib import Path

import pytest

from gasp_env.cli.app import main
from gasp_env.cli.recipes import recipe_names

ROOT = Path(__file__).parents[2]
NAMES = ("gymnasium", "openenv", "openrlhf", "skyrl", "trl", "verifiers", "verl")


def files(folder):
    found = (one.relative_to(folder) for one in folder.rglob("*") if one.is_file())
    return {one for one in found if "__pycache__" not in one.parts and one.parts[0] != ".pytest_cache"}


def recipe(name, to):
    with pytest.raises(SystemExit) as stop:
        main(["recipe", name, "--to", str(to)])
    return stop.value.code


def test_every_folder_is_a_recipe():
    assert recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_the_whole_folder(name, tmp_path, capsys):
    source, target = ROOT / "integrations" / name, tmp_path / "mine"
    assert recipe(name, target) in (None, 0)
    assert files(target) == files(source) and Path("README.md") in files(target)
    for one in files(source):
        assert (target / one).read_bytes() == (source / one).read_bytes()
        assert one.suffix != ".sh" or os.access(target / one, os.X_OK)
    told = capsys.readouterr().out
    assert all(str(one) in told for one in files(source))
    assert recipe(name, target) not in (None, 0)
