"""The async driver: answers, masks, settles; one failing episode leaves its siblings alone."""

import asyncio
from dataclasses import replace

import pytest
from arena_cases import AffineSandbox, Author, arena
from game_cases import ticket

from gasp_env.config import Config, Rules
from gasp_env.errors import ConfigError, PolicyError, StoreError
from gasp_env.play import Seat
from gasp_env.types import JobOutcome, RejectReason, Role, Stage, TestOutcome, Verdict

CONFIG = Config(rules=Rules(prompt_style="compact"))


def play(made, stage=Stage.LEMMA, seed=1, **options):
    return asyncio.run(made.play_ticket(ticket(stage, seed), episode_id=f"{stage}-{seed}", **options))


async def gather(found):
    return [one async for one in found]


def seats(number, stage=Stage.LEMMA):
    return [Seat(ticket=ticket(stage, seed), episode_id=f"e{seed}", seed=seed) for seed in range(number)]


def test_lemma_then_lift_then_student():
    made = arena(config=CONFIG)
    lemma = play(made)
    assert lemma.result.accepted and lemma.settlement.accepted and lemma.result.solve_rate.solved == 5
    lift = play(made, Stage.LIFT)
    assert lift.result.accepted and lift.result.question.parent_id == lemma.result.question.id
    student = play(made, Stage.SOLVE)
    assert student.result.question_id in {lemma.result.question.id, lift.result.question.id}
    assert student.result.reward.value == 1.0
    assert made.curriculum.metrics()["questions/accepted"] == 2


def test_trained_completions_keep_their_tokens_and_probes_are_not_among_them():
    played = play(arena(config=CONFIG))
    ((messages, completion),) = played.trained
    assert completion.token_ids == (1, 2)
    assert messages == played.result.turns[0].messages
    assert [turn.train for turn in played.result.turns] == [True, False]


def test_the_recorder_hears_every_answer():
    heard = []
    play(arena(config=CONFIG), record=lambda request, found: heard.append((request.role, request.n, len(found))))
    assert heard == [(Role.TEACHER, 1, 1), (Role.STUDENT, 10, 10)]


def test_settling_twice_under_one_id_counts_once():
    made = arena(config=CONFIG)
    play(made)
    again = play(made)
    assert not again.settlement.stored
    assert made.curriculum.metrics()["questions/accepted"] == 1


def test_a_proposal_like_an_accepted_one_is_refused_before_any_probe():
    policy = Author()
    made = arena(policy, config=CONFIG)
    play(made)
    policy.numbers, calls = iter((2,)), policy.calls
    second = play(made, seed=10)
    assert second.result.rejection.reason is RejectReason.SIMILARITY
    assert second.result.reward.value is None and policy.calls == calls + 1


def test_of_two_equal_proposals_played_at_once_one_enters():
    class Same(Author):
        async def generate(self, messages, *, n, role, sampling):
            self.numbers = iter((2,))
            return await super().generate(messages, n=n, role=role, sampling=replace(sampling, seed=1))

    made = arena(Same(), config=CONFIG)

    async def both():
        tasks = [made.curriculum.resolve(seat.ticket) for seat in seats(2)]
        drafts = [await made.draft(seat, task) for seat, task in zip(seats(2), tasks, strict=True)]
        return [made.settle(draft) for draft in drafts]

    first, second = asyncio.run(both())
    assert first.settlement.accepted and second.result.accepted
    assert not second.settlement.accepted and second.settlement.duplicate_of == first.result.question.id


class Broken(Author):
    """Fails where the seed says so."""

    async def generate(self, messages, *, n, role, sampling):
        if sampling.seed % 1000 % 3 == 0:  # probes use the seed plus 1000
            raise PolicyError("endpoint http://localhost:1 is down; start it")
        return await super().generate(messages, n=n, role=role, sampling=sampling)


def test_a_policy_that_fails_masks_its_episode_and_no_other():
    found = asyncio.run(gather(arena(Broken(), config=CONFIG).play_many(seats(9), concurrency=3)))
    masked = {one.episode_id for one in found if one.result.reward.value is None}
    assert masked == {"e0", "e3", "e6"}
    assert all("is down" in one.fault and one.result.masked for one in found if one.episode_id in masked)
    assert all(one.result.accepted for one in found if one.episode_id not in masked)


def test_failed_completions_are_masked_not_scored():
    class Gaps(Author):
        async def generate(self, messages, *, n, role, sampling):
            found = await super().generate(messages, n=n, role=role, sampling=sampling)
            return [None if role is Role.STUDENT and place < 4 else one for place, one in enumerate(found)]

    rate = play(arena(Gaps(rate=7), config=CONFIG)).result.solve_rate
    assert (rate.solved, rate.n) == (3, 6)


class Failing(AffineSandbox):
    """Fails by itself."""

    async def run(self, jobs):
        return [JobOutcome(tests=(TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error="zygote died"),)) for _ in jobs]


def test_a_sandbox_fault_masks_the_episode():
    result = play(arena(config=CONFIG, sandbox=Failing())).result
    assert result.reward.value is None and result.masked == "sandbox"


def test_concurrency_is_bounded_and_reached():
    class Counting(Author):
        now = most = 0

        async def generate(self, messages, *, n, role, sampling):
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(5):
                await asyncio.sleep(0)
            self.now -= 1
            return await super().generate(messages, n=n, role=role, sampling=sampling)

    policy = Counting()
    found = asyncio.run(gather(arena(policy, config=CONFIG).play_many(seats(20), concurrency=4)))
    assert len(found) == 20 and policy.most == 4


def test_a_programming_error_is_not_swallowed():
    class Buggy(Author):
        async def generate(self, messages, *, n, role, sampling):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(gather(arena(Buggy(), config=CONFIG).play_many(seats(3))))


def test_an_empty_curriculum_and_a_missing_policy_are_told():
    with pytest.raises(StoreError, match="goalpost"):
        play(arena(config=CONFIG, goalposts=()))
    made = arena(config=CONFIG)
    made.policy = None
    with pytest.raises(ConfigError, match="policy"):
        play(made)


def test_leaving_early_cancels_the_rest_unsettled():
    made = arena(config=CONFIG)

    async def first():
        found = made.play_many(seats(8), concurrency=2)
        one = await anext(found)
        await found.aclose()
        return one, len(asyncio.all_tasks())

    one, running = asyncio.run(first())
    assert one.result.accepted and running == 1
    assert made.curriculum.metrics()["episodes/settled"] <= 2
