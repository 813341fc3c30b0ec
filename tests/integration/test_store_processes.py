"""Many processes on one store, killed processes, and files that are not a store."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from curriculum_cases import goalpost

from gasp_env.config import Config
from gasp_env.errors import MissingExtra, StoreError, StoreVersionError
from gasp_env.store import open_curriculum, open_store
from gasp_env.types import Stage, Ticket

pytest_plugins = ("postgres",)

SUPPORT = Path(__file__).parents[1] / "support"


def start(url, name, first, last):
    command = [sys.executable, str(SUPPORT / "store_worker.py"), url, name, str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path}/run.db"


@pytest.fixture
def curriculum(url):
    with open_curriculum(url, Config()) as opened:
        opened.add_goalposts([goalpost(0), goalpost(1)])
        yield opened


@pytest.mark.slow
def test_eight_processes_accept_each_near_duplicate_once_and_lose_nothing(url, curriculum):
    workers = [start(url, f"w{n}", 0, 25) for n in range(8)]
    assert [worker.wait(timeout=100) for worker in workers if worker.communicate()] == [0] * 8
    state = curriculum.state
    assert sorted(key.split("-")[0] for key in state.questions) == sorted(f"q{n}" for n in range(25))
    assert len(state.settled) == 200
    assert state.rejected == {"lemma/similarity": 175}
    assert state.leases == {}


def test_processes_may_open_a_new_file_at_once(tmp_path):
    code = f"from gasp_env.store import open_store; open_store('sqlite:///{tmp_path}/new.db').close()"
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
    assert [worker.wait(timeout=60) for worker in workers] == [0] * 6


def test_a_process_killed_in_the_middle_resumes_with_every_question_once(url, curriculum):
    worker = start(url, "solo", 0, 60)
    for _ in range(10):
        worker.stdout.readline()
    os.kill(worker.pid, signal.SIGKILL)
    said = 10 + len(worker.communicate()[0].splitlines())
    kept = list(curriculum.state.questions)
    assert kept == [f"q{n}" for n in range(len(kept))]
    assert said <= len(kept) + 1 <= 61
    assert start(url, "solo", 0, 60).communicate() and list(curriculum.state.questions) == [f"q{n}" for n in range(60)]
    assert curriculum.state.baselines["lemma"].count == 60


def test_another_handle_resolves_a_ticket_the_same(url, curriculum):
    with open_curriculum(url, Config()) as other:
        for seed in range(10):
            ticket = Ticket(stage=Stage.LEMMA, draw_seed=seed)
            assert curriculum.resolve(ticket) == other.resolve(ticket)
        assert len(other.state.leases) == 10


def test_a_child_of_a_fork_may_go_on(url, curriculum):
    child = os.fork()
    if not child:
        try:
            curriculum.resolve(Ticket(stage=Stage.LEMMA, draw_seed=7))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert list(curriculum.state.leases) == [Ticket(stage=Stage.LEMMA, draw_seed=7).id]


def test_rolled_back_events_stay_in_the_file(tmp_path):
    path = tmp_path / "run.db"
    with open_curriculum(f"sqlite:///{path}", Config()) as curriculum:
        curriculum.snapshot(0)
        curriculum.add_goalposts([goalpost(0)])
        curriculum.restore(0)
        assert curriculum.state.goals == {}
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT live FROM gasp_events ORDER BY seq").fetchall() == [(1,), (0,), (1,)]
    connection.close()


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "run.db"
    path.write_text("these are not the bytes you look for " * 50)
    with pytest.raises(StoreError, match="not a SQLite database"):
        open_store(f"sqlite:///{path}")


def test_a_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="something else"):
        open_store(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    connection.close()


def test_a_store_of_another_version(tmp_path):
    path = tmp_path / "run.db"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gasp_meta SET value = 99 WHERE name = 'schema'")
    connection.close()
    with pytest.raises(StoreVersionError, match="schema version 99, this gasp-env reads version 1"):
        open_store(f"sqlite:///{path}")


def test_a_damaged_event_is_named(tmp_path):
    path = tmp_path / "run.db"
    with open_curriculum(f"sqlite:///{path}", Config()) as curriculum:
        curriculum.add_goalposts([goalpost(0)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gasp_events SET body = '{\"type\":'")
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        open_curriculum(f"sqlite:///{path}", Config())


def test_a_full_disk_loses_nothing_accepted(tmp_path):
    path = tmp_path / "run.db"
    store = open_store(f"sqlite:///{path}")
    with open_curriculum(f"sqlite:///{path}", Config()) as curriculum:
        curriculum.add_goalposts([goalpost(0)])
        engine = curriculum._store._engine
        with engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="the disk is full"):
            curriculum.add_goalposts(goalpost(n) for n in range(1, 500))
        assert list(curriculum.state.goals) == ["g0"]
    assert len(store.read(0, -1).read) == 1
    store.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("run.db", "no store address"),
        ("mysql://x", "no store address"),
        ("sqlite://", "needs a file"),
        ("sqlite:////nonexistent/folder/run.db", "can't be opened"),
    ],
)
def test_addresses_that_are_wrong(address, words):
    with pytest.raises(StoreError, match=words):
        open_store(address)


def test_a_server_that_is_down():
    with pytest.raises((StoreError, MissingExtra), match=r"can't be reached|psycopg"):
        open_store("postgresql://gasp:secret@127.0.0.1:1/x")
