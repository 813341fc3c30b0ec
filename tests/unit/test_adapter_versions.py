"""Every adapter refuses a version that it was not tested with, and names the install line where its trainer is absent."""

import importlib
import sys
from importlib import metadata

import pytest

from gasp_env.errors import MissingExtra

ADAPTERS = {
    "gymnasium": "gymnasium",
    "openenv": "openenv",
    "openrlhf": "openrlhf",
    "skyrl": "skyrl-gym",
    "trl": "trl",
    "verifiers": "verifiers",
    "verl": "verl",
}


@pytest.fixture(params=ADAPTERS)
def adapter(request, monkeypatch):
    """Name of an adapter, which is imported anew."""
    monkeypatch.delitem(sys.modules, f"gasp_env.adapters.{request.param}", raising=False)
    return request.param


@pytest.mark.parametrize("found", ["0.0.1", "99.0"])
def test_another_version_is_one_sentence(adapter, found, monkeypatch):
    monkeypatch.setattr("gasp_env._optional.metadata.version", lambda _: found)
    with pytest.raises(MissingExtra) as stop:
        importlib.import_module(f"gasp_env.adapters.{adapter}")
    said = str(stop.value)
    assert said.startswith(f"{ADAPTERS[adapter]} {found} is installed; gasp-env works with ")
    assert said.endswith(f"run: pip install 'gasp-env[{adapter}]'") and "\n" not in said


def test_an_absent_trainer_is_one_sentence(adapter, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("gasp_env._optional.metadata.version", absent)
    with pytest.raises(MissingExtra, match=f"is not installed; run: pip install 'gasp-env\\[{adapter}\\]'"):
        importlib.import_module(f"gasp_env.adapters.{adapter}")
