"""The live display of a long run: a bar and the running funnel."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gasp_env.play import Funnel
from gasp_env.play.selfplay import Report

__all__ = ("funnel_line", "show_progress")


@contextmanager
def show_progress(console: Console, *, episodes: int, quiet: bool) -> Generator[Report, None, None]:
    """Show a bar while the block runs; gives the callback to report to."""
    columns = (
        TextColumn("[bold]episodes"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, disable=quiet) as bar:
        task = bar.add_task("", total=episodes)

        def report(funnel: Funnel) -> None:
            bar.update(task, completed=funnel.episodes, description=funnel_line(funnel))

        yield report


def funnel_line(funnel: Funnel) -> str:
    """The running figures in one line."""
    top = ", ".join(f"{reason} {count}" for reason, count in funnel.rejected.most_common(3))
    refused = f" (refused: {top})" if top else ""
    masked = f", masked {funnel.masked}" if funnel.masked else ""
    return f"accepted {funnel.accepted}/{funnel.proposed}{refused}, solved {funnel.solved}/{funnel.tried}{masked}"
