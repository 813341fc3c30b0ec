"""The curriculum: pure state, events, fold and draws, and the manager over a store.

Open one with `gasp_env.store.open_curriculum`.
"""

from gasp_env.curriculum.events import (
    Event,
    GoalpostsAdded,
    GoalpostStateChanged,
    Issued,
    LeaseReturned,
    Restored,
    Settled,
    Snapshotted,
    decode,
    encode,
)
from gasp_env.curriculum.fold import advance, fold
from gasp_env.curriculum.manager import Curriculum
from gasp_env.curriculum.protocol import Decide, EventStore, StoredEvent, Update
from gasp_env.curriculum.records import (
    Accepted,
    Draw,
    Fingerprint,
    FingerprintLike,
    Goal,
    GoalpostState,
    Lease,
    Nearest,
    Running,
    Settlement,
)
from gasp_env.curriculum.sample import KINDS, SEED_QUESTION, deal, draw, rebuild
from gasp_env.curriculum.state import DEFAULT_CAP, State

__all__ = (
    "DEFAULT_CAP",
    "KINDS",
    "SEED_QUESTION",
    "Accepted",
    "Curriculum",
    "Decide",
    "Draw",
    "Event",
    "EventStore",
    "Fingerprint",
    "FingerprintLike",
    "Goal",
    "GoalpostState",
    "GoalpostStateChanged",
    "GoalpostsAdded",
    "Issued",
    "Lease",
    "LeaseReturned",
    "Nearest",
    "Restored",
    "Running",
    "Settled",
    "Settlement",
    "Snapshotted",
    "State",
    "StoredEvent",
    "Update",
    "advance",
    "deal",
    "decode",
    "draw",
    "encode",
    "fold",
    "rebuild",
)
