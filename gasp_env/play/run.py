"""The run folder: everything that one run wrote, and enough to resume, replay and report it.

    manifest.json       versions, seeds, settings, hashes, prompts, hardware, command (written once, atomically)
    curriculum.db       the curriculum: SQLite with the event log
    goalposts.jsonl     a copy of the goalposts
    transcripts.jsonl   one line an episode: ticket, turns, result
    policy.jsonl        every call of the policy, for replay
    metrics.jsonl       one line a wave of episodes
    report.html         made by ``gasp-env report``

The law of this module: a folder is a run of this version, or it is refused in words; nothing is ever deleted.
"""

import fcntl
import os
import platform
import shlex
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import msgspec

from gasp_env import __version__
from gasp_env.config import Config
from gasp_env.errors import ConfigError, StoreVersionError
from gasp_env.game import check_rules
from gasp_env.game.prompts import prompts_hash
from gasp_env.play.arena import Draft
from gasp_env.play.lines import Lines, write_atomic
from gasp_env.tasks import dump_goalposts, load_goalposts
from gasp_env.types import EpisodeResult, Goalpost

__all__ = ("FORMAT", "Manifest", "Metrics", "RunFolder", "Transcript", "hardware", "make_manifest", "versions")

FORMAT = 1
"""Raised when the layout of a run folder changes."""
_SAME = ("config", "goalposts_hash", "prompts_hash", "embedder", "sampling", "wave")
"""What a resumed run must share with the run it goes on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run is; written before its first episode."""

    format: int
    gasp_env: str
    created: str
    """UTC, ISO."""
    command: str
    policy: str
    config: Config
    wave: int
    """Episodes resolved against one state of the curriculum; with the seed it decides the run."""
    goalposts: str
    """Where the goalposts came from."""
    goalposts_hash: str
    goalposts_count: int
    prompts_hash: str
    embedder: str = ""
    sampling: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the policy; empty: the trainer's own."""
    trainer: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the training script tells of itself: steps, batch, learning rate, weights."""
    store: str = ""
    """Address of the curriculum; empty: SQLite in the run folder."""
    sandbox: dict[str, Any] = field(default_factory=dict[str, Any])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    hardware: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One played episode."""

    index: int
    """Its place in the run."""
    wave_end: int
    """The place after the last of its wave; a wave is settled only once all of its lines are written."""
    episode_id: str
    result: EpisodeResult
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures after one wave."""

    step: int
    """Episodes settled so far."""
    values: dict[str, float]
    duplicates: dict[str, str] = field(default_factory=dict[str, str])
    """Episodes of this wave whose question lost the race, and against which question."""


def versions() -> dict[str, str]:
    """Python and the packages that decide results."""
    found = {"python": platform.python_version(), "gasp-env": __version__}
    for name in ("numpy", "msgspec", "sqlalchemy", "torch", "transformers", "trl", "sentence-transformers"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Machine, cores and memory in GiB."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": os.cpu_count() or 0,
        "memory_gib": round(pages / 2**30, 1),
    }


def make_manifest(config: Config, *, policy: str, wave: int, goalposts: tuple[str, str, int], **extra: Any) -> Manifest:  # noqa: ANN401
    """Describe a run on this machine.

    Args:
        config: settings in force.
        policy: what plays, e.g. ``openai:http://localhost:8000``.
        wave: episodes resolved against one state.
        goalposts: where from, content hash, count.
        extra: further fields of `Manifest`.

    Raises:
        ConfigError: the rules name a reward or a prompt style that does not exist.
    """
    check_rules(config.rules)
    source, digest, count = goalposts
    return Manifest(
        format=FORMAT,
        gasp_env=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        policy=policy,
        config=config,
        wave=wave,
        goalposts=source,
        goalposts_hash=digest,
        goalposts_count=count,
        prompts_hash=prompts_hash(),
        versions=versions(),
        hardware=hardware(),
        **extra,
    )


class RunFolder:
    """A run on the disk. Made with `create`, `open` or `resume`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Name the files; use the class methods instead."""
        self.path, self.manifest = path, manifest
        self.transcripts = Lines(path / "transcripts.jsonl", Transcript)
        self.metrics = Lines(path / "metrics.jsonl", Metrics)

    @property
    def store_url(self) -> str:
        """Address of the curriculum."""
        return self.manifest.store or f"sqlite:///{self.path / 'curriculum.db'}"

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from playing in this folder; the lock ends with the process, however it ends.

        Raises:
            ConfigError: another process plays there.
        """
        return _lock(self.path)

    def worker_transcripts(self, worker: str) -> Lines[Transcript]:
        """Transcripts of a process that joined the run; each has a file of its own."""
        return Lines(self.path / f"transcripts-{worker}.jsonl", Transcript)

    def all_transcripts(self) -> Iterator[Transcript]:
        """Transcripts of the run's own process, then of each that joined, in order of their names."""
        yield from self.transcripts
        for file in sorted(self.path.glob("transcripts-*.jsonl")):
            yield from Lines(file, Transcript)

    @property
    def policy_calls(self) -> Path:
        """Recorded calls of the policy."""
        return self.path / "policy.jsonl"

    def log(self, first: int, drafts: Sequence[Draft]) -> None:
        """Write the transcripts of one wave, before it is settled.

        Args:
            first: place of the wave's first episode in the run.
            drafts: the wave, in order.

        Raises:
            StoreError: the disk is full or the folder can't be written.
        """
        end = first + len(drafts)
        self.transcripts.append(
            Transcript(index=at, wave_end=end, episode_id=one.seat.episode_id, result=one.result, fault=one.fault)
            for at, one in enumerate(drafts, start=first)
        )

    def whole_waves(self) -> list[Transcript]:
        """The episodes of complete waves; what was written of an incomplete one is cut off (it was never settled)."""
        rows = list(self.transcripts)
        whole = rows[-1].wave_end if rows and rows[-1].index + 1 == rows[-1].wave_end else 0
        if rows and not whole:
            whole = max((row.wave_end for row in rows if row.wave_end != rows[-1].wave_end), default=0)
        return self.transcripts.keep(lambda row: row.wave_end <= whole)

    def goalposts(self) -> tuple[Goalpost, ...]:
        """The goalposts of the run.

        Raises:
            DataError: the copy in the folder is damaged.
        """
        file = self.path / "goalposts.jsonl"
        return load_goalposts(file) if file.exists() and file.stat().st_size else ()

    @classmethod
    def create(
        cls, path: Path | str, manifest: Manifest, *, goalposts: Iterable[Goalpost] = (), aside: bool = False
    ) -> Self:
        """Start a run in a new or empty folder.

        Args:
            path: the folder.
            manifest: what the run is.
            goalposts: copied into the folder, so that it stands on its own.
            aside: rename a run that is already there (``NAME.old-1``) instead of refusing.

        Raises:
            ConfigError: the folder holds a run that stays, or another process plays in, or something that is no run.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise ConfigError(f"run folder {path}: is a file; name a folder")
        try:
            if path.is_dir() and any(path.iterdir()):
                _make_room(path, aside=aside)
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"run folder {path}: can't be made ({error.strerror}); name another folder") from error
        write_atomic(path / "goalposts.jsonl", dump_goalposts(goalposts))
        write_atomic(path / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        return cls(path, manifest)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a run for reading.

        Raises:
            ConfigError: no such folder, or no run in it.
            StoreVersionError: written by another version of gasp-env.
        """
        path = Path(path)
        file = path / "manifest.json"
        if not file.is_file():
            what = "holds no manifest.json, so it is no run of gasp-env" if path.exists() else "does not exist"
            raise ConfigError(f"run folder {path}: {what}; name the folder given to `gasp-env play --run`")
        return cls(path, _read_manifest(file))

    @classmethod
    def resume(cls, path: Path | str, manifest: Manifest) -> Self:
        """Open a run to go on with it.

        Raises:
            ConfigError: its settings, goalposts or prompts differ from ``manifest``; names the field.
            StoreVersionError: written by another version of gasp-env.
        """
        run = cls.open(path)
        for name in _SAME:
            old, new = getattr(run.manifest, name), getattr(manifest, name)
            if old != new:
                raise ConfigError(
                    f"run folder {path}: can't resume, {_difference(name, old, new)}; "
                    "give the same settings, or start a new run with --new"
                )
        return run

    @staticmethod
    def holds_run(path: Path | str) -> bool:
        """True if there is a run in the folder."""
        return (Path(path) / "manifest.json").is_file()


