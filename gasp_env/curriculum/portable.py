"""The portable form of a curriculum: its live events as JSON-able data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from gasp_env.curriculum.events import Event, Restored, decode, encode
from gasp_env.curriculum.protocol import StoredEvent
from gasp_env.errors import StoreError, StoreVersionError

__all__ = ("FORMAT", "dump", "load")

FORMAT = 1
"""Rises when a saved curriculum can't be read by earlier versions."""


def dump(events: Iterable[StoredEvent]) -> dict[str, Any]:
    """Live events as data."""
    kept = [one.event for one in events if not isinstance(one.event, Restored)]
    return {"format": FORMAT, "events": [json.loads(encode(event)) for event in kept]}


def load(data: Mapping[str, Any]) -> Sequence[Event]:
    """Read what `dump` wrote.

    Raises:
        StoreVersionError: written by another version.
        StoreError: not a saved curriculum.
    """
    events, version = data.get("events"), data.get("format")
    if not isinstance(events, list):
        raise StoreError("a saved curriculum needs a list 'events'; pass what state_dict() returned")
    if version != FORMAT:
        raise StoreVersionError(f"the saved curriculum has format {version!r}, this version reads {FORMAT}")
    return [decode(json.dumps(event)) for event in cast("list[object]", events)]
