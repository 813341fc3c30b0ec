"""Files of an evaluation folder: report.json, report.txt, pass_at_k.svg; and reading records back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gasp_env.errors import ConfigError
from gasp_env.evaluate.figure import pass_curve
from gasp_env.evaluate.records import EvalManifest, TaskRecord
from gasp_env.evaluate.summary import Paired, Summary
from gasp_env.evaluate.table import comparison_table, solved_table, summary_table
from gasp_env.play.lines import Lines, write_atomic

__all__ = ("claim_folder", "read_records", "write_report")


def claim_folder(folder: Path, facts: Mapping[str, object]) -> None:
    """Say in ``run.json`` what the lines of a folder were made with.

    Args:
        folder: made if it is not there.
        facts: what a run that goes on there must share.

    Raises:
        ConfigError: it holds lines made with something else; names what differs.
        StoreError: the folder can't be written.
    """
    text, file = msgspec.json.encode(facts), folder / "run.json"
    folder.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.read_bytes() != text:
        old, new = msgspec.json.decode(file.read_bytes()), msgspec.json.decode(text)
        other = ", ".join(name for name in new if old.get(name) != new[name])
        raise ConfigError(f"{folder}: holds a run with another {other}; name another folder with --out")
    write_atomic(file, text)


def read_records(folder: Path) -> list[TaskRecord]:
    """Records of an evaluation folder.

    Raises:
        ConfigError: the folder holds none.
        DataError: a damaged line.
    """
    found = list(Lines(folder / "tasks.jsonl", TaskRecord))
    if not found:
        raise ConfigError(
            f"{folder}: holds no evaluation (no tasks.jsonl); name a folder given to `gasp-env eval --out`"
        )
    return found


def write_report(
    folder: Path,
    manifest: EvalManifest,
    summary: Summary,
    *,
    compared: tuple[str, Sequence[Paired]] = ("", ()),
    solved: Mapping[str, object] | None = None,
) -> str:
    """Write the figures; returns the table.

    Args:
        folder: of the evaluation.
        manifest: what was evaluated.
        summary: figures.
        compared: name of another evaluation, and the paired differences to it.
        solved: problems solved by seed (`goalposts_solved`).

    Raises:
        StoreError: the folder can't be written.
    """
    table = summary_table(summary)
    told: dict[str, Any] = {"manifest": manifest, "summary": summary}
    baseline, pairs = compared
    if pairs:
        table += "\n\n" + comparison_table(pairs, baseline, folder.name)
        told["compared_with"] = {"folder": baseline, "paired": pairs}
    if solved:
        table += "\n\n" + solved_table(solved)
        told["solved_by_seed"] = solved
    write_atomic(folder / "manifest.json", _pretty(manifest))
    write_atomic(folder / "report.json", _pretty(told))
    write_atomic(folder / "report.txt", table.encode() + b"\n")
    write_atomic(folder / "pass_at_k.svg", pass_curve({folder.name: summary.estimates}).encode())
    return table


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
