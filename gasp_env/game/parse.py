"""Reads completions back. Total: never raises on model text, and linear in its length.

Model text is only cut into blocks here; it is never parsed as Python in this process.
"""

from dataclasses import dataclass

__all__ = ("MAX_COMPLETION", "Block", "ParseError", "Proposal", "answer", "blocks", "program", "proposal")

MAX_COMPLETION = 100_000
"""Characters; a longer completion is malformed."""
MAX_LITERAL = 8_000
"""Characters of one input line or one answer."""
PROGRAM_TAGS = ("python", "py", "python3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    tag: str
    """Lower-case word behind the opening fence."""
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseError:
    """What is wrong with the form of a completion; ``why`` is shown to the model on a repair turn."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A teacher's proposal, cut out of its completion."""

    program: str
    inputs: tuple[str, ...]
    message: str


def blocks(text: str) -> list[Block]:
    """Fenced blocks in order, after any ``</think>``; an unclosed last block is dropped."""
    found: list[Block] = []
    tag, body = None, list[str]()
    for line in _lines(text.rpartition("</think>")[2]):
        fence = line.strip()
        if tag is None and fence.startswith("```"):
            tag, body = fence.removeprefix("```").strip().lower(), []
        elif tag is not None and fence == "```":
            found.append(Block(tag=tag, body="\n".join(body)))
            tag = None
        elif tag is not None:
            body.append(line)
    return found


def _lines(text: str) -> list[str]:
    """Not `str.splitlines`: a form feed or U+2028 inside a string literal ends no line of Python."""
    return text.replace("\r\n", "\n").split("\n")


def proposal(
    text: str, *, inputs: int, given_program: str | None = None, needs_message: bool = True
) -> Proposal | ParseError:
    """Read a teacher's completion.

    Args:
        text: the completion.
        inputs: how many input lines are needed; further ones are ignored.
        given_program: the program where the teacher writes only inputs and message (AZR induction).
        needs_message: False where the question has no message (AZR deduction and abduction).
    """
    if len(text) > MAX_COMPLETION:
        return ParseError(why=f"too long: {len(text)} characters, at most {MAX_COMPLETION}")
    found = blocks(text)
    code = given_program if given_program is not None else _only(found, PROGRAM_TAGS, "python")
    if isinstance(code, ParseError):
        return code
    lines = _inputs(found, inputs)
    if isinstance(lines, ParseError):
        return lines
    message = _only(found, ("message",), "message") if needs_message else ""
    if isinstance(message, ParseError):
        return message
    return Proposal(program=code, inputs=lines, message=message.strip())


def program(text: str) -> str | ParseError:
    """The student's program: the last python block, or the last block without a tag (the field's convention)."""
    return _last(text, (*PROGRAM_TAGS, ""), "python", limit=MAX_COMPLETION)


def answer(text: str, tag: str) -> str | ParseError:
    """The student's literal: the last block named ``tag`` (``output`` or ``input``)."""
    return _last(text, (tag,), tag, limit=MAX_LITERAL)


def _last(text: str, tags: tuple[str, ...], name: str, *, limit: int) -> str | ParseError:
    if len(text) > MAX_COMPLETION:
        return ParseError(why=f"too long: {len(text)} characters, at most {MAX_COMPLETION}")
    bodies = [block.body for block in blocks(text) if block.tag in tags and block.body.strip()]
    if not bodies:
        return ParseError(why=f"no ```{name} block")
    if len(bodies[-1]) > limit:
        return ParseError(why=f"```{name} block too long: {len(bodies[-1])} characters, at most {limit}")
    return bodies[-1]


def _only(found: list[Block], tags: tuple[str, ...], name: str) -> str | ParseError:
    bodies = [block.body for block in found if block.tag in tags]
    if len(bodies) != 1:
        return ParseError(why=f"expected one ```{name} block, found {len(bodies)}")
    if not bodies[0].strip():
        return ParseError(why=f"the ```{name} block is empty")
    return bodies[0]


def _inputs(found: list[Block], count: int) -> tuple[str, ...] | ParseError:
    body = _only(found, ("inputs", "input"), "inputs")
    if isinstance(body, ParseError):
        return body
    lines = tuple(line.strip() for line in _lines(body) if line.strip())[:count]
    if len(lines) < count:
        return ParseError(why=f"expected {count} inputs, found {len(lines)}")
    longest = max(map(len, lines), default=0)
    if longest > MAX_LITERAL:
        return ParseError(why=f"an input is too long: {longest} characters, at most {MAX_LITERAL}")
    return lines
