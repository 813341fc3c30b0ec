"""A guarded curriculum: copies of evaluation problems and of the goalpost's text are refused before any rollout."""

import asyncio
from dataclasses import replace

from arena_cases import Author, arena
from curriculum_cases import goalpost, question

from gasp_env.config import Config
from gasp_env.curriculum import Nearest
from gasp_env.play.guarded import COPY, GuardedLedger
from gasp_env.play.parts import guarded
from gasp_env.tasks import Guard, dump_goalposts
from gasp_env.types import Axis, LiftTask, RejectReason, Stage, Ticket

STATEMENT = "A wizard sorts his potions by colour and wants to know how many swaps he needs at least."


class Plain:
    """A ledger to which everything is new."""

    def __init__(self, task=None):
        self.task, self.asked = task, 0

    def resolve(self, _ticket):
        return self.task

    def novelty(self, *_):
        self.asked += 1
        return Nearest(cosine=-1.0)


def nearest(asked, *, task=None, guard=None, goalposts=()):
    ledger = GuardedLedger(Plain(task), guard or Guard(), goalposts)
    if task is not None:
        ledger.resolve(Ticket(stage=Stage.LIFT, draw_seed=0))
    return ledger.novelty(asked, None, "", None)


def test_a_proposal_near_an_evaluation_problem_is_a_copy():
    guard = Guard()
    guard.add("abc400_a", STATEMENT)
    found = nearest(replace(question(1), message=STATEMENT.upper()), guard=guard)
    assert found.cosine == COPY and "abc400_a" in found.nearest_id
    assert nearest(question(1), guard=guard).cosine == -1


def test_a_lift_must_not_hold_the_text_of_its_goalpost_unless_its_lemma_does():
    hard = replace(goalpost(0), statement=STATEMENT)
    lemma = question(1)
    lift = replace(question(2, parent=lemma), message=f"Now: {STATEMENT[10:60]}")
    assert "text of goalpost g0" in nearest(lift, goalposts=(hard,)).nearest_id
    quoting = replace(lemma, message=STATEMENT)
    assert nearest(lift, task=LiftTask(parent=quoting, axis=Axis.IO), goalposts=(hard,)).cosine == -1
    assert nearest(quoting, goalposts=(hard,)).cosine == -1  # a lemma is made from the statement


def test_the_settings_name_evaluation_sets(tmp_path):
    file = tmp_path / "eval.jsonl"
    file.write_bytes(dump_goalposts([replace(goalpost(0), id="held-out", statement=STATEMENT)]))
    ledger = guarded(Plain(), Config(guard=(str(file),)), ())
    assert "held-out" in ledger.novelty(replace(question(1), message=STATEMENT), None, "", None).nearest_id
    plain = Plain()
    assert guarded(plain, Config(), ()) is plain


def test_an_arena_plays_behind_a_guard():
    guard = Guard(words=3, share=0.01)
    guard.add("all", "scale and shift")
    author = Author()
    game = arena(author, config=Config())
    game.curriculum = GuardedLedger(game.curriculum, guard)
    played = asyncio.run(game.play_ticket(Ticket(stage=Stage.LEMMA, draw_seed=1), episode_id="e", seed=1))
    assert (
        played.result.rejection.reason is RejectReason.SIMILARITY
        and "evaluation problem all" in played.result.rejection.detail
    )
    assert author.calls == 1  # no probe was spent
