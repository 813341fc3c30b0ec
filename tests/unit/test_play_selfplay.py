"""Self-play: waves settle in order, a kill between any two writes loses nothing and doubles nothing."""

import asyncio
from itertools import count

import pytest
from arena_cases import AffineSandbox, Author, Steady, arena
from game_cases import GOALPOST

from gasp_env.config import Config, Mix, Rules
from gasp_env.errors import PolicyError, ReplayMismatch
from gasp_env.play import RunFolder, SelfPlay, compare_runs, make_manifest
from gasp_env.policy.protocol import Completion
from gasp_env.types import Role

CONFIG = Config(rules=Rules(prompt_style="compact"), mix=Mix(lemma=2, lift=1, solve=1))


def opened(path, *, wave=4, config=CONFIG, policy=None, concurrency=4, **options):
    manifest = make_manifest(config, policy="steady", wave=wave, goalposts=("x", "hash", 1))
    run = (
        RunFolder.resume(path, manifest)
        if RunFolder.holds_run(path)
        else RunFolder.create(path, manifest, goalposts=[GOALPOST])
    )
    made = arena(policy or Steady(), config=config, url=run.store_url, sandbox=AffineSandbox())
    return SelfPlay(arena=made, run=run, concurrency=concurrency, **options)


def play(path, episodes, **options):
    game = opened(path, **options)
    try:
        return asyncio.run(game.play(episodes))
    finally:
        game.arena.curriculum.close()


def test_grows_a_curriculum_and_writes_the_folder(tmp_path):
    funnel = play(tmp_path / "run", 16)
    run = RunFolder.open(tmp_path / "run")
    assert funnel.episodes == 16 and funnel.accepted >= 3 and funnel.tried >= 1
    assert [row.index for row in run.transcripts] == list(range(16))
    assert [line.step for line in run.metrics] == [4, 8, 12, 16]
    assert list(run.metrics)[-1].values["teacher/accepted"] == funnel.accepted


def test_the_outcome_does_not_depend_on_concurrency(tmp_path):
    play(tmp_path / "one", 12, concurrency=1)
    play(tmp_path / "four", 12, concurrency=4)
    assert compare_runs(tmp_path / "one", tmp_path / "four") == ()


def test_another_seed_is_another_run_and_compare_says_where(tmp_path):
    play(tmp_path / "one", 8)
    play(tmp_path / "two", 8, config=Config(rules=CONFIG.rules, mix=CONFIG.mix, seed=1))
    found = compare_runs(tmp_path / "one", tmp_path / "two")
    assert found[0].startswith("manifest.config") and any(line.startswith("episode 0") for line in found)


def test_a_run_goes_on_where_it_stood(tmp_path):
    play(tmp_path / "whole", 12)
    for episodes in (4, 8, 8, 12):
        funnel = play(tmp_path / "parts", episodes)
    assert compare_runs(tmp_path / "whole", tmp_path / "parts") == ()
    assert funnel.values() == list(RunFolder.open(tmp_path / "whole").metrics)[-1].values


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.mark.parametrize(
    ("place", "after"),
    [(place, after) for place in ("transcripts", "metrics") for after in (1, 2, 3)]
    + [(place, after) for place in ("settle", "resolve") for after in (1, 3, 6, 11)],
)
def test_killed_anywhere_and_resumed_is_the_same_run(tmp_path, monkeypatch, place, after):
    play(tmp_path / "whole", 12)
    game, calls = opened(tmp_path / "cut"), count(1)

    def dying(function):
        def call(*args, **options):
            if next(calls) == after:
                raise Killed
            return function(*args, **options)

        return call

    owner, name = {
        "transcripts": (game.run.transcripts, "append"),
        "metrics": (game.run.metrics, "append"),
        "settle": (game.arena.curriculum, "settle"),
        "resolve": (game.arena.curriculum, "resolve"),
    }[place]
    monkeypatch.setattr(owner, name, dying(getattr(owner, name)))
    with pytest.raises(Killed):
        asyncio.run(game.play(12))
    game.arena.curriculum.close()
    play(tmp_path / "cut", 12)
    assert compare_runs(tmp_path / "whole", tmp_path / "cut") == ()


def test_an_accepted_question_is_there_once(tmp_path):
    class Repeating(Author):
        async def generate(self, messages, *, n, role, sampling):
            if role is Role.TEACHER:
                self.numbers = iter((2,))
                sampling = type(sampling)(seed=1)
            return await super().generate(messages, n=n, role=role, sampling=sampling)

    funnel = play(
        tmp_path / "run", 12, policy=Repeating(), config=Config(rules=CONFIG.rules, mix=Mix(lemma=1, lift=0, solve=0))
    )
    assert funnel.accepted == 1 and funnel.rejected["similarity"] == 11
    run = RunFolder.open(tmp_path / "run")
    assert len(next(iter(run.metrics)).duplicates) == 3


class Down(Author):
    """An endpoint that is not there."""

    async def generate(self, messages, *, n, role, sampling):
        raise PolicyError("http://localhost:1 does not answer")


def test_a_dead_policy_ends_the_run_with_one_clear_error(tmp_path):
    with pytest.raises(PolicyError, match=r"localhost:1 does not answer; 8 episodes are kept.*--resume"):
        play(tmp_path / "run", 100, policy=Down())


def test_garbage_is_refused_not_masked(tmp_path):
    class Garbage(Author):
        async def generate(self, messages, *, n, role, sampling):
            return [Completion(text="\x00 <b>no</b> code " * 50) for _ in range(n)]

    funnel = play(tmp_path / "run", 8, policy=Garbage())
    assert funnel.rejected["format"] == 8 and funnel.masked == 0


def test_progress_is_told_after_each_wave(tmp_path):
    told = []
    play(tmp_path / "run", 8, report=lambda funnel: told.append(funnel.episodes))
    assert told == [4, 8]


def test_an_error_in_a_wave_comes_out_as_itself(tmp_path):
    class Misread(Author):
        async def generate(self, messages, *, n, role, sampling):
            raise ReplayMismatch("the recording holds no such call")

    with pytest.raises(ReplayMismatch, match="no such call"):
        play(tmp_path / "run", 8, policy=Misread())
