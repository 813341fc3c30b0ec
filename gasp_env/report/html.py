"""The HTML report: one file without outside assets, readable in light and dark.

The law of this module: everything that a model wrote is hostile text; the template escapes all of it (autoescape), and
only `gasp_env.report.svg` makes markup.
"""

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from gasp_env.config import Band
from gasp_env.play.lines import write_atomic
from gasp_env.report import svg
from gasp_env.report.facts import Facts, read_facts, rewards_over_time
from gasp_env.values import display

__all__ = ("render_report", "write_report")


def write_report(run: Path | str) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    Raises:
        ConfigError: no run there.
        DataError: a file of the run is damaged.
        StoreError: the folder can't be written.
    """
    path = Path(run) / "report.html"
    write_atomic(path, render_report(read_facts(run)).encode("utf-8", "replace"))
    return path


def render_report(facts: Facts) -> str:
    """The page of a run."""
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["band"], page.filters["shown"] = _band, _shown
    text = (files(__name__.rpartition(".")[0]) / "report.html.jinja").read_text(encoding="utf-8")
    histograms = {stage: svg.histogram(counts, facts.bands.get(stage)) for stage, counts in facts.histogram.items()}
    rewards = svg.lines({stage: rewards_over_time(points) for stage, points in facts.rewards.items()})
    return page.from_string(text).render(facts=facts, histograms=histograms, rewards=rewards)


def _band(band: Band) -> str:
    return f"{band.low / 10:.1f} to {band.high / 10:.1f}"


def _shown(value: str) -> str:
    """A canonical value as Python would write it."""
    try:
        return display(value)
    except ValueError:
        return value
