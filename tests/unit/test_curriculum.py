"""The curriculum manager over a memory store, and its draws."""

import dataclasses
import json
from collections import Counter

import pytest
from curriculum_cases import fingerprint, goalpost, lemma, question, refused, student

from gasp_env.config import PROFILES, Config, Mix, Rules
from gasp_env.curriculum import (
    SEED_QUESTION,
    Curriculum,
    Fingerprint,
    GoalpostState,
    State,
    deal,
    draw,
    rebuild,
)
from gasp_env.errors import ConfigError, DataError, StoreError
from gasp_env.store import open_curriculum
from gasp_env.types import Axis, FreeTask, LemmaTask, LiftTask, RealTask, Reward, SolveKind, SolveTask, Stage, Ticket
from gasp_env.values import encode

CHI2_1, CHI2_2 = 10.83, 13.82
"""Critical values at 0.001 for 1 and 2 degrees of freedom; seeds are fixed."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(config: Config | None = None, *, goals: int = 3, clock: Clock | None = None, cap: int = 100) -> Curriculum:
    curriculum = open_curriculum("memory://", config or Config(), clock or Clock(), cap=cap)
    if goals:
        curriculum.add_goalposts(goalpost(n) for n in range(goals))
    return curriculum


def accept(curriculum: Curriculum, number: int, **more):
    return curriculum.settle(lemma(number, **more), episode_id=f"e{number}", fingerprint=fingerprint(number))


def chi2(counts: Counter, cells: int) -> float:
    expected = counts.total() / cells
    assert len(counts) == cells
    return sum((n - expected) ** 2 / expected for n in counts.values())


def test_resolve_is_the_same_for_a_group_and_opens_one_lease():
    curriculum = make()
    ticket = Ticket(stage=Stage.LEMMA, draw_seed=5)
    assert len({repr(curriculum.resolve(ticket)) for _ in range(8)}) == 1
    assert list(curriculum.state.leases) == [ticket.id]


def test_a_resolved_ticket_keeps_its_task_when_the_curriculum_grows():
    curriculum = make()
    ticket = Ticket(stage=Stage.SOLVE, draw_seed=5)
    first = curriculum.resolve(ticket)
    assert isinstance(first, LemmaTask)  # nothing was accepted yet
    accept(curriculum, 1)
    assert curriculum.resolve(ticket) == first


def test_an_eval_ticket_writes_nothing():
    curriculum = make()
    before = curriculum.state
    ticket = Ticket(stage=Stage.REAL, draw_seed=1, goalpost_id="g1", split="eval")
    assert curriculum.resolve(ticket) == RealTask(problem=goalpost(1))
    result = dataclasses.replace(student(1, "q1", solved=True), ticket=ticket)
    assert not curriculum.settle(result, episode_id="e", fingerprint=None).stored
    assert curriculum.state == before


def test_settle_counts_once_per_episode():
    curriculum = make()
    assert accept(curriculum, 1).stored
    again = accept(curriculum, 1)
    assert (again.stored, again.accepted) == (False, True)
    assert curriculum.state.baselines["lemma"].count == 1


@pytest.mark.parametrize("same", ["id", "vector"])
def test_a_duplicate_accepted_meanwhile_is_refused(same):
    curriculum = make()
    accept(curriculum, 1)
    late = question(1) if same == "id" else question(2)
    prints = fingerprint(2) if same == "id" else fingerprint(1)
    lost = curriculum.settle(lemma(2, asked=late), episode_id="late", fingerprint=prints)
    assert (lost.stored, lost.accepted, lost.duplicate_of) == (True, False, "q1")
    assert curriculum.metrics()["rejected/lemma/similarity"] == 1
    assert list(curriculum.state.questions) == ["q1"]


@pytest.mark.parametrize("on", [False, True])
def test_same_code_counts_only_where_the_rules_say_so(on):
    curriculum = make(Config(rules=Rules(reject_same_code=on)))
    accept(curriculum, 1)
    twin = Fingerprint(vector=fingerprint(2).vector, code_hash="code1")
    assert curriculum.settle(lemma(2), episode_id="x", fingerprint=twin).accepted is not on


def test_novelty_names_the_nearest_of_each_layer():
    curriculum = make()
    one = fingerprint(1)
    empty = curriculum.novelty(question(1), one.vector, "code1", "deed1")
    assert (empty.cosine, empty.nearest_id, empty.same_code_id) == (-1.0, None, None)
    accept(curriculum, 1)
    found = curriculum.novelty(question(9), one.vector, "code1", "deed1")
    assert (found.cosine, found.nearest_id, found.same_code_id, found.same_behaviour_id) == (1.0, "q1", "q1", "q1")
    assert curriculum.novelty(question(9), fingerprint(2).vector, "code2", None).cosine < 0.95


def test_another_embedder_is_refused_and_nothing_is_lost():
    curriculum = make()
    accept(curriculum, 1)
    with pytest.raises(StoreError, match="3 numbers"):
        curriculum.settle(lemma(2), episode_id="x", fingerprint=Fingerprint(vector=(1.0, 2.0, 3.0), code_hash="c"))
    assert list(curriculum.state.questions) == ["q1"]


def test_masked_results_leave_no_statistics():
    curriculum = make()
    accept(curriculum, 1)
    before = curriculum.state
    curriculum.settle(student(1, "q1", solved=None), episode_id="m", fingerprint=None)
    after = curriculum.state
    assert after.masked == {"solve": 1}
    assert (after.baselines, after.rates, after.questions) == (before.baselines, before.rates, before.questions)


def test_student_attempts_grow_the_counts_of_their_question():
    curriculum = make()
    accept(curriculum, 1)
    for number, solved in enumerate((True, False, True)):
        curriculum.settle(student(number, "q1", solved=solved), episode_id=f"s{number}", fingerprint=None)
    known = curriculum.state.questions["q1"]
    assert (known.solved, known.tries) == (7, 13)


def test_rejections_are_counted_by_stage_and_reason():
    curriculum = make()
    for number in range(3):
        curriculum.settle(refused(number), episode_id=f"r{number}", fingerprint=None)
    assert curriculum.metrics()["rejected/lemma/format"] == 3


def test_standardise_uses_the_group_s_running_mean_and_spread():
    curriculum = make()
    for number, solved in enumerate((True, False)):
        curriculum.settle(student(number, "q", solved=solved), episode_id=f"s{number}", fingerprint=None)
    assert curriculum.standardise("solve/induction", 1.0) == pytest.approx(1.0)
    assert curriculum.standardise("unknown", 1.0) == 0.0


def test_each_lease_that_runs_out_is_returned_once_and_keeps_its_task():
    clock = Clock()
    curriculum = make(clock=clock)
    done, left = (Ticket(stage=Stage.LEMMA, draw_seed=n) for n in (1, 2))
    curriculum.resolve(done)
    task = curriculum.resolve(left)
    curriculum.settle(lemma(1), episode_id="e", fingerprint=fingerprint(1))
    assert curriculum.expired() == ()
    clock.now = Config().lease_s
    assert curriculum.expired() == (left,)
    assert curriculum.expired() == ()
    assert curriculum.resolve(left) == task
    assert curriculum.state.leases[left.id].number == 2


def test_restore_rolls_back_for_every_manager():
    first = open_curriculum("memory://restore", Config(), Clock())
    second = open_curriculum("memory://restore", Config(), Clock())
    first.add_goalposts([goalpost(0)])
    accept(first, 1)
    first.snapshot(10)
    saved = first.state
    accept(second, 2)
    assert len(first.state.questions) == 2
    first.restore(10)
    assert second.state == first.state == saved
    assert accept(second, 2).stored  # the same episode may be played again
    with pytest.raises(StoreError, match="known steps: 10"):
        first.restore(11)


def test_state_dict_is_json_and_loads_into_another_store():
    curriculum = make()
    accept(curriculum, 1)
    curriculum.snapshot(1)
    data = json.loads(json.dumps(curriculum.state_dict()))
    other = make(goals=1)
    other.load_state_dict(data)
    assert other.state == curriculum.state
    other.restore(1)
    assert other.state == curriculum.state
    with pytest.raises(StoreError, match="state_dict"):
        other.load_state_dict({"x": 1})


def test_adding_goalposts_twice_changes_nothing_and_a_taken_id_is_an_error():
    curriculum = make(goals=2)
    assert curriculum.add_goalposts([goalpost(1), goalpost(2)]) == 1
    with pytest.raises(DataError, match="'g1'"):
        curriculum.add_goalposts([dataclasses.replace(goalpost(1), statement="other")])


def test_only_active_goalposts_are_drawn():
    curriculum = make(goals=2)
    curriculum.set_goalpost_state("g0", GoalpostState.RETIRED)
    drawn = {curriculum.resolve(Ticket(stage=Stage.LEMMA, draw_seed=n)).goalpost.id for n in range(20)}
    assert drawn == {"g1"}
    curriculum.set_goalpost_state("g1", GoalpostState.STALLED)
    with pytest.raises(StoreError, match="none is active"):
        curriculum.resolve(Ticket(stage=Stage.LEMMA, draw_seed=99))
    curriculum.set_goalpost_state("g0", GoalpostState.ACTIVE)
    assert curriculum.metrics()["goalposts/active"] == 1


def state_with(curriculum: Curriculum, count: int) -> State:
    for number in range(count):
        accept(curriculum, number)
    return curriculum.state


def tickets(stage: Stage, count: int):
    return (Ticket(stage=stage, draw_seed=seed) for seed in range(count))


def test_axis_and_goalpost_are_uniform():
    state, config = make().state, Config()
    drawn = [draw(state, ticket, config) for ticket in tickets(Stage.LEMMA, 3000)]
    assert chi2(Counter(one.axis for one in drawn), 2) < CHI2_1
    assert chi2(Counter(one.goalpost_id for one in drawn), 3) < CHI2_2


def test_accepted_questions_are_put_in_three_ways_uniformly_and_never_a_goalpost():
    state, config = state_with(make(), 3), Config()
    drawn = [draw(state, ticket, config) for ticket in tickets(Stage.SOLVE, 3000)]
    assert chi2(Counter(one.kind for one in drawn), 3) < CHI2_2
    assert chi2(Counter(one.question_id for one in drawn), 3) < CHI2_2
    assert {type(rebuild(state, one)) for one in drawn} == {SolveTask}
    assert {one.index for one in drawn} == {0, 1, 2}


def test_a_lift_inherits_the_axis_and_prefers_questions_without_one():
    curriculum = make()
    parent = question(1, axis=Axis.F)
    accept(curriculum, 1, asked=parent)
    accept(curriculum, 2, asked=question(2, axis=Axis.IO))
    accept(curriculum, 3, asked=question(3, parent=parent))
    config = Config()
    tasks = [rebuild(curriculum.state, draw(curriculum.state, t, config)) for t in tickets(Stage.LIFT, 20)]
    assert {(task.parent.id, task.axis) for task in tasks if isinstance(task, LiftTask)} == {("q2", Axis.IO)}
    accept(curriculum, 4, asked=question(4, parent=question(2)))
    state = curriculum.state
    again = {draw(state, t, config).question_id for t in tickets(Stage.LIFT, 40)}
    assert again == {"q1", "q2"}
    deeper = Config(rules=Rules(max_depth=3))
    assert {draw(state, t, deeper).question_id for t in tickets(Stage.LIFT, 40)} == {"q3", "q4"}


def test_unguided_references_start_from_the_identity():
    config = PROFILES["azr"]
    curriculum = make(config, goals=0)
    for ticket in tickets(Stage.SOLVE, 10):
        assert curriculum.resolve(ticket) == FreeTask(kind=curriculum.resolve(ticket).kind, references=(SEED_QUESTION,))
    state = state_with(curriculum, 8)
    for ticket in tickets(Stage.FREE, 30):
        task = rebuild(state, draw(state, ticket, config))
        assert isinstance(task, FreeTask)
        assert len({one.id for one in task.references}) == (1 if task.kind is SolveKind.INDUCTION else 6)


def test_the_seed_s_output_is_canonical():
    assert SEED_QUESTION.outputs == (encode("Hello World"),)


def test_eviction_keeps_the_newest_and_remembers_the_rest():
    state = state_with(make(cap=3), 5)
    assert list(state.pool) == ["q2", "q3", "q4"]
    assert len(state.questions) == len(state.index) == 5
    drawn = {draw(state, t, Config()).question_id for s in (Stage.SOLVE, Stage.LIFT) for t in tickets(s, 60)}
    assert drawn == {"q2", "q3", "q4"}


def test_a_pinned_goalpost_must_exist():
    with pytest.raises(StoreError, match="'nope'"):
        make().resolve(Ticket(stage=Stage.LEMMA, draw_seed=1, goalpost_id="nope"))


def test_deal_follows_the_mix_and_replays():
    config = Config(seed=3)
    dealt = [deal(config, index) for index in range(2000)]
    assert dealt == [deal(config, index) for index in range(2000)]
    assert len({ticket.id for ticket in dealt}) == 2000
    counts = Counter(ticket.stage for ticket in dealt)
    assert set(counts) == {Stage.LEMMA, Stage.LIFT, Stage.SOLVE}
    assert abs(counts[Stage.SOLVE] - 1000) < 100
    with pytest.raises(ConfigError, match="mix"):
        deal(Config(mix=Mix(lemma=0, lift=0, solve=0)), 0)


def test_an_accepted_flag_on_a_masked_reward_is_not_an_acceptance():
    curriculum = make()
    masked = dataclasses.replace(lemma(1), reward=Reward(value=None), masked="sandbox")
    assert not curriculum.settle(masked, episode_id="x", fingerprint=fingerprint(1)).accepted
    assert curriculum.state.questions == {}
