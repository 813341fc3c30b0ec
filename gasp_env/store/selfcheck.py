"""A conformance suite that any store can run; no test framework needed.

Example:
    problems = {name: text for name, text in check_store(lambda: MyStore(url)).items() if text != "ok"}
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gasp_env.curriculum import Event, EventStore, LeaseReturned, Restored, StoredEvent, Update
from gasp_env.errors import StoreError

__all__ = ("CHECKS", "check_store")

Open = Callable[[], EventStore]


def check_store(open: Open) -> dict[str, str]:  # noqa: A002 - reads as what it does at the call
    """Check a store against the contract of `EventStore`.

    Args:
        open: opens a handle of one new log, the same at every call; the suite leaves events in it.

    Returns:
        Name of each check -> ``ok``, or what is wrong.
    """
    return {check.__name__.lstrip("_"): _run(check, open) for check in CHECKS}


def _run(check: Callable[[EventStore, EventStore], str], open_: Open) -> str:
    one, other = open_(), open_()
    try:
        return check(one, other) or "ok"
    except StoreError as error:
        return f"raised {error}"
    finally:
        one.close()
        other.close()


def _event(name: str) -> Event:
    return LeaseReturned(ticket_id=name, lease=1)


def _all(store: EventStore) -> Update:
    return store.read(0, -1)


def _append(store: EventStore, *events: Event) -> Update:
    return store.update(0, -1, lambda _: events)


def _last(events: tuple[StoredEvent, ...]) -> int:
    """Place of the newest event of an append.

    Raises:
        StoreError: the store kept none.
    """
    if not events:
        raise StoreError("an append of new events stored nothing")
    return events[-1].seq


def _roll_back(store: EventStore, to_seq: int) -> None:
    def decide(found: Update) -> Sequence[Event]:
        return [Restored(step=None, to_seq=to_seq, generation=found.generation + 1)]

    store.update(0, -1, decide)


def _appends_are_seen(one: EventStore, other: EventStore) -> str:
    before = {stored.seq for stored in _all(one).read}
    done = _append(one, _event("seen-1"), _event("seen-2"))
    new = tuple(stored for stored in _all(other).read if stored.seq not in before)
    return "" if new == done.appended and len(new) == 2 else f"appended {done.appended}, another handle read {new}"


def _order_rises(one: EventStore, _other: EventStore) -> str:
    _append(one, _event("order-1"), _event("order-2"), _event("order-3"))
    places = [stored.seq for stored in _all(one).read]
    return (
        ""
        if places == sorted(set(places)) and min(places, default=0) > 0
        else f"sequence numbers do not rise: {places}"
    )


def _keys_are_unique(one: EventStore, other: EventStore) -> str:
    _append(one, _event("unique"))
    again = _append(other, _event("unique"), _event("unique-2"), _event("unique-2")).appended
    return "" if [stored.event for stored in again] == [_event("unique-2")] else f"a key was stored twice: {again}"


def _tail_is_read(one: EventStore, other: EventStore) -> str:
    seen = _append(one, _event("tail-1"))
    last = _last(seen.appended)
    added = _append(other, _event("tail-2")).appended
    found = one.read(last, seen.generation).read
    return "" if found == added else f"after {last} expected {added}, read {found}"


def _decision_sees_the_newest(one: EventStore, other: EventStore) -> str:
    start = _all(one)
    last = start.read[-1].seq if start.read else 0
    added = _append(other, _event("newest")).appended
    seen: list[Update] = []

    def decide(found: Update) -> Sequence[Event]:
        seen.append(found)
        return ()

    one.update(last, start.generation, decide)
    return "" if seen[-1].read == added else f"the decision saw {seen[-1].read}, not {added}"


def _failed_decision_writes_nothing(one: EventStore, other: EventStore) -> str:
    before = _all(other)

    def decide(_: Update) -> Sequence[Event]:
        raise LookupError

    try:
        one.update(0, -1, decide)
    except LookupError:
        return "" if _all(other) == before else "a failed decision left events"
    return "the decision's error was swallowed"


def _restore_rolls_back(one: EventStore, other: EventStore) -> str:
    kept = _append(one, _event("restore-1"))
    last = _last(kept.appended)
    _append(one, _event("restore-2"))
    _roll_back(one, last)
    found = other.read(last, kept.generation)
    events = [stored.event for stored in found.read]
    if found.generation <= kept.generation:
        return "a restore does not raise the generation"
    if _event("restore-2") in events or _event("restore-1") not in events:
        return f"after a restore an old reader got {events}"
    return ""


def _rolled_back_key_is_free(one: EventStore, other: EventStore) -> str:
    last = _last(_append(one, _event("free-1")).appended)
    first = _last(_append(one, _event("free-2")).appended)
    _roll_back(other, last)
    again = _append(one, _event("free-2")).appended
    return "" if again and again[0].seq > first else "a rolled-back event can't happen again, or took an old place"


def _time_finds_the_place(one: EventStore, other: EventStore) -> str:
    first = _last(_append(one, _event("time-1")).appended)
    between = time.time()
    while time.time() <= between:  # clocks have steps
        pass
    second = _last(_append(one, _event("time-2")).appended)
    found = other.place_at(0.0), other.place_at(between), other.place_at(time.time() + 1)
    return "" if found == (0, first, second) else f"places by time are {found}, not {(0, first, second)}"


def _writers_do_not_race(one: EventStore, other: EventStore) -> str:
    def count(store: EventStore) -> None:
        def decide(found: Update) -> Sequence[Event]:
            mine = [stored for stored in found.read if stored.event.key.startswith("returned:race-")]
            return [_event(f"race-{len(mine)}")]

        for _ in range(20):
            store.update(0, -1, decide)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, (one, other)))
    mine = [stored for stored in _all(one).read if stored.event.key.startswith("returned:race-")]
    return "" if len(mine) == 40 else f"two writers made {len(mine)} of 40 events: decisions overlapped"


CHECKS = (
    _appends_are_seen,
    _order_rises,
    _keys_are_unique,
    _tail_is_read,
    _decision_sees_the_newest,
    _failed_decision_writes_nothing,
    _restore_rolls_back,
    _rolled_back_key_is_free,
    _time_finds_the_place,
    _writers_do_not_race,
)
