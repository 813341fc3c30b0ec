"""``fold(state, event) -> state``: the only writer of a curriculum's state.

The law of this module: deterministic and idempotent; folding an event twice equals folding it once. `fold` copies its
argument; `advance` consumes it (amortised constant time an event) and is for a sole owner.
"""

from collections.abc import Iterable
from dataclasses import replace

from gasp_env.curriculum.events import (
    Event,
    GoalpostsAdded,
    GoalpostStateChanged,
    Issued,
    LeaseReturned,
    Restored,
    Settled,
    Snapshotted,
)
from gasp_env.curriculum.records import Accepted, Goal, GoalpostState, Lease, Running, unpack
from gasp_env.curriculum.state import State
from gasp_env.types import Question

__all__ = ("advance", "fold")


def fold(state: State, event: Event) -> State:
    """The state after ``event``; ``state`` is left as it was."""
    return advance(state.copy(), (event,))


def advance(state: State, events: Iterable[Event]) -> State:
    """Fold many events, writing into ``state``; the caller must own it and go on with what is returned."""
    for event in events:
        _apply(state, event)
    return state


def _apply(state: State, event: Event) -> None:
    match event:
        case GoalpostsAdded():
            _add_goalposts(state, event)
        case Issued():
            _issue(state, event)
        case LeaseReturned():
            _return_lease(state, event)
        case Settled():
            _settle(state, event)
        case GoalpostStateChanged():
            _change_goalpost(state, event)
        case Snapshotted() | Restored():
            pass  # marks in the log; the store acts on a restore


def _add_goalposts(state: State, event: GoalpostsAdded) -> None:
    for goalpost in event.goalposts:
        if goalpost.id not in state.goals:
            state.goals[goalpost.id] = Goal(goalpost=goalpost, state=event.state)
            _mark_active(state, goalpost.id, event.state)


def _change_goalpost(state: State, event: GoalpostStateChanged) -> None:
    goal = state.goals.get(event.goalpost_id)
    if goal is not None and event.change == goal.changes + 1:
        state.goals[event.goalpost_id] = replace(goal, state=event.state, changes=event.change)
        _mark_active(state, event.goalpost_id, event.state)


def _mark_active(state: State, goalpost_id: str, now: GoalpostState) -> None:
    state.active.pop(goalpost_id, None)
    if now is GoalpostState.ACTIVE:
        state.active[goalpost_id] = None


def _issue(state: State, event: Issued) -> None:
    ticket_id = event.ticket.id
    first = ticket_id not in state.draws
    if not first and state.returned.get(ticket_id) != event.lease - 1:
        return
    state.draws.setdefault(ticket_id, event.draw)
    state.returned.pop(ticket_id, None)
    state.leases[ticket_id] = Lease(
        ticket=event.ticket, number=event.lease, expires_at=event.expires_at, holder=event.holder
    )


def _return_lease(state: State, event: LeaseReturned) -> None:
    lease = state.leases.get(event.ticket_id)
    if lease is not None and lease.number == event.lease:
        del state.leases[event.ticket_id]
        state.returned[event.ticket_id] = event.lease


def _settle(state: State, event: Settled) -> None:
    if event.episode_id in state.settled:
        return
    state.settled[event.episode_id] = (event.question is not None, event.duplicate_of)
    state.leases.pop(event.ticket_id, None)
    state.returned.pop(event.ticket_id, None)
    if event.reward is None and event.reason is None:
        _count(state.masked, event.stage.value)
    if event.reward is not None:
        _observe(state.baselines, event.baseline_key, event.reward)
    if event.probes:
        _observe(state.rates, event.stage.value, event.probes_solved / event.probes)
    if event.tries:
        _attempt(state, event)
    if event.reason is not None:
        _count(state.rejected, f"{event.stage.value}/{event.reason.value}")
    if event.question is not None:
        _accept(state, event, event.question)


def _attempt(state: State, event: Settled) -> None:
    _observe(state.rates, event.stage.value, event.solved / event.tries)
    known = state.questions.get(event.question_id or "")
    if known is not None:
        state.questions[known.question.id] = replace(
            known, solved=known.solved + event.solved, tries=known.tries + event.tries
        )
        return
    goal = state.goals.get(event.goalpost_id or "")
    if goal is not None:
        state.goals[goal.goalpost.id] = replace(goal, solved=goal.solved + event.solved, tries=goal.tries + event.tries)


def _accept(state: State, event: Settled, question: Question) -> None:
    if question.id in state.questions:
        return
    _count(state.accepted, event.stage.value)
    state.questions[question.id] = Accepted(
        question=question, solved=event.probes_solved, tries=event.probes, policy_version=event.policy_version
    )
    state.index.add(question.id, unpack(event.vector), event.code_hash, event.behaviour_hash)
    if question.goalpost_id is not None:
        ladder = state.ladders.get(question.goalpost_id, ())
        state.ladders[question.goalpost_id] = (*ladder, question.id)
    _pool(state, question)
    if question.parent_id is not None:
        _link(state, question.parent_id, question.id)


def _pool(state: State, question: Question) -> None:
    state.pool[question.id] = None
    if question.axis is not None:
        state.fresh.setdefault(question.depth, {})[question.id] = None
    while len(state.pool) > state.cap:
        oldest = next(iter(state.pool))
        del state.pool[oldest]
        depth = state.question(oldest).depth
        for rungs in (state.fresh, state.lifted):
            rungs.get(depth, {}).pop(oldest, None)


def _link(state: State, parent_id: str, child_id: str) -> None:
    state.lifts[parent_id] = (*state.lifts.get(parent_id, ()), child_id)
    parent = state.questions.get(parent_id)
    if parent is None:
        return
    depth = parent.question.depth
    if parent_id in state.fresh.get(depth, {}):
        del state.fresh[depth][parent_id]
        state.lifted.setdefault(depth, {})[parent_id] = None


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _observe(stats: dict[str, Running], key: str, value: float) -> None:
    stats[key] = stats.get(key, Running()).add(value)
