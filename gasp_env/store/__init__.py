"""Where a curriculum is kept: ``memory://``, ``sqlite:///run.db``, ``postgresql://...`` or ``ray://name``."""

import time
from collections.abc import Callable

from gasp_env.config import Config
from gasp_env.curriculum import DEFAULT_CAP, Curriculum, EventStore
from gasp_env.errors import StoreError
from gasp_env.store.memory import MemoryStore
from gasp_env.store.ray_actor import RayStore
from gasp_env.store.selfcheck import check_store
from gasp_env.store.sql import SCHEMA_VERSION, SqlStore

__all__ = ("SCHEMA_VERSION", "MemoryStore", "RayStore", "SqlStore", "check_store", "open_curriculum", "open_store")


def open_store(url: str) -> EventStore:
    """Open a store by its address.

    Args:
        url: ``memory://`` (private), ``memory://name`` (shared in this process), ``sqlite:///path.db``,
            ``postgresql://user@host/database``, or ``ray://name`` (an actor of the Ray cluster; ``ray://name/path.db``
            keeps it on that node's disk).

    Raises:
        StoreError: the address or the database can't be used.
        StoreVersionError: written by another version.
        MissingExtra: the PostgreSQL driver or Ray is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("memory", "sqlite", "postgresql", "ray"):
        raise StoreError(f"{url!r} is no store address; use memory://, sqlite:///run.db, postgresql:// or ray://")
    if scheme == "ray":
        return RayStore(url)
    return MemoryStore(rest) if scheme == "memory" else SqlStore(url)


def open_curriculum(
    url: str, config: Config, clock: Callable[[], float] = time.time, *, cap: int = DEFAULT_CAP
) -> Curriculum:
    """Open the curriculum kept at ``url``; see `open_store` for addresses and errors."""
    store = open_store(url)
    try:
        return Curriculum(store, config, clock, cap=cap)
    except BaseException:
        store.close()
        raise
