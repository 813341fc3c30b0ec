"""Tickets as a trainer's dataset rows: text that names what to play, resolved only when it is played."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import count

import msgspec

from gasp_env.config import Config
from gasp_env.curriculum import deal
from gasp_env.errors import DataError
from gasp_env.types import Ticket

__all__ = ("deal_rows", "read_ticket", "seat_seed", "ticket_text")


def ticket_text(ticket: Ticket) -> str:
    """One line of JSON; equal tickets give equal text."""
    return msgspec.json.encode(ticket).decode()


def read_ticket(text: str) -> Ticket:
    """The ticket of a row.

    Raises:
        DataError: the text is no ticket.
    """
    try:
        return msgspec.json.decode(text, type=Ticket)
    except msgspec.DecodeError as error:
        raise DataError(
            f"prompt {text[:80]!r}: no ticket ({error}); make the dataset with ticket_dataset() and do not apply a template"
        ) from error


def deal_rows(config: Config, start: int = 0) -> Iterator[str]:
    """The rows of a run, without end, from the ``start``-th; pure, so a trainer may prefetch, skip and replay them."""
    return (ticket_text(deal(config, index)) for index in count(start))


def seat_seed(episode_id: str, config: Config) -> int:
    """Sampling seed of one member of a group: members share the ticket and differ in their episode id."""
    return int.from_bytes(sha256(f"{config.seed}:{episode_id}".encode()).digest()[:4], "big") >> 1