def _make_room(path: Path, *, aside: bool) -> None:
    if not RunFolder.holds_run(path):
        raise ConfigError(f"run folder {path}: is not empty and holds no run of gasp-env; name another folder")
    if not aside:
        raise ConfigError(f"run folder {path}: already holds a run; go on with --resume, or set it aside with --new")
    number = 1
    while (old := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    with _lock(path):
        path.rename(old)


@contextmanager
def _lock(path: Path) -> Generator[None, None, None]:
    with (path / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"run folder {path}: another process plays in it; wait or name another") from None
        yield


def _read_manifest(file: Path) -> Manifest:
    try:
        raw = msgspec.json.decode(file.read_bytes())
        found = raw.get("format")
        if found != FORMAT:
            raise StoreVersionError(
                f"{file}: written by gasp-env {raw.get('gasp_env')} (format {found}); this is {__version__} "
                f"(format {FORMAT}): read it with that version, or start a new run"
            )
        return msgspec.convert(raw, Manifest)
    except (msgspec.MsgspecError, AttributeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is no manifest of a run ({error})") from None


def _difference(name: str, old: object, new: object) -> str:
    if isinstance(old, Config) and isinstance(new, Config):
        for one in fields(Config):
            before, after = getattr(old, one.name), getattr(new, one.name)
            if before != after:
                return f"config.{one.name} was {before} and is now {after}"
    return f"{name} was {old} and is now {new}"
