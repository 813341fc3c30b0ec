"""Teacher episodes: acceptance in the paper's order, every rejection with its reason and reward."""

from dataclasses import replace

import pytest
from game_cases import DOUBLE, GOALPOST, PROGRAMS, RULES, SQUARE, proposal, question, solution, ticket
from table import BROKEN, Table, Verdicted

from gasp_env.game import episode
from gasp_env.game.moves import CheckNovelty, Execute, Generate, Novelty
from gasp_env.types import (
    Axis,
    FreeTask,
    LemmaTask,
    LiftTask,
    RejectReason,
    Role,
    SolveKind,
    SolveRate,
    Stage,
    Verdict,
)

LEMMA = LemmaTask(goalpost=GOALPOST, axis=Axis.IO)
RIGHT, WRONG = solution(DOUBLE), solution(SQUARE)


def play(texts, *, task=LEMMA, rules=RULES, programs=PROGRAMS, novelty=None, stage=Stage.LEMMA):
    table = Table(texts=list(texts), programs=programs, novelty=novelty or Novelty(cosine=-1.0))
    return table, table.play(episode(ticket(stage), task, rules))


def answers(solved: int, n: int = 10):
    return [RIGHT] * solved + [WRONG] * (n - solved)


@pytest.mark.parametrize(
    ("solved", "reward"), [(0, -0.5), (2, -0.5), (3, 0.418), (4, 0.815), (5, 1.0), (7, 0.418), (8, -0.5), (10, -0.5)]
)
def test_lemma_reward_and_band(solved, reward):
    _, result = play([proposal(), answers(solved)])
    assert result.reward.value == pytest.approx(reward, abs=5e-4)
    assert result.solve_rate == SolveRate(solved=solved, n=10)
    assert result.accepted is (3 <= solved <= 7)
    assert (result.rejection is None) is result.accepted
    assert result.stage is Stage.LEMMA and result.goalpost_id == GOALPOST.id


@pytest.mark.parametrize(("solved", "reward"), [(0, -0.5), (1, 1.0), (2, 0.693), (5, 0.025), (6, -0.5)])
def test_lift_reward_band_and_axis(solved, reward):
    parent = question(SQUARE, "Give back the square.", axis=Axis.IO)
    _, result = play([proposal(), answers(solved)], task=LiftTask(parent=parent, axis=Axis.IO), stage=Stage.LIFT)
    assert result.reward.value == pytest.approx(reward, abs=5e-4)
    assert result.accepted is (1 <= solved <= 5)
    assert result.question.axis is parent.axis
    assert (result.question.depth, result.question.parent_id, result.question.goalpost_id) == (2, parent.id, "ferries")


@pytest.mark.parametrize("axis", list(Axis))
def test_the_lemma_prompt_shows_the_goalpost_and_the_lift_prompt_never_does(axis):
    table, _ = play([proposal(), answers(5)], task=LemmaTask(goalpost=GOALPOST, axis=axis))
    assert GOALPOST.statement in table.asked[0].messages[-1].content
    table, _ = play([proposal(), answers(1)], task=LiftTask(parent=question(), axis=axis), stage=Stage.LIFT)
    prompt = "".join(message.content for message in table.asked[0].messages)
    runs = {GOALPOST.statement[at : at + 30] for at in range(len(GOALPOST.statement) - 30)}
    assert not any(run in prompt for run in runs)
    assert question().message in prompt


def test_similarity_rejects_before_any_rollout():
    table, result = play([proposal()], novelty=Novelty(cosine=0.95, nearest_id="q"))
    assert result.rejection.reason is RejectReason.SIMILARITY
    assert result.reward.value is None and "resampled" in result.masked
    assert [type(request) for request in table.asked] == [Generate, Execute, CheckNovelty]
    _, result = play([proposal()], novelty=Novelty(cosine=0.95), rules=replace(RULES, similarity_reward=-0.5))
    assert result.reward.value == -0.5 and not result.masked


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I would rather not.", "expected one ```python block, found 0"),
        (proposal() + "\n```python\nx\n```", "expected one ```python block, found 2"),
        (proposal(inputs=range(9)), "expected 10 inputs, found 9"),
        ("```python\nx\n```\n```inputs\n1\n", "expected one ```inputs block, found 0"),
        ("x" * 1_000_000, "too long: 1000000 characters, at most 100000"),
        (proposal(message="  "), "the ```message block is empty"),
    ],
)
def test_format_rejections(text, why):
    table, result = play([text])
    assert result.rejection.reason is RejectReason.FORMAT and result.rejection.detail == why
    assert result.reward.value == -1.0 and len(table.asked) == 1


def forbidden(_):
    raise Verdicted(Verdict.FORBIDDEN)


def slow(_):
    raise Verdicted(Verdict.TIMEOUT)


def by_hash(x, hash_seed):
    return x + hash_seed


by_hash.seeded = True


def counter():
    calls = []

    def run(x):
        calls.append(x)
        return len(calls)

    return run


