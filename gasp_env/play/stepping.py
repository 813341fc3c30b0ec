"""Stepping through a joined run from sync code: what trainers with ``init`` and ``step`` share.

    seat = StepRun("runs/first", probes=policy)
    messages, reward, done, info = seat.reset(ticket)
    messages, reward, done, info = seat.step(model(messages))

A process opens a run once: its sandbox, its store and one background loop serve every `StepRun` there. The law of this
module: a seat holds one episode and nothing that another seat can see; each settled episode leaves its transcript.
"""

import os
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

from gasp_env.errors import ConfigError
from gasp_env.play.joined import Joined, join_run, run_folder
from gasp_env.play.loop import LoopThread
from gasp_env.play.run import Transcript
from gasp_env.play.stepper import Probes, Step, Stepper
from gasp_env.play.tickets import seat_seed
from gasp_env.policy.protocol import Policy
from gasp_env.types import Message, Ticket

__all__ = ("StepRun", "leave_runs", "new_messages", "process_run")

_guard = threading.Lock()
_open: dict[tuple[int, Path], tuple[LoopThread, Joined]] = {}
"""By process and folder: a forked child opens its own."""


def process_run(path: Path | str | None = None) -> tuple[LoopThread, Joined]:
    """The run, joined once in this process, and the loop that it lives on.

    Args:
        path: the run folder; None reads ``GASP_RUN``.

    Raises:
        ConfigError: no run there.
        SandboxUnavailable: the isolation asked for can't be had here.
    """
    key = os.getpid(), run_folder(path).path.resolve()
    with _guard:
        if key not in _open:
            loop = LoopThread()
            try:
                _open[key] = loop, loop.run(join_run(key[1]))
            except BaseException:
                loop.close()
                raise
        return _open[key]


def leave_runs() -> None:
    """Leave every run that this process joined; a process that ends needs not call it."""
    with _guard:
        mine = [key for key in _open if key[0] == os.getpid()]
        for key in mine:
            loop, joined = _open.pop(key)
            loop.run(joined.close())
            loop.close()


class StepRun:
    """One episode at a time in a joined run. Many may live in one process, in any threads."""

    def __init__(self, path: Path | str | None = None, *, probes: Policy | None = None) -> None:
        """Join.

        Args:
            path: the run folder; None reads ``GASP_RUN``.
            probes: answers a teacher's solve-rate probes; None surfaces them as observations.
        """
        self._loop, self._joined = process_run(path)
        mode = Probes.SURFACE if probes is None else Probes.POLICY
        self._stepper = Stepper(self._joined.arena, self._loop, probes=probes, mode=mode)

    def reset(self, ticket: Ticket, *, episode_id: str = "", seed: int | None = None) -> Step:
        """Start the episode of a ticket.

        Args:
            ticket: what to play.
            episode_id: for a trainer that retries and knows the episode again; empty makes one.
            seed: of the probes' sampling; None: drawn from the episode id.
        """
        name = episode_id or uuid.uuid4().hex
        chosen = seat_seed(name, self._joined.config) if seed is None else seed
        return self._kept(self._stepper.reset(ticket, episode_id=name, seed=chosen))

    def step(self, action: str | Sequence[str | None] | None) -> Step:
        """Answer the prompt that is due; None says that the model could not be reached.

        Raises:
            ConfigError: no episode runs, or the number of texts is wrong.
        """
        return self._kept(self._stepper.step(action))

    def _kept(self, step: Step) -> Step:
        if step.done and step.info["result"].ticket.split != "eval":
            self._loop.run(self._write(step))
        return step

    async def _write(self, step: Step) -> None:
        """On the loop, as the file is every seat's."""
        self._joined.episodes += 1
        index = self._joined.episodes
        row = Transcript(
            index=index, wave_end=index + 1, episode_id=step.info["episode_id"], result=step.info["result"]
        )
        self._joined.transcripts.append([row])


def new_messages(before: Sequence[Message], now: Sequence[Message]) -> Sequence[Message]:
    """What the environment says after the model's answer to ``before``.

    Raises:
        ConfigError: ``now`` does not go on where ``before`` ended.
    """
    start = len(before) + 1  # the answer itself
    if tuple(now[: len(before)]) != tuple(before) or len(now) < start:
        raise ConfigError("the prompt is of another conversation; take it whole")
    return now[start:]
