"""A real PostgreSQL server for a test session, on a socket in a temporary folder; skipped only without a binary."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

__all__ = ("postgres_socket", "postgres_url")


def _as_user() -> list[str]:
    """The server refuses root: run it as an unprivileged user that exists."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in ("postgres", "nobody") if name in names)
    return ["runuser", "-u", user, "--"]


def _quiet(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="session")
def postgres_socket():
    tools = {name: shutil.which(name) for name in ("initdb", "pg_ctl")}
    if not all(tools.values()):
        pytest.skip("no PostgreSQL server binary (initdb, pg_ctl) on PATH")
    pytest.importorskip("psycopg")
    run_as = _as_user()
    with tempfile.TemporaryDirectory(prefix="gasp-pg-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        data = f"{folder}/data"
        _quiet([*run_as, tools["initdb"], "-D", data, "-A", "trust", "-U", "gasp", "--no-sync"])
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        server = [*run_as, tools["pg_ctl"], "-D", data, "-w"]
        _quiet([*server, "-l", f"{folder}/log", "-o", options, "start"])
        try:
            yield folder
        finally:
            _quiet([*server, "-m", "immediate", "stop"])


@pytest.fixture
def postgres_url(postgres_socket):
    """A new database of the session's server."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"postgresql://gasp@/postgres?host={postgres_socket}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://gasp@/{name}?host={postgres_socket}"
