"""What can happen to a curriculum: frozen, tagged, JSON-able events.

The law of this module: an event records a decision that was already taken, so that folding it needs no clock, no random
draw and no configuration. Every event has an idempotency key; a store holds each live key once.

Transcripts are not here: they belong to the run's own file.
"""

import hashlib
from typing import TypeAlias

import msgspec

from gasp_env.curriculum.records import Draw, GoalpostState
from gasp_env.errors import StoreError
from gasp_env.types import Goalpost, Question, RejectReason, Stage, Ticket

__all__ = (
    "Event",
    "GoalpostStateChanged",
    "GoalpostsAdded",
    "Issued",
    "LeaseReturned",
    "Restored",
    "Settled",
    "Snapshotted",
    "decode",
    "encode",
)


class GoalpostsAdded(msgspec.Struct, frozen=True, kw_only=True, tag="goalposts_added"):
    """New goalposts entered the curriculum."""

    goalposts: tuple[Goalpost, ...]
    state: GoalpostState = GoalpostState.ACTIVE

    @property
    def key(self) -> str:
        """Content hash."""
        return f"goalposts:{hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:32]}"


class Issued(msgspec.Struct, frozen=True, kw_only=True, tag="issued"):
    """A ticket was resolved and handed out."""

    ticket: Ticket
    draw: Draw
    expires_at: float
    """Seconds of the manager's clock."""
    holder: str = ""
    lease: int = 1
    """1 for the first hand-out of this ticket, 2 after it was returned once, ..."""

    @property
    def key(self) -> str:
        """One hand-out of one ticket."""
        return f"issued:{self.ticket.id}:{self.lease}"


class LeaseReturned(msgspec.Struct, frozen=True, kw_only=True, tag="lease_returned"):
    """A lease ran out before its ticket was settled; the ticket may be handed out again."""

    ticket_id: str
    lease: int

    @property
    def key(self) -> str:
        """One lease is returned once."""
        return f"returned:{self.ticket_id}:{self.lease}"


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled", omit_defaults=True):
    """One episode ended."""

    episode_id: str
    ticket_id: str
    stage: Stage
    baseline_key: str
    """Advantage group (role, stage and kind)."""
    reward: float | None = None
    """None: masked by an infrastructure fault."""
    masked: str = ""
    goalpost_id: str | None = None
    question_id: str | None = None
    """The question solved, or proposed."""
    question: Question | None = None
    """The question accepted; None where nothing was."""
    vector: str = ""
    """Base64 of the float32 embedding of ``question``; empty: none was made."""
    code_hash: str = ""
    behaviour_hash: str | None = None
    duplicate_of: str | None = None
    """What was accepted first, where acceptance was refused while settling."""
    reason: RejectReason | None = None
    detail: str = ""
    probes_solved: int = 0
    probes: int = 0
    """Student attempts that estimated the solve rate."""
    solved: int = 0
    tries: int = 0
    """0 or 1: a student episode on a known question or real problem, and whether it solved it."""
    policy_version: str = ""

    @property
    def key(self) -> str:
        """The episode id alone: a retry of an episode may differ in content and still counts once."""
        return f"settled:{self.episode_id}"


class GoalpostStateChanged(msgspec.Struct, frozen=True, kw_only=True, tag="goalpost_state_changed"):
    """A goalpost moved between states."""

    goalpost_id: str
    state: GoalpostState
    change: int
    """Counts this goalpost's changes, so that a state can be entered twice."""
    why: str = ""

    @property
    def key(self) -> str:
        """One change of one goalpost."""
        return f"goalpost:{self.goalpost_id}:{self.change}"


class Snapshotted(msgspec.Struct, frozen=True, kw_only=True, tag="snapshotted"):
    """The trainer saved a checkpoint at ``step``."""

    step: int
    after: int
    """Last sequence number before the snapshot."""

    @property
    def key(self) -> str:
        """A step at one place of the log."""
        return f"snapshot:{self.step}:{self.after}"


class Restored(msgspec.Struct, frozen=True, kw_only=True, tag="restored"):
    """Everything after ``to_seq`` was rolled back; the store acts on it before appending it."""

    step: int | None
    """None: a whole state was loaded instead, or the log went back to a time."""
    to_seq: int
    generation: int
    """The generation that this restore begins."""

    @property
    def key(self) -> str:
        """One generation begins once."""
        return f"restored:{self.generation}"


Event: TypeAlias = GoalpostsAdded | Issued | LeaseReturned | Settled | GoalpostStateChanged | Snapshotted | Restored

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def encode(event: Event) -> str:
    """Write an event as JSON."""
    return _encoder.encode(event).decode()


def decode(text: str | bytes) -> Event:
    """Read an event.

    Raises:
        StoreError: the text is no event of this version.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreError(f"an event of the curriculum can't be read ({error}); the store is damaged") from error
