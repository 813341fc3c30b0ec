"""The figures as plain text."""

from collections.abc import Mapping, Sequence
from typing import cast

from gasp_env.evaluate.summary import Estimate, Paired, Summary

__all__ = ("comparison_table", "solved_table", "summary_table")


def summary_table(summary: Summary) -> str:
    """Overall figures, splits, verdicts and warnings."""
    lines = [
        f"{summary.tasks} tasks, {summary.samples} samples, {summary.masked} masked, {summary.solved_tasks} tasks solved",
        "",
        f"{'':<28}{'tasks':>6}  pass@k in percent [95% interval over tasks]",
        _row("all", summary.estimates),
    ]
    for name, groups in summary.splits.items():
        lines += [f"by {name}:"] if groups else []
        lines += [_row(f"  {group}", found) for group, found in groups.items()]
    lines += ["", "samples by verdict: " + ", ".join(f"{name} {count}" for name, count in summary.verdicts.items())]
    return "\n".join([*lines, *(f"warning: {one}" for one in summary.warnings)])


def _row(name: str, found: Sequence[Estimate]) -> str:
    cells = "  ".join(f"@{one.k} {one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in found)
    return f"{name[:28]:<28}{found[0].tasks if found else 0:>6}  {cells or 'too few samples'}"


def comparison_table(found: Sequence[Paired], first: str, second: str) -> str:
    """Paired differences."""
    lines = [f"{second} minus {first}, paired by task, percentage points [95% interval over tasks]"]
    lines += [
        f"  pass@{one.k}: {one.first:.2f} -> {one.second:.2f}, {one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}], "
        f"better on {one.better}, worse on {one.worse} of {one.tasks} tasks"
        for one in found
    ]
    return "\n".join(lines)


def solved_table(found: Mapping[str, object]) -> str:
    """Problems solved at least once by each seed, together, and by all."""
    each = cast("Mapping[str, int]", found["per_seed"])
    seeds = ", ".join(f"{seed} {count}" for seed, count in each.items())
    return f"problems solved at least once: {seeds}; {found['union']} together, {found['in_every_seed']} by every seed"
