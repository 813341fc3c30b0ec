"""Real problems put to a policy outside of an episode: the prompt, the samples, and the program in an answer."""

from dataclasses import dataclass, replace

from gasp_env.config import Rules
from gasp_env.game.parse import ParseError, program
from gasp_env.game.prompts import real_prompt
from gasp_env.play.grade_suite import GradeMode
from gasp_env.policy import Policy, Sampling
from gasp_env.tasks import Problem
from gasp_env.types import Goalpost, Message, RealTask, Role

__all__ = ("Asker", "extracted", "prompt_for")


def prompt_for(problem: Problem, style: str = "instruct") -> tuple[Message, ...]:
    """The prompt that a student sees for a real problem (`gasp_env.game.prompts`)."""
    entry = problem.entry or "f"
    shown = Goalpost(
        id=problem.id,
        statement=problem.statement,
        style=problem.style,
        visible=problem.visible,
        hidden=(),
        entry=entry,
        starter_code="" if problem.starter_code == problem.statement else problem.starter_code,
    )
    return real_prompt(RealTask(problem=shown), Rules(prompt_style=style))


def extracted(text: str, mode: GradeMode = GradeMode.DEFAULT) -> str:
    """The program in a model's answer; empty if there is none.

    A text without any fence counts as a program: saved samples often hold bare code. Official semantics take what lies
    between the last two lines with a fence, and nothing where there are fewer than two.
    """
    if "```" not in text:
        return text
    if mode is GradeMode.LCB:
        lines = text.split("\n")
        fences = [at for at, line in enumerate(lines) if "```" in line]
        return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) > 1 else ""
    found = program(text)
    return "" if isinstance(found, ParseError) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Samples answers to real problems."""

    policy: Policy
    sampling: Sampling
    style: str = "instruct"
    """Prompt style."""

    async def ask(self, problem: Problem, n: int, *, first: int = 0) -> list[str | None]:
        """Sample ``n`` answers; None where the infrastructure failed.

        Args:
            problem: what is asked.
            n: how many.
            first: number of the first sample, part of the seed: two calls never ask for the same ones.

        Raises:
            PolicyError: nothing could be sampled at all.
        """
        seed = None if self.sampling.seed is None else self.sampling.seed + first
        found = await self.policy.generate(
            prompt_for(problem, self.style), n=n, role=Role.STUDENT, sampling=replace(self.sampling, seed=seed)
        )
        return [None if one is None else one.text for one in found]
