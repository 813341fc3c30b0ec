"""The store in SQL: SQLite for the processes of one node, PostgreSQL for many nodes; one table layout.

The law of this module: an update holds the log's only write lock from its read to its commit, and an interrupted one
leaves nothing behind. Rows are never deleted; a restore marks them as no longer live.
"""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gasp_env.curriculum import Decide, Event, Restored, StoredEvent, Update, decode, encode
from gasp_env.errors import StoreError, StoreVersionError
from gasp_env.store import engines

__all__ = ("SCHEMA_VERSION", "SqlStore")

SCHEMA_VERSION = 1

_tables = sa.MetaData()
_meta = sa.Table(
    "gasp_meta",
    _tables,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
_events = sa.Table(
    "gasp_events",
    _tables,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("written_at", sa.Float, nullable=False),
)
_one_live_key = sa.Index(
    "gasp_events_live_key",
    _events.c.key,
    unique=True,
    sqlite_where=_events.c.live.is_(True),
    postgresql_where=_events.c.live.is_(True),
)
_generation = sa.select(_meta.c.value).where(_meta.c.name == "generation")
_last_seq = sa.select(sa.func.max(_events.c.seq))
_tail = (
    sa.select(_events.c.seq, _events.c.body)
    .where(_events.c.seq > sa.bindparam("after"), _events.c.live.is_(True))
    .order_by(_events.c.seq)
)
_known = sa.select(_events.c.key).where(
    _events.c.live.is_(True), _events.c.key.in_(sa.bindparam("keys", expanding=True))
)
_written_by = sa.select(sa.func.max(_events.c.seq)).where(
    _events.c.live.is_(True), _events.c.written_at <= sa.bindparam("when")
)
_insert = sa.insert(_events)


class SqlStore:
    """An event log in a database; safe to use after a fork."""

    def __init__(self, url: str) -> None:
        """Open the log, making its tables in an empty database.

        Raises:
            StoreVersionError: written by another version.
            StoreError: not a curriculum, or the database can't be used.
        """
        self._engine = engines.make(url)
        self.url = self._engine.url.render_as_string(hide_password=True)
        self._pid = os.getpid()
        try:
            self._prepare()
        except StoreError:
            self._engine.dispose()
            raise

    def read(self, after: int, generation: int) -> Update:
        """See `EventStore.read`."""
        with self._transaction(exclusive=False) as connection:
            return _read(connection, after, generation)

    def update(self, after: int, generation: int, decide: Decide) -> Update:
        """See `EventStore.update`."""
        with self._transaction(exclusive=True) as connection:
            found = _read(connection, after, generation)
            wanted = tuple(decide(found))
            now = found.generation
            for event in wanted:
                if isinstance(event, Restored):
                    now = _roll_back(connection, event)
            appended = _append(connection, wanted)
        return Update(generation=now, read=found.read, appended=appended)

    def place_at(self, when: float) -> int:
        """See `EventStore.place_at`."""
        with self._transaction(exclusive=False) as connection:
            return connection.execute(_written_by, {"when": when}).scalar() or 0

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, exclusive: bool) -> Generator[sa.Connection, None, None]:
        """One transaction; the only place where the database's errors become ours."""
        if self._pid != os.getpid():
            self._engine.dispose(close=False)  # the parent's connections are not ours to use
            self._pid = os.getpid()
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(gasp_exclusive=exclusive)  # noqa: PLW2901
                with connection.begin():
                    yield connection
        except SQLAlchemyError as error:
            raise StoreError(engines.explain(self.url, error)) from error

    def _prepare(self) -> None:
        with self._transaction(exclusive=True) as connection:
            tables = set(sa.inspect(connection).get_table_names())
            if "gasp_meta" not in tables:
                if tables and connection.dialect.name == "sqlite":
                    raise StoreError(f"{self.url} is a database of something else; name a new or an earlier run's file")
                _create(connection)
            found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "schema")).scalar()
        if found != SCHEMA_VERSION:
            raise StoreVersionError(
                f"{self.url} has schema version {found}, this gasp-env reads version {SCHEMA_VERSION}; "
                "open it with the version that wrote it, or start a new run"
            )


def _create(connection: sa.Connection) -> None:
    _tables.create_all(connection)
    connection.execute(
        sa.insert(_meta), [{"name": "schema", "value": SCHEMA_VERSION}, {"name": "generation", "value": 0}]
    )


def _read(connection: sa.Connection, after: int, generation: int) -> Update:
    now = connection.execute(_generation).scalar_one()
    rows = connection.execute(_tail, {"after": after if generation == now else 0})
    return Update(generation=now, read=tuple(StoredEvent(seq=seq, event=decode(body)) for seq, body in rows))


def _roll_back(connection: sa.Connection, event: Restored) -> int:
    connection.execute(
        sa.update(_events).where(_events.c.seq > event.to_seq, _events.c.live.is_(True)).values(live=False)
    )
    connection.execute(sa.update(_meta).where(_meta.c.name == "generation").values(value=event.generation))
    return event.generation


def _append(connection: sa.Connection, events: tuple[Event, ...]) -> tuple[StoredEvent, ...]:
    if not events:
        return ()
    new = {event.key: event for event in reversed(events)}
    for key in connection.execute(_known, {"keys": list(new)}).scalars():
        del new[key]
    first = (connection.execute(_last_seq).scalar() or 0) + 1
    placed = tuple(StoredEvent(seq=first + place, event=event) for place, event in enumerate(reversed(new.values())))
    if placed:
        connection.execute(_insert, [_row(one) for one in placed])
    return placed


def _row(one: StoredEvent) -> dict[str, object]:
    return {
        "seq": one.seq,
        "key": one.event.key,
        "live": True,
        "body": encode(one.event),
        "written_at": time.time(),
    }
