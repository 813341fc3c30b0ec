"""A policy whose answers are a function or a file: for tests, demonstrations and dry runs of a set-up."""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Self

import msgspec

from gasp_env.errors import DataError
from gasp_env.policy.checks import check_call
from gasp_env.policy.protocol import Completion, Sampling
from gasp_env.types import Message, Role

__all__ = ("Answer", "ScriptedPolicy")

Answer = Callable[[Sequence[Message], Role, Random], str]
"""Gives one text; the generator is seeded from the call's seed, the last message and the sample's number."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    role: Role
    text: str


class ScriptedPolicy:
    """Answers by a function."""

    def __init__(self, answer: Answer) -> None:
        """Hold the function; it must not block."""
        self._answer = answer

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Answer each role with its lines of a file, in order, over and over.

        Args:
            path: JSON lines: ``{"role": "teacher" or "student", "text": ...}``.

        Raises:
            DataError: names the file, the line and what is wrong; or a role has no line.
        """
        lines = _read(Path(path))
        turns = {role: cycle([line.text for line in lines if line.role is role]) for role in Role}
        missing = [role.value for role in Role if not any(line.role is role for line in lines)]
        if missing:
            raise DataError(f"{path}: no line for {', '.join(missing)}; each role needs at least one")
        return cls(lambda _messages, role, _rng: next(turns[role]))

    async def generate(
        self, messages: Sequence[Message], *, n: int, role: Role, sampling: Sampling
    ) -> Sequence[Completion | None]:
        """Give ``n`` texts.

        Raises:
            ConfigError: sampling settings out of range.
        """
        check_call(n, sampling)
        seeds = [f"{sampling.seed}:{messages[-1].content}:{number}" for number in range(n)]
        return [Completion(text=self._answer(messages, role, Random(seed))) for seed in seeds]  # noqa: S311

    async def close(self) -> None:
        """Nothing to free."""


def _read(path: Path) -> list[_Line]:
    try:
        raw = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected JSON lines of role and text") from error
    found: list[_Line] = []
    for number, line in enumerate(raw, 1):
        try:
            found.append(msgspec.json.decode(line, type=_Line))
        except msgspec.DecodeError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
    return found
