"""Every store keeps the contract of `EventStore`."""

import itertools

import pytest

from gasp_env.curriculum import Update
from gasp_env.store import MemoryStore, check_store, open_store

pytest_plugins = ("postgres",)

_names = itertools.count()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path):
    match request.param:
        case "memory":
            return f"memory://contract{next(_names)}"
        case "sqlite":
            return f"sqlite:///{tmp_path}/run.db"
        case _:
            return request.getfixturevalue("postgres_url")


def test_store_keeps_the_contract(url):
    assert {name: text for name, text in check_store(lambda: open_store(url)).items() if text != "ok"} == {}


class Forgetful(MemoryStore):
    """Loses what it was told."""

    def update(self, after, generation, decide):
        found = self.read(after, generation)
        decide(found)
        return Update(generation=found.generation, read=found.read)


def test_the_check_finds_a_store_that_loses_events():
    assert check_store(Forgetful)["keys_are_unique"] != "ok"
