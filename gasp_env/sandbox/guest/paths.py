"""Which files a program may read: the standard library and the shared libraries it loads, nothing of the user's."""

import os
import sys
from collections.abc import Iterable
from glob import glob
from pkgutil import get_importer
from typing import NamedTuple

__all__ = ("Paths", "find", "remember_listings")

_NOT_STDLIB = ("site-packages", "dist-packages", "test", "idlelib", "ensurepip")
_LIBRARIES = (
    "/lib/*-linux-*",
    "/usr/lib/*-linux-*",
    "/lib64",
    "/usr/lib64",
    "/lib/*.so*",
    "/usr/lib/*.so*",
    "/usr/local/lib/*.so*",
    "/etc/ld.so.cache",
)


class Paths(NamedTuple):
    """Absolute paths by what may be done with them."""

    imports: list[str]
    """For ``sys.path``."""
    readable: list[str]
    """Files and trees; of the folder that holds them not even the names can be listed."""
    mounts: list[str]
    """What must exist inside a new root."""


def find(site_packages: Iterable[str]) -> Paths:
    """Look the running interpreter's files up.

    Args:
        site_packages: further directories to import from, read-only.
    """
    stdlib = [path for path in sys.path if os.path.isdir(path)]
    extra = [path for path in site_packages if os.path.isdir(path)]
    own = [f"{path}/{name}" for path in stdlib for name in os.listdir(path) if name not in _NOT_STDLIB]
    libraries = [path for pattern in (*_LIBRARIES, f"{sys.base_prefix}/lib/*.so*") for path in glob(pattern)]
    return Paths(
        imports=[*sys.path, *extra],
        readable=[*own, *libraries, *extra],
        mounts=_outermost([*stdlib, *extra, *libraries]),
    )


def remember_listings(imports: Iterable[str]) -> None:
    """Let the import system list its folders now; it looks again only where a folder's time stamp has changed."""
    for path in imports:
        finder = get_importer(path)
        if finder is not None:
            finder.find_spec("nothing")


def _outermost(paths: list[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(path.startswith(f"{above}/") for above in kept):
            kept.append(path)
    return kept
