"""``gasp-env rewind``: the curriculum as it was when a checkpoint was written."""

from datetime import UTC, datetime
from pathlib import Path

from gasp_env.errors import ConfigError
from gasp_env.play import RunFolder
from gasp_env.store import open_curriculum

__all__ = ("rewind_command",)


def rewind_command(run: Path, to: str) -> str:
    """Rewind and say what was done.

    Raises:
        ConfigError: no run, or neither a checkpoint nor a time.
        StoreError: the store can't be used, or was begun later.
    """
    when = _time_of(to)
    folder = RunFolder.open(run)
    with open_curriculum(folder.store_url, folder.manifest.config) as curriculum:
        dropped = curriculum.rewind(when)
        state = curriculum.state
    at = datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    return f"{dropped} events after {at} rolled back; {len(state.questions)} questions, {len(state.settled)} episodes remain"


def _time_of(text: str) -> float:
    path = Path(text)
    if path.is_dir():
        return max((one.stat().st_mtime for one in path.rglob("*") if one.is_file()), default=path.stat().st_mtime)
    if path.exists():
        return path.stat().st_mtime
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--to: {text!r} is neither a checkpoint that is there nor a time such as 2026-01-31T12:00:00Z"
        ) from None
    return found.timestamp()
