"""What a run folder says, as plain tables; both the HTML report and the terminal summary are drawn from these.

The law of this module: derived only. It reads a folder and writes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gasp_env.config import Band
from gasp_env.play.run import Manifest, RunFolder, Transcript
from gasp_env.play.selfplay import TEACHER_STAGES
from gasp_env.types import EpisodeResult, Goalpost, Question, Rejection, RejectReason, SolveRate, Stage

__all__ = ("BoardRow", "Branch", "Facts", "Rate", "Step", "read_facts", "rewards_over_time")

_ORDER = (
    (RejectReason.FORMAT, "parsed"),
    (RejectReason.SAFETY, "safe"),
    (RejectReason.EXECUTION, "ran"),
    (RejectReason.NONDETERMINISTIC, "deterministic"),
    (RejectReason.ILL_POSED, "well-posed"),
    (RejectReason.LEAK, "clean"),
    (RejectReason.SIMILARITY, "novel"),
    (RejectReason.BAND, "in band"),
)
"""The checks in their order (paper section 1.4) and what passing each is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the funnel: how many came so far, and why the others did not."""

    name: str
    count: int
    lost: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    """Detail (before its first colon) and count, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Solved of tried."""

    solved: int = 0
    n: int = 0

    @property
    def text(self) -> str:
        """For people: ``3/10``, or a dash where nothing was tried."""
        return f"{self.solved}/{self.n}" if self.n else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """One goalpost."""

    id: str
    statement: str
    proposed: int
    lemmas: int
    lifts: int
    best_lemma: Rate
    """Lowest solve rate of an accepted lemma: the nearest to the goalpost."""
    best_lift: Rate
    solved: Rate
    """Attempts at the goalpost itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """An accepted question and the accepted questions made from it."""

    question: Question
    rate: SolveRate | None
    attempts: Rate
    """Later student episodes on it."""
    children: tuple["Branch", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is shown of a run."""

    manifest: Manifest
    episodes: int
    masked: int
    funnel: dict[str, tuple[Step, ...]]
    """By stage."""
    histogram: dict[str, dict[int, int]]
    """Stage -> tenths of the solve rate -> proposals measured."""
    bands: dict[str, Band]
    rewards: dict[str, tuple[tuple[int, float], ...]]
    """Stage -> (episode, reward), unmasked ones."""
    students: dict[str, Rate]
    """Kind of question -> solved of tried, trained episodes."""
    board: tuple[BoardRow, ...]
    lineage: tuple[Branch, ...]

    @property
    def accepted(self) -> int:
        """Questions in the curriculum."""
        return sum(_size(branch) for branch in self.lineage)


def read_facts(path: Path | str) -> Facts:
    """Read a run folder.

    Raises:
        ConfigError: no run there.
        DataError: a file of it is damaged; names file and line.
    """
    run = RunFolder.open(path)
    rows = list({row.episode_id: row for row in run.all_transcripts()}.values())
    lost = {name: rival for line in run.metrics for name, rival in line.duplicates.items()}
    results = [_effective(row, lost.get(row.episode_id)) for row in rows]
    rules = run.manifest.config.rules
    lineage, proposals = _lineage(results), _proposals(results)
    return Facts(
        manifest=run.manifest,
        episodes=len(rows),
        masked=sum(one.reward.value is None for one in results),
        funnel={stage: _funnel(found) for stage, found in proposals.items()},
        histogram={stage: _histogram(found) for stage, found in proposals.items()},
        bands={Stage.LEMMA.value: rules.lemma_band, Stage.LIFT.value: rules.lift_band},
        rewards=_rewards(rows),
        students=_students(results),
        board=tuple(_board(goalpost, results) for goalpost in run.goalposts()),
        lineage=lineage,
    )


def rewards_over_time(points: Sequence[tuple[int, float]], buckets: int = 40) -> list[tuple[float, float]]:
    """Mean reward in at most ``buckets`` runs of consecutive episodes: (mean episode, mean reward)."""
    size = max(1, -(-len(points) // buckets))
    parts = [points[at : at + size] for at in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _effective(row: Transcript, rival: str | None) -> EpisodeResult:
    """What became of an episode once it was settled."""
    if rival is None:
        return row.result
    refused = Rejection(reason=RejectReason.SIMILARITY, detail=f"accepted meanwhile: {rival}")
    return replace(row.result, accepted=False, rejection=refused)


def _proposals(results: Sequence[EpisodeResult]) -> dict[str, list[EpisodeResult]]:
    found: dict[str, list[EpisodeResult]] = {}
    for one in results:
        if one.stage in TEACHER_STAGES:
            found.setdefault(one.stage.value, []).append(one)
    return found


def _funnel(results: Sequence[EpisodeResult]) -> tuple[Step, ...]:
    faults = [one for one in results if one.reward.value is None and one.rejection is None and not one.accepted]
    left = len(results) - len(faults)
    first = Step(name="proposed", count=left, lost=len(faults), reasons=_reasons([one.masked for one in faults]))
    steps = [first]
    for reason, name in _ORDER:
        lost = [one.rejection.detail for one in results if one.rejection and one.rejection.reason is reason]
        left -= len(lost)
        steps.append(Step(name=name, count=left, lost=len(lost), reasons=_reasons(lost)))
    optional = (RejectReason.ILL_POSED, RejectReason.LEAK)
    hidden = {name for reason, name in _ORDER if reason in optional}
    return tuple(step for step in steps if step.lost or step.name not in hidden)


def _reasons(details: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(detail.partition(":")[0] for detail in details).most_common(5))


def _histogram(results: Sequence[EpisodeResult]) -> dict[int, int]:
    rates = [one.solve_rate for one in results if one.solve_rate is not None and one.solve_rate.n]
    return dict(sorted(Counter((20 * rate.solved + rate.n) // (2 * rate.n) for rate in rates).items()))


def _rewards(rows: Sequence[Transcript]) -> dict[str, tuple[tuple[int, float], ...]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row.result.reward.value is not None:
            found.setdefault(row.result.stage.value, []).append((row.index, row.result.reward.value))
    return {stage: tuple(points) for stage, points in sorted(found.items())}


def _students(results: Sequence[EpisodeResult]) -> dict[str, Rate]:
    found: dict[str, list[bool]] = {}
    for one in results:
        if one.stage not in TEACHER_STAGES and one.attempts and one.attempts[-1].solved is not None:
            name = one.kind.value if one.kind else one.stage.value
            found.setdefault(name, []).append(one.attempts[-1].solved)
    return {name: Rate(solved=sum(tries), n=len(tries)) for name, tries in sorted(found.items())}


def _board(goalpost: Goalpost, results: Sequence[EpisodeResult]) -> BoardRow:
    mine = [one for one in results if one.goalpost_id == goalpost.id]
    accepted = [one for one in mine if one.accepted and one.question is not None]
    lemmas = [one for one in accepted if one.stage is Stage.LEMMA]
    lifts = [one for one in accepted if one.stage is Stage.LIFT]
    tries = [one.attempts[-1].solved for one in mine if one.stage is Stage.REAL and one.attempts]
    counted = [solved for solved in tries if solved is not None]
    return BoardRow(
        id=goalpost.id,
        statement=goalpost.statement,
        proposed=sum(one.stage in TEACHER_STAGES for one in mine),
        lemmas=len(lemmas),
        lifts=len(lifts),
        best_lemma=_hardest(lemmas),
        best_lift=_hardest(lifts),
        solved=Rate(solved=sum(counted), n=len(counted)),
    )


def _hardest(results: Sequence[EpisodeResult]) -> Rate:
    rates = [one.solve_rate for one in results if one.solve_rate is not None and one.solve_rate.n]
    lowest = min(rates, key=lambda rate: rate.exact, default=None)
    return Rate(solved=lowest.solved, n=lowest.n) if lowest else Rate()


def _lineage(results: Sequence[EpisodeResult]) -> tuple[Branch, ...]:
    accepted: dict[str, tuple[Question, SolveRate | None]] = {}
    tries: dict[str, list[bool]] = {}
    for one in results:
        if one.accepted and one.question is not None:
            accepted.setdefault(one.question.id, (one.question, one.solve_rate))
        if one.question_id and one.attempts and one.attempts[-1].solved is not None:
            tries.setdefault(one.question_id, []).append(one.attempts[-1].solved)
    children: dict[str | None, list[str]] = {}
    for question, _ in accepted.values():
        children.setdefault(question.parent_id if question.parent_id in accepted else None, []).append(question.id)

    def branch(name: str) -> Branch:
        question, rate = accepted[name]
        mine = tries.get(name, [])
        below = tuple(branch(child) for child in children.get(name, ()))
        return Branch(question=question, rate=rate, attempts=Rate(solved=sum(mine), n=len(mine)), children=below)

    return tuple(branch(name) for name in children.get(None, ()))


def _size(branch: Branch) -> int:
    return 1 + sum(_size(child) for child in branch.children)
