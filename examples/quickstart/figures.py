"""Solve rates before and after training, with intervals, so that chance is not sold as learning."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gasp_env.play import Seat, Session, seat_seed, solve_rates
from gasp_env.play.lines import write_atomic
from gasp_env.policy import Policy
from gasp_env.stats import bootstrap, wilson
from gasp_env.types import Goalpost, RealTask, SolveKind, SolveRate, SolveTask, Stage, Ticket

FILE = "before_after.json"
MOST = 40
"""Questions of a rung that are measured, the newest."""
NOTE = (
    "Lemmas and lifts are the run's own: the student trained on them, and they were accepted because a policy in training "
    "solved some, which favors the trained one. Held-out questions are lemmas of the start policy that nobody trained on. "
    "'ever' counts questions solved at least once."
)
ROUND = 4
"""Attempts a question between two looks at the clock."""
Tasks = dict[str, Sequence[RealTask | SolveTask]]
Rates = dict[str, list[SolveRate]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row: a group of questions under two policies. Intervals are 95 %, questions drawn anew."""

    name: str
    questions: int
    attempts: int
    before: float
    after: float
    before_interval: tuple[float, float]
    after_interval: tuple[float, float]
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
    session: Session,
    tasks: Tasks,
    policies: Sequence[Policy],
    *,
    attempts: int,
    until: float,
    tell: Callable[[int], None],
) -> list[Rates]:
    """Solve rates of every group under each policy, with the same seeds.

    Args:
        session: sandbox and rules.
        tasks: the groups.
        policies: what to compare.
        attempts: a question and policy, at most.
        until: of `time.monotonic`; no further round of attempts is begun that would end later.
        tell: told how many attempts ended.
    """
    found = [{name: [SolveRate(solved=0, n=0)] * len(group) for name, group in tasks.items()} for _ in policies]
    done, longest = 0, 0.0
    for first in range(0, attempts, ROUND):
        began = time.monotonic()
        if first and began + longest > until:
            break
        for policy, rates in zip(policies, found, strict=True):
            for name, group in tasks.items():
                few = min(ROUND, attempts - first)
                more = session.loop.run(solve_rates(session.arena, group, few, first=first, policy=policy))
                rates[name] = [_sum(pair) for pair in zip(rates[name], more, strict=True)]
                done += len(group) * few
                tell(done)
        longest = max(longest, time.monotonic() - began)
    return found


def _sum(rates: Sequence[SolveRate]) -> SolveRate:
    return SolveRate(solved=sum(one.solved for one in rates), n=sum(one.n for one in rates))


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
        before_interval=_interval([one for one, _ in known]),
        after_interval=_interval([two for _, two in known]),
        interval=bootstrap(gaps, rng=Random(0)) if gaps else (0.0, 0.0),
        once_before=sum(one.solved > 0 for one, _ in known),
        once_after=sum(two.solved > 0 for _, two in known),
    )


def _interval(rates: Sequence[SolveRate]) -> tuple[float, float]:
    """Questions drawn anew; where all have one rate that says nothing, and the attempts are counted instead (Wilson)."""
    if len({one.exact for one in rates}) > 1:
        return bootstrap([one.value for one in rates], rng=Random(0))
    return wilson(_sum(rates))


def table(rows: Sequence[Change]) -> Table:
    """For the terminal."""
    attempts = max((row.attempts for row in rows), default=0)
    shown = Table(
        title=f"solve rate, {attempts} attempts a question", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in ("questions", "before (95 %)", "after (95 %)", "points (95 %)", "", "ever"):
        shown.add_column(column, justify="left" if column == "questions" else "right", no_wrap=True)
    for row in rows:
        low, high = row.interval
        shown.add_row(
            f"{row.questions} {row.name}",
            _percent(row.before, row.before_interval),
            _percent(row.after, row.after_interval),
            f"{100 * (row.after - row.before):+.1f} ({100 * low:+.0f} to {100 * high:+.0f})",
            row.verdict,
            f"{row.once_before} -> {row.once_after}",
        )
    return shown


def _percent(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1%} ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})"


def save(folder: Path, rows: Sequence[Change], **facts: Any) -> None:
    """Write the rows next to the run."""
    data = facts | {"rows": [{**row.__dict__, "verdict": row.verdict} for row in rows]}
    write_atomic(folder / FILE, (json.dumps(data, indent=2) + "\n").encode())


def saved(folder: Path) -> list[Change]:
    """Read them again; none if the run is not finished."""
    file = folder / FILE
    if not file.exists():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    pairs = [{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows]
    return [Change(**row) for row in pairs if row.pop("verdict")]
