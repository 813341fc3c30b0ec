"""The rules of GASP as generators of requests: no model, sandbox or clock in here."""

from gasp_env.config import Rules
from gasp_env.errors import ConfigError
from gasp_env.game.moves import Episode
from gasp_env.game.prompts import STYLES
from gasp_env.game.student import student_episode
from gasp_env.game.teacher import teacher_episode
from gasp_env.rewards import find_reward
from gasp_env.types import RealTask, SolveTask, Task, Ticket

__all__ = ("check_rules", "episode", "student_episode", "teacher_episode")


def check_rules(rules: Rules) -> None:
    """Refuse names that no episode could use, before a run is made with them.

    Raises:
        ConfigError: an unknown reward or prompt style; names the setting.
    """
    if rules.prompt_style not in STYLES:
        raise ConfigError(f"rules.prompt_style: is {rules.prompt_style!r}, must be one of {', '.join(STYLES)}")
    for name in ("lemma_reward", "lift_reward", "free_reward"):
        try:
            find_reward(getattr(rules, name))
        except ConfigError as error:
            raise ConfigError(f"rules.{name}: {error}") from None


def episode(ticket: Ticket, task: Task, rules: Rules, *, seed: int | None = None) -> Episode:
    """Start the episode that ``task`` asks for.

    Args:
        ticket: what the trainer's row holds.
        task: what the curriculum made of it.
        rules: the rules in force.
        seed: for the policy's sampling; members of a group differ in it. Default: the ticket's draw seed.
    """
    seed = ticket.draw_seed if seed is None else seed
    if isinstance(task, SolveTask | RealTask):
        return student_episode(ticket, task, rules, seed=seed)
    return teacher_episode(ticket, task, rules, seed=seed)
