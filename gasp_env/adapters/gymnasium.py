"""GASP as gymnasium environments: one agent writes text, ``reset`` gives a prompt, ``step`` takes a completion.

    import gymnasium
    env = gymnasium.make("gasp_env.adapters.gymnasium:GaspTeacher-v0", goalposts="goalposts.jsonl", policy="openai:http://...")
    text, info = env.reset(seed=0)                      # info["messages"]: the same as a chat
    text, reward, terminated, truncated, info = env.step(my_model(info["messages"]))

``GaspTeacher-v0`` deals lemma, lift and unguided tickets; ``GaspStudent-v0`` deals questions and real problems. A teacher's solve
rate is measured by ``policy``; without one the probes are observations too (``info["train"]`` is False).

The law of this module: what an infrastructure fault touched ends as ``truncated`` with reward 0 and ``info["masked"]``;
drop it. Every draw comes from gymnasium's ``np_random``: seeded environments repeat, unseeded ones differ.
"""

import itertools
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.config import Config, load_config
from gasp_env.curriculum import deal
from gasp_env.errors import ConfigError
from gasp_env.novelty import make_embedder
from gasp_env.play import Arena, LoopThread, Probes, Step, Stepper, Transcript, run_folder, seat_seed
from gasp_env.play.lines import Lines
from gasp_env.play.parts import guarded, open_box
from gasp_env.policy import Policy, open_policy
from gasp_env.store import open_curriculum
from gasp_env.tasks import load_goalposts
from gasp_env.types import Message, Role, Stage, Ticket

__all__ = ("FreeText", "GaspEnv")

require_version("gymnasium", at_least="1.4", below="1.5", extra="gymnasium")
_gym: Any = require("gymnasium", extra="gymnasium")
_MOST_CHARS = 1 << 20
_PLACES = 1 << 62
"""Places of the schedule that tickets are drawn from."""
_number = itertools.count()
"""Environments of this process, each with a transcript file of its own."""


