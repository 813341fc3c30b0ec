"""The rules of GASP as generators of requests: no model, sandbox or clock in here."""

from gasp_env.config import Rules
from gasp_env.game.moves import Episode
from gasp_env.game.student import student_episode
from gasp_env.game.teacher import teacher_episode
from gasp_env.types import RealTask, SolveTask, Task, Ticket

__all__ = ("episode", "student_episode", "teacher_episode")


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
