"""Prompt templates as text files, one folder a style, and the functions that fill them.

The law of this module: a lift prompt is built from a `LiftTask`, which holds no goalpost, so a leak is a type error.
Placeholders are ``$name``; what is filled in is never expanded again.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template

from gasp_env.config import Rules
from gasp_env.errors import ConfigError
from gasp_env.types import (
    FreeTask,
    Goalpost,
    InputStyle,
    LemmaTask,
    LiftTask,
    Message,
    Question,
    RealTask,
    SolveKind,
    SolveTask,
    TestCase,
)
from gasp_env.values import display

__all__ = (
    "STYLES",
    "TEMPLATES",
    "follow_up",
    "free_prompt",
    "lemma_prompt",
    "lift_prompt",
    "prompts_hash",
    "real_prompt",
    "render",
    "solve_prompt",
    "template",
)

STYLES = ("instruct", "compact")
TEMPLATES = (
    "lemma_io",
    "lemma_f",
    "lift_io",
    "lift_f",
    "free_induction",
    "free_deduction",
    "free_abduction",
    "solve_induction",
    "solve_deduction",
    "solve_abduction",
    "real_stdin",
    "real_functional",
    "repair",
    "retry",
)


@cache
def template(style: str, name: str) -> str:
    """Text of one template.

    Raises:
        ConfigError: no such style or template.
    """
    if style not in STYLES or name not in TEMPLATES:
        known = f"styles {', '.join(STYLES)}; templates {', '.join(TEMPLATES)}"
        raise ConfigError(f"prompt {style}/{name} does not exist; known: {known}")
    return (files(__name__) / style / f"{name}.txt").read_text(encoding="utf-8")


@cache
def prompts_hash() -> str:
    """Hash of every template, for the run manifest."""
    texts = (template(style, name) for style in STYLES for name in TEMPLATES)
    return sha256("\0".join(texts).encode()).hexdigest()[:16]


def render(style: str, name: str, **fields: str) -> tuple[Message, ...]:
    """Fill a template; sections start with a line ``[system]`` or ``[user]``."""
    messages: list[Message] = []
    for section in template(style, name).removeprefix("[").split("\n["):
        role, _, body = section.partition("]\n")
        messages.append(Message(role=role, content=Template(body.rstrip("\n")).substitute(fields).strip("\n")))
    return tuple(messages)


def lemma_prompt(task: LemmaTask, rules: Rules) -> tuple[Message, ...]:
    """Show the goalpost, ask for an easier variant (paper section 1.3, step 1)."""
    goalpost = task.goalpost
    fields = {"statement": goalpost.statement, "pairs": _test_pairs(goalpost), "inputs": str(rules.inputs)}
    return render(rules.prompt_style, f"lemma_{task.axis}", **fields)


def lift_prompt(task: LiftTask, rules: Rules) -> tuple[Message, ...]:
    """Show the accepted parent, ask for a harder variant (paper section 1.3, step 2)."""
    parent = task.parent
    fields = {"message": parent.message, "program": parent.program, "pairs": _pairs(parent, rules.visible)}
    return render(rules.prompt_style, f"lift_{task.axis}", inputs=str(rules.inputs), **fields)


def free_prompt(task: FreeTask, rules: Rules) -> tuple[Message, ...]:
    """Ask for an unguided proposal (AZR)."""
    references = "\n".join(f"```python\n{question.program}\n```" for question in task.references)
    return render(rules.prompt_style, f"free_{task.kind}", references=references, inputs=str(rules.inputs))


def solve_prompt(task: SolveTask, rules: Rules) -> tuple[Message, ...]:
    """Put a question to the student as induction, deduction or abduction."""
    question, style, name = task.question, rules.prompt_style, f"solve_{task.kind}"
    if task.kind is SolveKind.DEDUCTION:
        return render(style, name, program=question.program, input=question.inputs[task.index])
    if task.kind is SolveKind.ABDUCTION:
        return render(style, name, program=question.program, output=display(question.outputs[task.index]))
    return render(style, name, message=question.message, pairs=_pairs(question, rules.visible))


def real_prompt(task: RealTask, rules: Rules) -> tuple[Message, ...]:
    """Put a real problem to the student."""
    problem = task.problem
    fields = {"statement": problem.statement, "pairs": _test_pairs(problem)}
    if problem.style is InputStyle.STDIN:
        return render(rules.prompt_style, "real_stdin", **fields)
    starter = f"\nStart from:\n```python\n{problem.starter_code.rstrip()}\n```\n" if problem.starter_code else ""
    return render(rules.prompt_style, "real_functional", entry=problem.entry, starter=starter, **fields)


def follow_up(name: str, problem: str, rules: Rules) -> tuple[Message, ...]:
    """A ``repair`` or ``retry`` turn that names what was wrong."""
    return render(rules.prompt_style, name, problem=problem)


def _pairs(question: Question, visible: int) -> str:
    shown = zip(question.inputs[:visible], question.outputs[:visible], strict=True)
    return "\n".join(f"f({args}) == {display(value)}" for args, value in shown)


def _test_pairs(problem: Goalpost) -> str:
    return "\n".join(_test_pair(problem, test) for test in problem.visible)


def _test_pair(problem: Goalpost, test: TestCase) -> str:
    if problem.style is InputStyle.STDIN:
        return f"Input:\n{test.input.rstrip()}\nOutput:\n{test.output.rstrip()}\n"
    name = problem.entry.rsplit(".", 1)[-1]
    args = test.input if problem.style is InputStyle.LITERAL else ", ".join(test.input.splitlines())
    return f"{name}({args}) == {display(test.output)}"