@pytest.mark.parametrize(
    ("program", "reason", "detail"),
    [
        (forbidden, RejectReason.SAFETY, "forbidden"),
        (slow, RejectReason.EXECUTION, "timeout"),
        (lambda x: 1 // x, RejectReason.EXECUTION, "runtime_error: ZeroDivisionError"),
        (lambda x: float("nan") if x else 0, RejectReason.EXECUTION, "nan"),
        (lambda x: [{"a": (1, float("nan"))}], RejectReason.EXECUTION, "nan:"),
        (lambda x: "y" * 2001, RejectReason.EXECUTION, "long output"),
        (by_hash, RejectReason.NONDETERMINISTIC, "outputs differ"),
        (counter(), RejectReason.NONDETERMINISTIC, "outputs differ"),
    ],
)
def test_rejections_of_what_ran(program, reason, detail):
    _, result = play([proposal("P")], programs={"P": program})
    assert result.rejection.reason is reason and result.rejection.detail.startswith(detail)
    assert result.reward.value == -1.0 and not result.accepted


def test_infrastructure_faults_mask_and_never_pay():
    _, result = play([None])
    assert result.reward.value is None and result.masked == "policy"
    _, result = play([proposal("P")], programs={"P": BROKEN})
    assert result.reward.value is None and result.masked == "sandbox"
    _, result = play([proposal(), [None] * 10])
    assert result.reward.value is None and "probe" in result.masked


def test_failed_probes_shrink_n_and_not_the_count():
    broken = dict(PROGRAMS) | {"B": BROKEN}
    _, result = play([proposal(), [RIGHT] * 4 + [WRONG] * 4 + [None, solution("B")]], programs=broken)
    assert result.solve_rate == SolveRate(solved=4, n=8) and result.accepted


def test_probes_see_the_induction_prompt_and_are_not_trained():
    table, result = play([proposal(), answers(5)])
    asked = [request for request in table.asked if isinstance(request, Generate)]
    assert [(one.role, one.train, one.n) for one in asked] == [(Role.TEACHER, True, 1), (Role.STUDENT, False, 10)]
    prompt = asked[1].messages[-1].content
    assert "f(4) == 8" in prompt and "f(5)" not in prompt
    assert len(result.attempts) == 10


def test_equal_answers_run_once():
    table, _ = play([proposal(), answers(5)])
    executed = [request for request in table.asked if isinstance(request, Execute)]
    assert [len(one.jobs) for one in executed] == [2, 2]


def test_repair_turn():
    rules = replace(RULES, teacher_turns=2)
    table, result = play(["no code", proposal(), answers(5)], rules=rules)
    assert result.accepted and [turn.train for turn in result.turns] == [True, True, False]
    talk = table.asked[1].messages
    assert talk[-2].content == "no code" and "expected one ```python block" in talk[-1].content


def test_edge_reestimation_spends_more_rollouts_only_at_the_edge():
    rules = replace(RULES, edge_rollouts=20)
    _, result = play([proposal(), answers(3), answers(10, 20)], rules=rules)
    assert result.solve_rate == SolveRate(solved=13, n=30)
    _, result = play([proposal(), answers(10)], rules=rules)
    assert result.solve_rate.n == 10


def test_extensions_refuse_trivial_questions():
    rules = replace(RULES, reject_trivial=True)
    programs = dict(PROGRAMS) | {"C": lambda x: 7, "E": lambda x: x}
    for program, why in (("C", "constant"), ("E", "echo")):
        _, result = play([proposal(program)], rules=rules, programs=programs)
        assert result.rejection.reason is RejectReason.ILL_POSED and result.rejection.detail.startswith(why)
    _, result = play([proposal(inputs=[0, 1, 2, 3, 4, 0, 1, 2, 3, 4])], rules=rules)
    assert result.rejection.detail.startswith("lookup")
    _, result = play([proposal(SQUARE, "Write def f(x): return x * x and no more.")], rules=rules)
    assert result.rejection.detail.startswith("leak")
    tail = " ".join(map(str, range(90)))
    _, result = play([proposal(tail, "See " + tail[-30:])], rules=rules, programs=programs | {tail: lambda x: 2 * x})
    assert result.rejection.detail.startswith("leak")
    _, result = play([proposal(), answers(5)], rules=rules)
    assert result.accepted


def test_free_proposals_follow_azr():
    task = FreeTask(kind=SolveKind.DEDUCTION, references=(question(SQUARE),))
    text = f"```python\n{DOUBLE}\n```\n```inputs\n3\n```"
    right, wrong = "```output\n6\n```", "```output\n7\n```"
    _, result = play([text, [right] * 3 + [wrong] * 7], task=task, stage=Stage.FREE)
    assert result.accepted and result.reward.value == pytest.approx(0.7)
    assert result.question.kind is SolveKind.DEDUCTION and result.question.depth == 0
    _, result = play([text, [wrong] * 10], task=task, stage=Stage.FREE)
    assert result.reward.value == 0.0 and result.accepted  # every valid proposal enters whatever its reward


def test_free_induction_keeps_the_program():
    task = FreeTask(kind=SolveKind.INDUCTION, references=(question(),))
    lines = "\n".join(map(str, range(20, 30)))
    text = f"```inputs\n{lines}\n```\n```message\nA multiple.\n```"
    _, result = play([text, answers(5)], task=task, stage=Stage.FREE)
    assert result.question.program == DOUBLE and result.question.inputs[0] == "20"