class FreeText(_gym.spaces.Text):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """Any text up to a length; samples are drawn from printable ASCII."""

    def __init__(self, max_length: int = _MOST_CHARS) -> None:
        """Bound the length, in characters."""
        parent: Any = super()
        parent.__init__(max_length, min_length=0, charset="".join(map(chr, range(32, 127))) + "\n")

    def contains(self, x: object) -> bool:
        """True for every string that is short enough, whatever its characters."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:  # noqa: ANN401, ARG002
        """A short random text."""
        parent: Any = super()
        return str(parent.sample(mask=(int(self.np_random.integers(0, 200)), None)))


class GaspEnv(_gym.Env):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """One role of the game. Opens its sandbox at once; close it."""

    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012 - gymnasium's own form

    def __init__(  # noqa: PLR0913 - all have defaults but the role
        self,
        role: str,
        *,
        goalposts: Path | str | None = None,
        run: Path | str | None = None,
        config: Config | None = None,
        settings: Mapping[str, str] | None = None,
        policy: Policy | str | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Open a game.

        Args:
            role: ``teacher`` or ``student``.
            goalposts: JSON lines file; the curriculum then lives in memory and ends with the environment.
            run: a run made by ``gasp-env tickets``, shared by every environment that names it and given a transcript of
                every episode; instead of goalposts.
            config: settings; None: the run's, or the profile ``gasp``.
            settings: dotted overrides, e.g. ``{"rules.rollouts": "8"}``.
            policy: answers a teacher's probes; a policy or its name (`open_policy`). None surfaces them.
            render_mode: ``ansi`` or None.

        Raises:
            ConfigError: unknown role, or neither goalposts nor run.
            DataError: the goalposts can't be read.
            SandboxUnavailable: the isolation asked for can't be had here.
        """
        if role not in tuple(Role):
            raise ConfigError(f"role: got {role!r}; expected teacher or student")
        self._role, self.render_mode = Role(role), render_mode
        self.observation_space, self.action_space = FreeText(), FreeText()
        self._closing, self._played, self._text = ExitStack(), 0, ""
        self._transcripts: Lines[Transcript] | None = None
        try:
            self._open(goalposts, run, config, settings or {}, policy)
        except BaseException:
            self._closing.close()
            raise

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: seeds the tickets that follow; equal seeds on equal curricula give equal prompts. None goes on with the
                randomness there is, which is fresh where no seed was ever given.
            options: ``{"ticket": Ticket}`` plays that one.
        """
        parent: Any = super()
        parent.reset(seed=seed)
        ticket: Ticket = (options or {}).get("ticket") or self._deal()
        name = f"gym-{uuid.uuid4().hex}"
        step = self._stepper.reset(ticket, episode_id=name, seed=seat_seed(ticket.id, self._config))
        return self._observe(step)

    def step(self, action: str | Sequence[str]) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answer the prompt; a surfaced probe that asks for n texts takes a list of n, or one text for all.

        Raises:
            ConfigError: no episode runs.
        """
        texts = [action] * self._due if isinstance(action, str) else list(action)
        step = self._stepper.step(texts)
        self._keep(step)
        text, info = self._observe(step)
        masked = step.done and step.reward is None
        return text, step.reward or 0.0, step.done and not masked, masked, info

    def render(self) -> str | None:
        """The prompt that is due, in mode ``ansi``."""
        return self._text if self.render_mode == "ansi" else None

    def close(self) -> None:
        """End the sandbox's processes."""
        self._closing.close()

    def _open(
        self,
        goalposts: Path | str | None,
        run: Path | str | None,
        config: Config | None,
        settings: Mapping[str, str],
        policy: Policy | str | None,
    ) -> None:
        if (goalposts is None) == (run is None):
            raise ConfigError("goalposts, run: name one of the two")
        folder = None if run is None else run_folder(run)
        self._config = config or (folder.manifest.config if folder else load_config(None, settings))
        chosen = folder.goalposts() if folder else load_goalposts(str(goalposts))
        loop = self._closing.enter_context(LoopThread())
        sandbox = loop.run(open_box(self._config))
        self._closing.callback(lambda: loop.run(sandbox.close()))
        self._transcripts = None if folder is None else folder.worker_transcripts(_worker())
        url = folder.store_url if folder else "memory://"
        self.curriculum = self._closing.enter_context(open_curriculum(url, self._config))
        self.curriculum.add_goalposts(chosen)
        probes = open_policy(policy) if isinstance(policy, str) else policy
        if probes is not None:
            self._closing.callback(lambda: loop.run(probes.close()))
        ledger = guarded(self.curriculum, self._config, chosen)
        arena = Arena(ledger, sandbox, probes, make_embedder("hashing"), self._config)
        self._stepper = Stepper(arena, loop, mode=Probes.SURFACE if probes is None else Probes.POLICY)

    def _deal(self) -> Ticket:
        if self._role is Role.STUDENT and not self.curriculum.state.pool:  # nothing was proposed yet: a goalpost
            return Ticket(stage=Stage.REAL, draw_seed=self._draw())
        tickets = (deal(self._config, self._draw()) for _ in range(10_000))
        return next(one for one in tickets if one.role is self._role)

    def _draw(self) -> int:
        return int(self.np_random.integers(_PLACES))

    def _keep(self, step: Step) -> None:
        """Write the transcript of an episode that ended, as every process of a run does."""
        if self._transcripts is None or not step.done or step.info["result"].ticket.split == "eval":
            return
        self._played += 1
        row = Transcript(
            index=self._played,
            wave_end=self._played + 1,
            episode_id=step.info["episode_id"],
            result=step.info["result"],
        )
        self._transcripts.append([row])

    def _observe(self, step: Step) -> tuple[str, dict[str, Any]]:
        self._text, self._due = _shown(step.messages or ()), int(step.info.get("n", 1))
        shown = {name: value for name, value in step.info.items() if name != "episode_id"}  # equal seeds, equal infos
        return self._text, {"messages": step.messages or ()} | shown


def _worker() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-gym{next(_number)}"


def _shown(messages: Sequence[Message]) -> str:
    return "\n\n".join(one.content for one in messages)[:_MOST_CHARS]


for _name, _player in (("GaspTeacher-v0", Role.TEACHER), ("GaspStudent-v0", Role.STUDENT)):
    _gym.register(_name, entry_point=f"{__name__}:GaspEnv", kwargs={"role": _player.value}, disable_env_checker=True)
