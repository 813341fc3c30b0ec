"""Recording a run's policy calls, and telling whether two runs are the same.

The law of this module: a call is written before the episode that made it, and cut off again with the wave it belongs to,
so the recording holds exactly the calls of the episodes that count.
"""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

import msgspec

from gasp_env.curriculum import Event, Issued, encode
from gasp_env.errors import ConfigError, DataError, ReplayMismatch
from gasp_env.game.moves import Generate
from gasp_env.play.arena import Recorder
from gasp_env.play.lines import Lines
from gasp_env.play.run import RunFolder
from gasp_env.policy.protocol import Completion, Sampling
from gasp_env.store import open_store
from gasp_env.types import Message, Role

__all__ = ("Call", "Tape", "TapePolicy", "compare_runs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answer of the policy."""

    episode_id: str
    request: Generate
    completions: tuple[Completion | None, ...]


class Tape:
    """Gathers the policy's answers by episode and writes them in episode order."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is written by `flush`."""
        self._lines = Lines(path, Call)
        self._calls: dict[str, list[Call]] = {}

    def recorder(self, episode_id: str) -> Recorder:
        """What an arena tells of one episode's calls."""
        calls = self._calls.setdefault(episode_id, [])

        def record(request: Generate, found: Sequence[Completion | None]) -> None:
            calls.append(Call(episode_id=episode_id, request=request, completions=tuple(found)))

        return record

    def flush(self, episode_ids: Sequence[str]) -> None:
        """Write what these episodes asked, in this order.

        Raises:
            StoreError: the file can't be written.
        """
        self._lines.append(call for name in episode_ids for call in self._calls.pop(name, ()))

    def keep(self, episode_ids: Container[str]) -> None:
        """Cut off what other episodes asked; they were killed before they counted and will be played again."""
        self._lines.keep(lambda call: call.episode_id in episode_ids)


class TapePolicy:
    """Answers as a recording did; the same call gets the same completions, whatever the order of calls."""

    def __init__(self, path: Path | str) -> None:
        """Read a recording.

        Raises:
            DataError: no recording there, or it is damaged; names the line.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path}: no recording of policy calls; name the policy.jsonl of a run folder")
        self._path = path
        self._answers: dict[str, deque[tuple[Completion | None, ...]]] = {}
        for call in Lines(path, Call):
            asked = call.request
            key = _key(asked.messages, n=asked.n, role=asked.role, seed=asked.seed)
            self._answers.setdefault(key, deque()).append(call.completions)

    async def generate(
        self, messages: Sequence[Message], *, n: int, role: Role, sampling: Sampling
    ) -> Sequence[Completion | None]:
        """Give back what was recorded.

        Raises:
            ReplayMismatch: no such call (any more) in the recording.
        """
        left = self._answers.get(_key(messages, n=n, role=role, seed=sampling.seed))
        if not left:
            raise ReplayMismatch(
                f"{self._path}: holds no {'further ' if left is not None else ''}call of the {role} with seed "
                f"{sampling.seed} and this prompt; replay with the settings, goalposts and --episodes of that run"
            )
        return left.popleft()

    async def close(self) -> None:
        """Nothing to free."""


def _key(messages: Sequence[Message], *, n: int, role: Role, seed: int | None) -> str:
    return sha256(msgspec.json.encode((tuple(messages), n, role, seed))).hexdigest()


def compare_runs(first: Path | str, second: Path | str) -> tuple[str, ...]:
    """Where two runs differ, in words; nothing where they are the same.

    Compared are the episodes (questions, rewards, turns), the metrics and the curriculum's events. Not compared: times,
    paths and the policy's name.

    Raises:
        ConfigError: one of them is no run.
    """
    runs = RunFolder.open(first), RunFolder.open(second)
    manifests = [
        f"manifest.{name}: {getattr(runs[0].manifest, name)} and {getattr(runs[1].manifest, name)}"
        for name in ("config", "wave", "goalposts_hash", "prompts_hash")
        if getattr(runs[0].manifest, name) != getattr(runs[1].manifest, name)
    ]
    parts = (
        ("episode", _episodes(runs[0]), _episodes(runs[1])),
        ("metrics", (_text(row) for row in runs[0].metrics), (_text(row) for row in runs[1].metrics)),
        ("event", _events(runs[0]), _events(runs[1])),
    )
    return (*manifests, *(found for part in parts if (found := _first(*part)) is not None))


def _first(what: str, left: Iterator[str], right: Iterator[str]) -> str | None:
    for place, (one, two) in enumerate(zip_longest(left, right)):
        if one != two:
            return f"{what} {place}: {_cut(one, two)} and {_cut(two, one)}"
    return None


def _cut(text: str | None, other: str | None) -> str:
    """The part of a text where it differs from another."""
    if text is None:
        return "(nothing)"
    start = next((at for at, (a, b) in enumerate(zip(text, other or "", strict=False)) if a != b), 0)
    return f"...{text[max(0, start - 40) : start + 80]}..."


def _text(row: object) -> str:
    return msgspec.json.encode(row).decode()


def _episodes(run: RunFolder) -> Iterator[str]:
    """Without the words of a fault, which name an endpoint; that it happened shows in the result."""
    return (_text(replace(row, fault="")) for row in run.transcripts)


def _events(run: RunFolder) -> Iterator[str]:
    file = run.path / "curriculum.db"
    if not file.exists():
        raise ConfigError(f"run folder {run.path}: has no curriculum.db; was it ever played?")
    store = open_store(run.store_url)
    try:
        for stored in store.read(0, -1).read:
            yield encode(_timeless(stored.event))
    finally:
        store.close()


def _timeless(event: Event) -> Event:
    return msgspec.structs.replace(event, expires_at=0.0, holder="") if isinstance(event, Issued) else event
