"""The page on trainers names tests and folders that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "trainers.md").read_text()
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)
TRAINERS = sorted(one.name for one in (ROOT / "integrations").iterdir() if one.is_dir() and one.name != "__pycache__")


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_row_of_the_masking_table_has_its_test(file, test):
    assert f"def {test}(" in (ROOT / "tests" / "contract" / file).read_text()


@pytest.mark.parametrize("name", TRAINERS)
def test_every_integration_is_there_with_its_guide(name):
    assert f"(../integrations/{name})" in TEXT
    guide = (ROOT / "integrations" / name / "README.md").read_text()
    assert "Works with" in guide
    assert (ROOT / "gasp_env" / "adapters" / f"{name}.py").is_file()
    packed = (ROOT / "pyproject.toml").read_text()
    assert f'"integrations/{name}" = "gasp_env/recipes/{name}"' in packed and f"\n{name} = [" in packed


def test_each_trainer_says_how_it_masks():
    assert len(NAMED) == len(TRAINERS)
