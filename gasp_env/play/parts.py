"""The parts of a run that its settings choose: the sandbox, and the ledger behind a contamination guard."""

from collections.abc import Iterable

from gasp_env.config import Config
from gasp_env.curriculum import Curriculum
from gasp_env.play.guarded import GuardedLedger
from gasp_env.play.ports import Ledger
from gasp_env.sandbox import Sandbox, open_sandbox
from gasp_env.tasks import Guard, Source
from gasp_env.types import Goalpost

__all__ = ("guarded", "open_box")


async def open_box(config: Config) -> Sandbox:
    """The sandbox that the settings ask for.

    Raises:
        SandboxUnavailable: the backend, or the isolation asked for, can't be had here.
        MissingExtra: the backend's package is not installed.
    """
    return await open_sandbox(config.sandbox, require=config.require_level, allow_unsafe=config.allow_unsafe)


def guarded(curriculum: Curriculum, config: Config, goalposts: Iterable[Goalpost]) -> Ledger:
    """The curriculum; where the settings name evaluation sets, behind a guard that knows them.

    Raises:
        DataError: a set can't be read.
    """
    if not config.guard:
        return curriculum
    guard = Guard()
    for path in config.guard:
        guard.add_all(Source(path=path))
    return GuardedLedger(curriculum, guard, tuple(goalposts))
