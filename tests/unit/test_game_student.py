"""Student episodes of every kind."""

from dataclasses import replace

import pytest
from game_cases import DOUBLE, GOALPOST, PROGRAMS, RULES, SQUARE, question, solution, ticket
from table import BROKEN, Table

from gasp_env.game import episode
from gasp_env.game.moves import Execute
from gasp_env.types import Goalpost, InputStyle, RealTask, SolveKind, SolveTask, Stage, TestCase, Verdict
from gasp_env.values import encode


def play(texts, task, *, rules=RULES, programs=PROGRAMS):
    table = Table(texts=list(texts), programs=programs)
    stage = Stage.REAL if isinstance(task, RealTask) else Stage.SOLVE
    return table, table.play(episode(ticket(stage), task, rules))


@pytest.mark.parametrize(
    ("kind", "text", "reward"),
    [
        (SolveKind.INDUCTION, solution(DOUBLE), 1.0),
        (SolveKind.INDUCTION, solution(SQUARE), -0.5),
        (SolveKind.INDUCTION, solution("syntax error"), -0.5),
        (SolveKind.INDUCTION, "no code", -1.0),
        (SolveKind.DEDUCTION, "```output\n6\n```", 1.0),
        (SolveKind.DEDUCTION, "```output\n6.0\n```", -0.5),
        (SolveKind.DEDUCTION, "```output\nTrue or 6\n```", -0.5),
        (SolveKind.DEDUCTION, "6", -1.0),
        (SolveKind.ABDUCTION, "```input\n3\n```", 1.0),
        (SolveKind.ABDUCTION, "```input\n4\n```", -0.5),
        (SolveKind.ABDUCTION, "```input\n0) or True or f(0\n```", -0.5),
    ],
)
def test_rewards(kind, text, reward):
    _, result = play([text], SolveTask(question=question(), kind=kind, index=3))
    assert result.reward.value == reward
    assert result.kind is kind and result.question_id == question().id
    assert result.attempts[-1].solved is (reward == 1.0)


def test_the_last_block_counts_and_thoughts_do_not():
    text = f"<think>{solution(SQUARE)}</think>" + solution(SQUARE) + "\nbetter:\n" + solution(DOUBLE)
    _, result = play([text], SolveTask(question=question(), kind=SolveKind.INDUCTION))
    assert result.reward.value == 1.0


def test_only_hidden_pairs_decide_and_no_expected_value_is_sent():
    table, _ = play([solution(DOUBLE)], SolveTask(question=question(), kind=SolveKind.INDUCTION))
    (request,) = [one for one in table.asked if isinstance(one, Execute)]
    assert request.jobs[0].inputs == ("5", "6", "7", "8", "9")
    assert not any(value in repr(request) for value in question().outputs)


def test_faults_mask():
    task = SolveTask(question=question(), kind=SolveKind.INDUCTION)
    _, result = play([None], task)
    assert result.reward.value is None and result.masked == "policy"
    _, result = play([solution("B")], task, programs={"B": BROKEN})
    assert result.reward.value is None and result.masked == "sandbox"


def test_retry_after_visible_tests_fail():
    rules = replace(RULES, student_turns=3)
    task = SolveTask(question=question(), kind=SolveKind.INDUCTION)
    table, result = play(["nothing", solution(SQUARE), solution(DOUBLE)], task, rules=rules)
    assert result.reward.value == 1.0 and len(result.turns) == 3
    last = table.asked[-2].messages[-1].content if not isinstance(table.asked[-2], Execute) else ""
    prompts = [request.messages[-1].content for request in table.asked if not isinstance(request, Execute)]
    assert "no ```python block" in prompts[1]
    assert "on input 1 it should give 2, but gives 1" in prompts[2]
    assert "10" not in last


def test_a_retry_never_tells_the_hidden_pair():
    rules = replace(RULES, student_turns=2)
    _, result = play(["```output\n7\n```"], SolveTask(question=question(), kind=SolveKind.DEDUCTION), rules=rules)
    assert result.reward.value == -0.5 and len(result.turns) == 1


STDIN = Goalpost(
    id="sum",
    statement="Read two numbers and print their sum.",
    style=InputStyle.STDIN,
    visible=(TestCase(input="1 2\n", output="3\n"),),
    hidden=(TestCase(input="4 5\n", output="9\n"),),
)


def test_real_stdin_problem():
    programs = {"S": lambda text: f"{sum(map(int, text.split()))}  \n", "B": lambda text: "3\n"}
    table, result = play([solution("S")], RealTask(problem=STDIN), programs=programs)
    assert result.reward.value == 1.0 and result.kind is SolveKind.STDIN and result.goalpost_id == "sum"
    assert STDIN.statement in table.asked[0].messages[-1].content
    _, result = play([solution("B")], RealTask(problem=STDIN), programs=programs)
    assert result.reward.value == -0.5 and result.attempts[0].verdict is Verdict.WRONG
    assert result.attempts[0].detail == "test 2"


def test_real_functional_problem():
    programs = {"S": sum, "M": max}
    assert play([solution("S")], RealTask(problem=GOALPOST), programs=programs)[1].reward.value == 1.0
    assert play([solution("M")], RealTask(problem=GOALPOST), programs=programs)[1].reward.value == -0.5


def test_json_problems_compare_as_livecodebench_does():
    problem = replace(
        STDIN, style=InputStyle.JSON, visible=(TestCase(input="[1, 2]", output=encode([1, 2])),), hidden=()
    )
    programs = {"T": tuple}
    assert play([solution("T")], RealTask(problem=problem), programs=programs)[1].reward.value == 1.0
