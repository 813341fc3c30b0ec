"""One training run's side of the game, opened anew and logged."""

from dataclasses import replace

from arena_cases import AffineSandbox, Author
from game_cases import GOALPOST, ticket

from gasp_env.config import Config, Rules
from gasp_env.play import Seat, Session

CONFIG = Config(rules=Rules(prompt_style="compact"))
OTHER = replace(GOALPOST, id="other", statement="Another problem altogether.")


def opened(tmp_path, *goalposts, **options):
    return Session.open(tmp_path / "run", config=CONFIG, goalposts=goalposts, sandbox=AffineSandbox(), **options)


def test_a_new_run_on_a_store_that_held_another_begins_with_its_own_goalposts(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with opened(tmp_path, GOALPOST, store_url=url) as session:
        session.begin(0)
    with opened(tmp_path, OTHER, store_url=url, new=True) as session:
        session.begin(0)
        assert list(session.curriculum.state.goals) == ["other"]


def test_what_was_played_for_evaluation_leaves_no_trace(tmp_path):
    with opened(tmp_path, GOALPOST) as session:
        session.begin(0)
        for number, split in enumerate(("eval", "train")):
            seat = Seat(ticket=replace(ticket(), split=split), episode_id=str(number))
            session.log(session.rows(session.play([seat], policy=Author())))
        assert [row.episode_id for row in session.run.transcripts] == ["1"]
        assert session.funnel.episodes == len(session.curriculum.state.settled) == 1


def test_leases_of_workers_that_are_gone_are_taken_back(tmp_path):
    with opened(tmp_path, GOALPOST) as session:
        late = type(session.curriculum)(session.curriculum._store, replace(CONFIG, lease_s=0.001), lambda: 0.0)
        late.resolve(ticket(seed=7))
        assert session.curriculum.metrics()["leases/active"] == 1
        session.log(session.rows(session.play([Seat(ticket=ticket(), episode_id="1")], policy=Author())))
        assert session.curriculum.metrics()["leases/active"] == 0
