"""``gasp-env settings``: every setting of a profile, with its meaning, as a TOML file that ``--config`` reads."""

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, cast

from gasp_env.config import Band, Config, profile

__all__ = ("settings_toml",)

_WIDTH = 110


def settings_toml(name: str) -> str:
    """The profile as TOML; a comment above each key says what it is.

    Raises:
        ConfigError: no such profile.
    """
    config = profile(name)
    tables = {one.name: getattr(config, one.name) for one in fields(Config)}
    inner = {key: value for key, value in tables.items() if is_dataclass(value)}
    parts = [*_rows(config, skip=inner)]
    for key, value in inner.items():
        parts += ["", f"[{key}]", *_rows(value)]
    return "\n".join(parts) + "\n"


def _rows(values: Any, *, skip: Collection[str] = ()) -> Iterator[str]:  # noqa: ANN401 - any dataclass
    meanings = _meanings(values.__class__)
    for one in fields(values):
        if one.name not in skip:
            yield from (f"# {line}" for line in textwrap.wrap(meanings.get(one.name, ""), _WIDTH))
            yield f"{one.name} = {_toml(getattr(values, one.name))}"


def _meanings(kind: type) -> dict[str, str]:
    """The docstrings under the fields of a dataclass, read from its source."""
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = found.body if isinstance(found, ast.ClassDef) else []
    meanings: dict[str, str] = {}
    for row, text in pairwise(body):
        if isinstance(row, ast.AnnAssign) and isinstance(row.target, ast.Name) and isinstance(text, ast.Expr):
            meanings[row.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value))).replace("``", "")
    return meanings


def _toml(value: object) -> str:
    if isinstance(value, Band):
        return f"{{ low = {value.low}, high = {value.high} }}"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return '"none"'
    if isinstance(value, tuple):
        return str([*cast("tuple[str, ...]", value)])
    return f'"{value}"' if isinstance(value, str) else repr(value)
