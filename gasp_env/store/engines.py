"""SQLAlchemy engines for the two databases: locks, pragmas and errors in words."""

import sqlite3
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gasp_env.errors import MissingExtra, StoreError

__all__ = ("explain", "make")

BUSY_S = 30
"""Seconds that a process waits for another one's transaction."""
ADVISORY_LOCK = 0x67617370
"""Key of PostgreSQL's advisory lock ("gasp")."""

_CAUSES = {
    "not a database": "is not a SQLite database; name a new file or an earlier run's",
    "malformed": "is damaged; restore it from a copy, or load a checkpoint's state_dict into a new store",
    "disk is full": "can't be written: the disk is full; free some space and repeat, nothing accepted was lost",
    "disk i/o": "can't be read or written: the disk reports an error; check the disk",
    "locked": f"stayed locked by another process for {BUSY_S} s; end what holds it, or use postgresql:// for many nodes",
    "readonly": "can't be written; check the permissions of the file and its folder",
    "unable to open": "can't be opened; check that the folder exists and may be written",
    "no such table": "lacks a table of gasp-env; name a new file or an earlier run's",
    "connection": "can't be reached; check that the server runs, and the host, port, user and database of the URL",
}


def make(url: str) -> sa.Engine:
    """An engine for ``sqlite:///path`` or ``postgresql://...``.

    Raises:
        StoreError: the URL can't be read.
        MissingExtra: the PostgreSQL driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is no store address; use memory://, sqlite:///run.db or postgresql://") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return _postgres(parsed)


def explain(url: str, error: SQLAlchemyError) -> str:
    """One sentence for a database's error."""
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    for mark, words in _CAUSES.items():
        if mark in cause.lower():
            return f"{url} {words} ({cause})"
    return f"{url} failed: {cause}"


def _sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise StoreError("a SQLite store needs a file, such as sqlite:///run.db; use memory:// for one in memory")
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(url: sa.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError as error:
        raise MissingExtra('postgresql:// needs the psycopg driver: pip install "gasp-env[postgres]"') from error
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own type
    """WAL lets readers go on beside a writer; NORMAL survives a killed process."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
    deadline = time.monotonic() + BUSY_S
    while not _in_wal(connection):
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")


def _in_wal(connection: sqlite3.Connection) -> bool:
    """Switch to WAL; False while another process holds the new file, for SQLite does not wait by itself here."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return False
    return True  # a file system without WAL keeps its own mode, which works too


def _begin_sqlite(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("gasp_exclusive", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")


def _begin_postgres(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("gasp_exclusive", True)
    shared = "" if exclusive else "_shared"
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({ADVISORY_LOCK})")
