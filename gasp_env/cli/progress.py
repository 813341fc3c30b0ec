"""The live display of a long run: a bar and the running figures."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gasp_env.play import Funnel
from gasp_env.play.selfplay import Report

__all__ = ("funnel_line", "show_passes", "show_problems", "show_progress")


@contextmanager
def show_progress(console: Console, *, episodes: int, quiet: bool) -> Generator[Report, None, None]:
    """Show a bar while the block runs; gives the callback to report to."""
    with _bar("episodes", console, quiet=quiet) as bar:
        task = bar.add_task("", total=episodes)

        def report(funnel: Funnel) -> None:
            bar.update(task, completed=funnel.episodes, description=funnel_line(funnel))

        yield report


@contextmanager
def show_problems(console: Console, what: str, total: int) -> Generator[Callable[[str], None], None, None]:
    """Show a bar over problems while the block runs; gives the callback that counts one and tells something of it."""
    with _bar(what, console, quiet=not total) as bar:
        task = bar.add_task("", total=total)

        def report(told: str) -> None:
            bar.update(task, advance=1, description=told)

        yield report


@contextmanager
def show_passes(console: Console) -> Generator[Callable[[str, int, int], None], None, None]:
    """Show the pass at work, and a line for each that has ended; gives the callback for its name, problems asked and left."""
    now = ("", 0, 0)

    def ended() -> None:
        if now[0]:
            console.print(f"{now[0]}: {now[1]} asked, {now[2]} left")

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("")

        def report(name: str, asked: int, left: int) -> None:
            nonlocal now
            if name != now[0]:
                ended()
                bar.reset(task)
            now = (name, asked, left)
            bar.update(task, description=f"{name}: {asked} asked, {left} left")

        yield report
    ended()


def _bar(what: str, console: Console, *, quiet: bool) -> Progress:
    return Progress(
        TextColumn(f"[bold]{what}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=quiet,
    )


def funnel_line(funnel: Funnel) -> str:
    """The running figures in one line."""
    top = ", ".join(f"{reason} {count}" for reason, count in funnel.rejected.most_common(3))
    refused = f" (refused: {top})" if top else ""
    masked = f", masked {funnel.masked}" if funnel.masked else ""
    return f"accepted {funnel.accepted}/{funnel.proposed}{refused}, solved {funnel.solved}/{funnel.tried}{masked}"
