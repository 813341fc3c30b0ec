"""Shared pieces of game tests."""

from gasp_env.config import Rules
from gasp_env.game.validate import IDENTITY, question_id
from gasp_env.types import Axis, Goalpost, InputStyle, Question, Stage, TestCase, Ticket
from gasp_env.values import encode

RULES = Rules()
DOUBLE = "def f(x):\n    return 2 * x"
SQUARE = "def f(x):\n    return x * x"
PROGRAMS = {
    DOUBLE: lambda x: 2 * x,
    SQUARE: lambda x: x * x,
    IDENTITY: lambda *args: args[0] if len(args) == 1 else args,
}
GOALPOST = Goalpost(
    id="ferries",
    statement="The harbour master Odalys counts ferries that pass twice before dawn on the grey lake.",
    style=InputStyle.LITERAL,
    visible=(TestCase(input="[1, 2]", output=encode(3)),),
    hidden=(TestCase(input="[5, 2]", output=encode(7)),),
)


def solution(program: str) -> str:
    return f"```python\n{program}\n```"


def proposal(program: str = DOUBLE, message: str = "Give back twice the number.", inputs=range(10)) -> str:
    lines = "\n".join(str(value) for value in inputs)
    return f"Let me think.\n```python\n{program}\n```\n```inputs\n{lines}\n```\n```message\n{message}\n```"


def ticket(stage: Stage = Stage.LEMMA, seed: int = 1) -> Ticket:
    return Ticket(stage=stage, draw_seed=seed)


def question(program: str = DOUBLE, message: str = "Give back twice the number.", **changes) -> Question:
    inputs = tuple(str(value) for value in range(10))
    fields = {
        "id": question_id(program, message, inputs),
        "program": program,
        "message": message,
        "inputs": inputs,
        "outputs": tuple(encode(PROGRAMS[program](value)) for value in range(10)),
        "stage": Stage.LEMMA,
        "depth": 1,
        "axis": Axis.F,
        "goalpost_id": GOALPOST.id,
    }
    return Question(**(fields | changes))
