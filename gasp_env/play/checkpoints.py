"""The curriculum of a trainer's step: a snapshot in its store, and a file inside the trainer's checkpoint folder.

The law of this module: the store's snapshot is the truth; the file carries the curriculum to another store.
"""

from pathlib import Path
from typing import Any

import msgspec

from gasp_env.curriculum import Curriculum
from gasp_env.errors import DataError
from gasp_env.play.lines import write_atomic

__all__ = ("CURRICULUM_FILE", "go_to_step", "save_step")

CURRICULUM_FILE = "gasp_curriculum.json"
"""The curriculum inside a trainer's checkpoint folder."""


def save_step(curriculum: Curriculum, step: int, checkpoint: Path | None = None) -> None:
    """Mark the curriculum of a step, and write it into the trainer's checkpoint folder if there is one.

    Raises:
        StoreError: the store or the folder can't be written.
    """
    curriculum.snapshot(step)
    if checkpoint is not None:
        data = {"step": step, "curriculum": curriculum.state_dict()}
        write_atomic(checkpoint / CURRICULUM_FILE, msgspec.json.encode(data))


def go_to_step(curriculum: Curriculum, step: int, checkpoint: Path | None = None) -> None:
    """Go to the curriculum of a step; what was settled after it is rolled back, for every process.

    Args:
        curriculum: of the run.
        step: optimiser steps already done; 0 starts, or starts again.
        checkpoint: the trainer's folder of that step; read where the store does not hold the snapshot.

    Raises:
        DataError: neither the store nor the folder holds the curriculum of that step.
    """
    if step in curriculum.snapshots:
        curriculum.restore(step)
    elif step == 0:
        curriculum.snapshot(0)
    else:
        curriculum.load_state_dict(_read(checkpoint, step))


def _read(folder: Path | None, step: int) -> dict[str, Any]:
    file = (folder or Path()) / CURRICULUM_FILE
    try:
        data = msgspec.json.decode(file.read_bytes())
        if data["step"] == step:
            found: dict[str, Any] = data["curriculum"]
            return found
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"step {step}: the store holds no snapshot of it and {file} can't be read ({error}); "
            "resume from a checkpoint that holds this file"
        ) from error
    raise DataError(f"{file}: is of step {data['step']}, expected {step}; the folder was renamed")
