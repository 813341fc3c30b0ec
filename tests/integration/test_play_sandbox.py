"""A whole game through the real sandbox, on both embedded stores."""

import asyncio
from itertools import count

import pytest
from arena_cases import Author, arena, propose
from game_cases import ticket

from gasp_env.config import Config, Mix, Rules
from gasp_env.play import LoopThread, RunFolder, SelfPlay, Stepper, make_manifest
from gasp_env.policy.protocol import Completion
from gasp_env.sandbox import open_local
from gasp_env.types import RejectReason, Role, SolveKind, Stage, Verdict

CONFIG = Config(rules=Rules(prompt_style="compact", cpu_s=1.0, reject_same_behaviour=True))


@pytest.fixture(params=["memory://", "sqlite:///{}/run.db"])
def url(request, tmp_path):
    return request.param.format(tmp_path)


async def with_sandbox(play, **options):
    sandbox = await open_local(require="L0", allow_unsafe=True, slots=2)
    made = arena(sandbox=sandbox, **({"config": CONFIG} | options))
    try:
        return await play(made)
    finally:
        made.curriculum.close()
        await sandbox.close()


def test_lemma_lift_and_every_student_kind(url):
    async def game(made):
        lemma = await made.play_ticket(ticket(), episode_id="lemma")
        lift = await made.play_ticket(ticket(Stage.LIFT), episode_id="lift")
        solved = [await made.play_ticket(ticket(Stage.SOLVE, seed), episode_id=f"s{seed}") for seed in range(12)]
        return lemma, lift, solved, made.curriculum.metrics()

    lemma, lift, solved, metrics = asyncio.run(with_sandbox(game, url=url))
    assert lemma.settlement.accepted and lift.settlement.accepted
    assert lift.result.question.parent_id == lemma.result.question.id
    assert {one.result.kind for one in solved} == {SolveKind.INDUCTION, SolveKind.DEDUCTION, SolveKind.ABDUCTION}
    assert all(one.result.reward.value == 1.0 for one in solved)
    assert metrics["questions/accepted"] == 2 and metrics["episodes/settled"] == 14


def answer(program, inputs="range(10)"):
    lines = "\n".join(map(str, range(10)))
    return f"```python\n{program}\n```\n```inputs\n{lines}\n```\n```message\nSay what it does.\n```"


BAD = [
    ("no code at all", RejectReason.FORMAT),
    ("x" * 1_000_000, RejectReason.FORMAT),
    (answer("def f(x):\n    while True:\n        pass"), RejectReason.EXECUTION),
    (answer("import os\ndef f(x):\n    return os.fork()"), None),
    (answer("def f(x):\n    return open('/etc/passwd').read()"), None),
    (answer("import os\ndef f(x):\n    return os.urandom(4)"), RejectReason.NONDETERMINISTIC),
    (answer("def f(x):\n    return str(hash(str(x)))"), RejectReason.NONDETERMINISTIC),
    (answer("def f(x):\n    return float('nan')"), RejectReason.EXECUTION),
    (answer("def f(x):\n    return object()"), RejectReason.EXECUTION),
    (answer("def f(x) return"), None),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_a_bad_proposal_is_refused_never_raised_and_never_masked(text, reason):
    class Says(Author):
        async def generate(self, messages, *, n, role, sampling):
            return [Completion(text=text) for _ in range(n)]

    result = asyncio.run(with_sandbox(lambda made: made.play_ticket(ticket(), episode_id="1"), policy=Says())).result
    assert result.rejection is not None and not result.accepted and result.reward.value == -1.0
    assert reason in (None, result.rejection.reason)


def test_the_same_behaviour_in_other_words_is_refused():
    texts = iter([propose(2, 6), answer("def g(y):\n    return y + y\ndef f(x):\n    return g(x) + 6")])

    class Twice(Author):
        async def generate(self, messages, *, n, role, sampling):
            if role is Role.TEACHER:
                return [Completion(text=next(texts))]
            return await super().generate(messages, n=n, role=role, sampling=sampling)

    async def game(made):
        return [await made.play_ticket(ticket(seed=seed), episode_id=f"{seed}") for seed in (1, 2)]

    first, second = asyncio.run(with_sandbox(game, policy=Twice()))
    assert first.settlement.accepted
    assert second.result.rejection.detail.startswith("same behaviour")


def test_a_cheating_student_gains_nothing():
    class Cheat(Author):
        async def generate(self, messages, *, n, role, sampling):
            if role is Role.TEACHER:
                return await super().generate(messages, n=n, role=role, sampling=sampling)
            return [Completion(text="```python\nimport os\ndef f(x):\n    os._exit(0)\n```") for _ in range(n)]

    result = asyncio.run(with_sandbox(lambda made: made.play_ticket(ticket(), episode_id="1"), policy=Cheat())).result
    assert result.solve_rate.solved == 0 and result.solve_rate.n == 10
    assert {one.verdict for one in result.attempts} <= {Verdict.NO_RESULT, Verdict.FORBIDDEN, Verdict.RUNTIME_ERROR}


def test_stepping_from_sync_code():
    with LoopThread() as loop:
        sandbox = loop.run(open_local(require="L0", allow_unsafe=True, slots=1))
        stepper = Stepper(arena(config=CONFIG, sandbox=sandbox), loop)
        stepper.reset(ticket(), episode_id="1")
        assert stepper.step(propose(4, 3)).info["result"].accepted
        loop.run(sandbox.close())


def test_self_play_through_the_real_sandbox(tmp_path):
    config = Config(rules=CONFIG.rules, mix=Mix(lemma=2, lift=1, solve=1))
    run = RunFolder.create(tmp_path / "run", make_manifest(config, policy="x", wave=6, goalposts=("x", "y", 1)))
    funnel = asyncio.run(
        with_sandbox(
            lambda made: SelfPlay(arena=made, run=run).play(18),
            url=run.store_url,
            config=config,
            policy=Author(numbers=count(2)),
        )
    )
    assert funnel.episodes == 18 and funnel.accepted > 5 and funnel.masked == funnel.rejected["similarity"]
