"""Solve rates before and after training, with intervals, so that chance is not sold as learning."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gasp_env.play import Seat, Session, seat_seed, solve_rates
from gasp_env.policy import Policy, Sampling
from gasp_env.stats import bootstrap
from gasp_env.types import Goalpost, RealTask, SolveKind, SolveRate, SolveTask, Stage, Ticket

FILE = "before_after.json"
MOST = 40
"""Questions of a rung that are measured, the newest."""
NOTE = (
    "Lemmas and lifts are the run's own: the student trained on them, and they were accepted because a policy in training "
    "solved some, which favors the trained one. Held-out questions are lemmas of the start policy that nobody trained on. "
    "'ever' counts questions solved at least once."
)
Tasks = dict[str, Sequence[RealTask | SolveTask]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row: a group of questions under two policies. Intervals are 95 %, questions drawn anew."""

    name: str
    questions: int
    attempts: int
    before: float
    after: float
    interval: tuple[float, float]
    """Of ``after - before``, paired by question."""
    once_before: int
    """Questions solved at least once."""
    once_after: int

    @property
    def verdict(self) -> str:
        """In words."""
        low, high = self.interval
        if low > 0:
            return "better"
        return "worse" if high < 0 else "unclear"


def held_out(session: Session, policy: Policy, proposals: int) -> list[SolveTask]:
    """Lemmas that the start policy proposes and nobody trains on: every valid one, in the band or not.

    The run's own questions were accepted because a policy in training solved them often enough, which favors the trained one
    when they are measured again; these were not chosen by anybody's success.
    """
    tickets = [Ticket(stage=Stage.LEMMA, draw_seed=seed, split="eval") for seed in range(proposals)]
    names = [f"held-out-{seed}" for seed in range(proposals)]
    seats = [
        Seat(ticket=ticket, episode_id=name, seed=seat_seed(name, session.config))
        for ticket, name in zip(tickets, names, strict=True)
    ]
    results = [played.result for played in session.play(seats, policy=policy)]
    valid = {one.question.id: one.question for one in results if one.question and one.solve_rate}
    return [SolveTask(question=one, kind=SolveKind.INDUCTION) for one in valid.values()]


def tasks_of(session: Session, goalposts: Sequence[Goalpost], held: Sequence[SolveTask]) -> Tasks:
    """The goalposts, held-out lemmas, and the newest accepted questions of each rung, all as induction."""
    questions = [one.question for one in session.curriculum.state.questions.values()]
    rungs: Tasks = {"goalposts": [RealTask(problem=one) for one in goalposts]}
    if held:
        rungs["held-out"] = held
    for stage in (Stage.LEMMA, Stage.LIFT):
        found = [one for one in questions if one.stage is stage][-MOST:]
        if found:
            rungs[f"{stage.value}s"] = [SolveTask(question=one, kind=SolveKind.INDUCTION) for one in found]
    return rungs


def measure(
    session: Session, tasks: Tasks, policy: Policy, *, attempts: int, sampling: Sampling, tell: Callable[[int], None]
) -> dict[str, list[SolveRate]]:
    """Solve rates of every group under one policy; both policies get the same seeds."""
    session.arena.sampling = sampling
    found: dict[str, list[SolveRate]] = {}
    done = 0
    for name, group in tasks.items():
        start = done
        rates = solve_rates(
            session.arena, group, attempts, policy=policy, progress=lambda ended, start=start: tell(start + ended)
        )
        found[name] = session.loop.run(rates)
        done += len(group) * attempts
    return found


def changes(before: dict[str, list[SolveRate]], after: dict[str, list[SolveRate]]) -> list[Change]:
    """Compare two measurements of the same tasks."""
    return [_change(name, list(zip(before[name], after[name], strict=True))) for name in before]


def _change(name: str, pairs: list[tuple[SolveRate, SolveRate]]) -> Change:
    known = [(one, two) for one, two in pairs if one.n and two.n]
    gaps = [two.value - one.value for one, two in known]
    return Change(
        name=name,
        questions=len(known),
        attempts=max((one.n for one, _ in known), default=0),
        before=fmean(one.value for one, _ in known) if known else 0.0,
        after=fmean(two.value for _, two in known) if known else 0.0,
        interval=bootstrap(gaps, rng=Random(0)) if gaps else (0.0, 0.0),
        once_before=sum(one.solved > 0 for one, _ in known),
        once_after=sum(two.solved > 0 for _, two in known),
    )


def table(rows: Sequence[Change]) -> Table:
    """For the terminal."""
    attempts = max((row.attempts for row in rows), default=0)
    shown = Table(title=f"solve rate, {attempts} attempts a question", title_justify="left", box=SIMPLE_HEAD)
    for column in ("questions", "before", "after", "points (95 %)", "", "ever"):
        shown.add_column(column, justify="left" if column == "questions" else "right", no_wrap=True)
    for row in rows:
        low, high = row.interval
        shown.add_row(
            f"{row.questions} {row.name}",
            f"{row.before:.1%}",
            f"{row.after:.1%}",
            f"{100 * (row.after - row.before):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
            row.verdict,
            f"{row.once_before} -> {row.once_after}",
        )
    return shown


def save(folder: Path, rows: Sequence[Change], **facts: Any) -> None:
    """Write the rows next to the run."""
    data = facts | {"rows": [{**row.__dict__, "verdict": row.verdict} for row in rows]}
    (folder / FILE).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def saved(folder: Path) -> list[Change]:
    """Read them again; none if the run is not finished."""
    file = folder / FILE
    if not file.exists():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return [Change(**{**row, "interval": tuple(row["interval"])}) for row in rows if row.pop("verdict")]
