"""Laws of the fold, over random histories."""

from contextlib import closing

from curriculum_cases import fingerprint, goalpost, lemma, question, refused, student
from hypothesis import given, settings
from hypothesis import strategies as st

from gasp_env.config import Config
from gasp_env.curriculum import State, advance, decode, encode, fold
from gasp_env.store import open_curriculum, open_store
from gasp_env.types import Stage, Ticket

MOVES = st.lists(
    st.tuples(
        st.sampled_from(("resolve", "lemma", "lift", "refused", "student", "late", "snapshot")), st.integers(0, 9)
    ),
    max_size=30,
)


def play(moves, url="memory://"):
    now = [0.0]
    curriculum = open_curriculum(url, Config(lease_s=2), lambda: now[0], cap=4)
    curriculum.add_goalposts([goalpost(0), goalpost(1)])
    saved = {}
    for place, (move, number) in enumerate(moves):
        now[0] += 1
        prints = fingerprint(number)
        match move:
            case "resolve":
                curriculum.resolve(Ticket(stage=list(Stage)[number % 5], draw_seed=number))
            case "lemma":
                curriculum.settle(lemma(number), episode_id=f"l{place}", fingerprint=prints)
            case "lift":
                made = question(number + 10, parent=question(number))
                curriculum.settle(
                    lemma(number, asked=made), episode_id=f"l{place}", fingerprint=fingerprint(number + 10)
                )
            case "refused":
                curriculum.settle(refused(number), episode_id=f"r{number}", fingerprint=None)
            case "student":
                curriculum.settle(
                    student(number, f"q{number}", number % 2 == 0), episode_id=f"s{place}", fingerprint=None
                )
            case "late":
                curriculum.expired()
            case _:
                curriculum.snapshot(number)
                saved[number] = (curriculum._snapshots[number], curriculum.state)
    return curriculum, saved


def events_of(curriculum):
    return [one.event for one in curriculum._store.read(0, -1).read]


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_fold_is_deterministic_idempotent_and_pure(moves):
    curriculum, _ = play(moves)
    state = State(cap=4)
    for event in events_of(curriculum):
        before = state.copy()
        after = fold(state, event)
        assert state == before
        assert fold(after, event) == after
        state = after
    assert state == curriculum.state == advance(State(cap=4), events_of(curriculum))


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_events_survive_json(moves):
    for event in events_of(play(moves)[0]):
        assert decode(encode(event)) == event


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_restore_equals_the_fold_of_the_prefix(moves):
    curriculum, saved = play(moves)
    for step in reversed(list(dict.fromkeys(saved))):
        place, state = saved[step]
        if curriculum._snapshots.get(step) != place:
            continue  # rolled back by an earlier restore
        curriculum.restore(step)
        assert curriculum.state == state


@settings(max_examples=30, deadline=None)
@given(MOVES)
def test_the_pool_rungs_and_leases_stay_consistent(moves):
    state = play(moves)[0].state
    assert len(state.pool) <= 4
    rungs = [one for side in (state.fresh, state.lifted) for ids in side.values() for one in ids]
    assert sorted(rungs) == sorted(state.pool)
    assert not set(state.leases) & set(state.returned)
    assert set(state.leases) | set(state.returned) <= set(state.draws)


def test_a_restart_decides_as_before(tmp_path):
    url = f"sqlite:///{tmp_path}/run.db"
    curriculum, _ = play([("lemma", n) for n in range(5)], url)
    with curriculum, open_curriculum(url, Config(), lambda: 0.0, cap=4) as reopened, closing(open_store(url)) as store:
        assert reopened.state == curriculum.state
        assert reopened.novelty(question(50), fingerprint(3).vector, "", None).nearest_id == "q3"
        assert store.read(0, -1).read
