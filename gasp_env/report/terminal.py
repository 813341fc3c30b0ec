"""The summary that a run prints at its end."""

from pathlib import Path
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from gasp_env.report.facts import BoardRow, Facts, Step, read_facts

__all__ = ("print_summary", "summarize")

_ROWS = 12


def summarize(run: Path | str) -> RenderableType:
    """Tables of a run: funnel with reasons, rewards, student results, goalposts.

    Raises:
        ConfigError: no run there.
        DataError: a file of the run is damaged.
    """
    facts = read_facts(run)
    head = (
        f"[bold]{facts.episodes}[/] episodes, [bold]{facts.accepted}[/] questions accepted from "
        f"{facts.manifest.goalposts_count} goalposts, {facts.masked} masked"
    )
    funnels = [_funnel(stage, steps) for stage, steps in facts.funnel.items()]
    return Group(head, *funnels, _pay(facts), _students(facts), _board(facts.board))


def print_summary(run: Path | str, console: Console | None = None) -> None:
    """Print `summarize`."""
    (console or Console()).print(summarize(run))


def _funnel(stage: str, steps: tuple[Step, ...]) -> Table:
    table = Table(title=f"{stage}: proposals", title_justify="left")
    table.add_column("step")
    table.add_column("left", justify="right")
    table.add_column("lost", justify="right")
    table.add_column("why", overflow="fold")
    for step in steps:
        why = ", ".join(f"{reason} ({count})" for reason, count in step.reasons)
        table.add_row(step.name, str(step.count), str(step.lost or ""), _plain(why))
    return table


def _pay(facts: Facts) -> Table:
    table = Table(title="reward, mean over unmasked episodes", title_justify="left")
    for name in ("stage", "episodes", "all", "first third", "last third"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage, points in facts.rewards.items():
        paid = [reward for _, reward in points]
        third = -(-len(paid) // 3)
        means = (f"{fmean(part):+.2f}" for part in (paid, paid[:third], paid[-third:]))
        table.add_row(_plain(stage), str(len(paid)), *means)
    return table


def _students(facts: Facts) -> Table:
    table = Table(title="student", title_justify="left")
    table.add_column("kind")
    table.add_column("solved", justify="right")
    for kind, rate in facts.students.items():
        table.add_row(_plain(kind), rate.text)
    return table


def _board(rows: tuple[BoardRow, ...]) -> Table:
    shown = sorted(rows, key=lambda row: (-row.lemmas - row.lifts, -row.proposed))[:_ROWS]
    more = f" ({len(shown)} of {len(rows)})" if len(shown) < len(rows) else ""
    table = Table(title=f"goalposts{more}", title_justify="left")
    table.add_column("goalpost", overflow="ellipsis", no_wrap=True, min_width=18)
    for name in ("proposed", "lemmas", "lifts", "hardest lemma", "hardest lift", "solved"):
        table.add_column(name, justify="right")
    for row in shown:
        counts = (str(row.proposed), str(row.lemmas), str(row.lifts))
        table.add_row(_plain(row.id), *counts, row.best_lemma.text, row.best_lift.text, row.solved.text)
    return table


def _plain(text: str) -> str:
    """Text that came from a file or a model, without terminal codes or markup."""
    return escape("".join(char if char.isprintable() else "?" for char in text))
