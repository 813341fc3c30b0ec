"""Teacher episodes: write a question, validate it, measure how often the student solves it, be paid for that.

One episode is one rung: a lemma, a lift, a lift of a lift, or an unguided proposal.
"""

from dataclasses import dataclass, replace

from gasp_env.config import Band, Rules
from gasp_env.game.moves import Episode, Generate, Move, generate
from gasp_env.game.prompts import follow_up, free_prompt, lemma_prompt, lift_prompt, solve_prompt
from gasp_env.game.student import grade_answers
from gasp_env.game.validate import Fault, TeacherTask, parse_proposal, run_proposal, similarity, well_posed
from gasp_env.rewards import teacher_reward
from gasp_env.stats import edge_straddles
from gasp_env.types import (
    Attempt,
    EpisodeResult,
    FreeTask,
    LemmaTask,
    LiftTask,
    Message,
    Question,
    Rejection,
    RejectReason,
    Reward,
    Role,
    SolveKind,
    SolveRate,
    SolveTask,
    Stage,
    Ticket,
    Turn,
)

__all__ = ("band_of", "measure", "stage_of", "teacher_episode")

REPAIRABLE = (RejectReason.FORMAT, RejectReason.SAFETY, RejectReason.EXECUTION, RejectReason.NONDETERMINISTIC)
"""Rejections that a further turn can mend."""


@dataclass(slots=True, kw_only=True)
class _Record:
    """What an episode gathers on its way."""

    turns: list[Turn]
    attempts: tuple[Attempt, ...] = ()


def stage_of(task: TeacherTask) -> Stage:
    """Stage of a teacher task."""
    match task:
        case LemmaTask():
            return Stage.LEMMA
        case LiftTask():
            return Stage.LIFT
        case FreeTask():
            return Stage.FREE


def band_of(stage: Stage, rules: Rules) -> Band:
    """Solve rates that are accepted; every one for unguided proposals (AZR)."""
    return {Stage.LEMMA: rules.lemma_band, Stage.LIFT: rules.lift_band}.get(stage, Band(low=0, high=10))


def teacher_episode(ticket: Ticket, task: TeacherTask, rules: Rules, *, seed: int) -> Episode:
    """Propose, validate, measure, reward (paper sections 1.3 to 1.5)."""
    record = _Record(turns=[])
    proposed = yield from _propose(task, rules, record, seed=seed)
    result = _base(ticket, task)
    if isinstance(proposed, Fault):
        return _close(result, record, masked=proposed.why)
    if isinstance(proposed, Rejection):
        return _close(result, record, rejection=proposed, reward=_refused(proposed, rules))
    result = replace(result, question=proposed)
    refused = yield from similarity(proposed, rules)
    if refused is not None:
        return _close(result, record, rejection=refused, reward=_refused(refused, rules))
    rate = yield from measure(proposed, rules, record, seed=seed)
    if rate.n == 0:
        return _close(result, record, masked="every probe failed for infrastructure reasons")
    return _judge(replace(result, solve_rate=rate), record, rate, rules)


def measure(question: Question, rules: Rules, record: _Record, *, seed: int) -> Move[SolveRate]:
    """Solve rate of the live student: solved and counted attempts; infrastructure faults count as neither."""
    rate = yield from _probe(question, rules, record, n=rules.rollouts, seed=seed + 1000)
    band = band_of(question.stage, rules)
    if rules.edge_rollouts and rate.n and edge_straddles(rate, band):
        more = yield from _probe(question, rules, record, n=rules.edge_rollouts, seed=seed + 2000)
        rate = SolveRate(solved=rate.solved + more.solved, n=rate.n + more.n)
    return rate


def _probe(question: Question, rules: Rules, record: _Record, *, n: int, seed: int) -> Move[SolveRate]:
    task = SolveTask(question=question, kind=question.kind or SolveKind.INDUCTION)
    messages = solve_prompt(task, rules)
    reply = yield from generate(Generate(messages=messages, n=n, role=Role.STUDENT, train=False, seed=seed))
    record.turns.append(Turn(role=Role.STUDENT, messages=messages, completions=reply.texts, train=False))
    graded = yield from grade_answers(reply.texts, task, rules)
    record.attempts += graded
    counted = [one.solved for one in graded if one.solved is not None]
    return SolveRate(solved=sum(counted), n=len(counted))


def _propose(task: TeacherTask, rules: Rules, record: _Record, *, seed: int) -> Move[Question | Rejection | Fault]:
    talk = _prompt(task, rules)
    while True:
        request = Generate(messages=talk, n=1, role=Role.TEACHER, train=True, seed=seed + len(record.turns))
        texts = (yield from generate(request)).texts
        record.turns.append(Turn(role=Role.TEACHER, messages=talk, completions=texts, train=True))
        if texts[0] is None:
            return Fault(why="policy")
        found = yield from _validate(texts[0], task, rules)
        mendable = isinstance(found, Rejection) and found.reason in REPAIRABLE
        if not mendable or len(record.turns) >= rules.teacher_turns:
            return found
        problem = found.detail if isinstance(found, Rejection) else ""
        talk = (*talk, Message(role="assistant", content=texts[0]), *follow_up("repair", problem, rules))


def _validate(text: str, task: TeacherTask, rules: Rules) -> Move[Question | Rejection | Fault]:
    parsed = parse_proposal(text, task, rules)
    if isinstance(parsed, Rejection):
        return parsed
    question = yield from run_proposal(parsed, task, rules)
    if not isinstance(question, Question):
        return question
    return (yield from well_posed(question, rules)) or question


def _prompt(task: TeacherTask, rules: Rules) -> tuple[Message, ...]:
    match task:
        case LemmaTask():
            return lemma_prompt(task, rules)
        case LiftTask():
            return lift_prompt(task, rules)
        case FreeTask():
            return free_prompt(task, rules)


def _judge(result: EpisodeResult, record: _Record, rate: SolveRate, rules: Rules) -> EpisodeResult:
    name = {Stage.LEMMA: rules.lemma_reward, Stage.LIFT: rules.lift_reward}.get(result.stage, rules.free_reward)
    band = band_of(result.stage, rules)
    reward = teacher_reward(name, rate, band=band)
    if band.holds(rate.solved, rate.n):
        return _close(replace(result, accepted=True), record, reward=reward)
    side = "below" if 10 * rate.solved < band.low * rate.n else "above"
    refused = Rejection(reason=RejectReason.BAND, detail=f"{side}: {rate.solved}/{rate.n}")
    return _close(result, record, rejection=refused, reward=reward)


def _refused(rejection: Rejection, rules: Rules) -> Reward:
    if rejection.reason is RejectReason.SIMILARITY:
        return Reward(value=rules.similarity_reward, parts={"similarity": rules.similarity_reward or 0.0})
    return Reward(value=rules.invalid_reward, parts={"invalid": rules.invalid_reward})


def _base(ticket: Ticket, task: TeacherTask) -> EpisodeResult:
    goalpost_id = task.goalpost.id if isinstance(task, LemmaTask) else None
    if isinstance(task, LiftTask):
        goalpost_id = task.parent.goalpost_id
    kind = task.kind if isinstance(task, FreeTask) else None
    return EpisodeResult(
        ticket=ticket, stage=stage_of(task), reward=Reward(value=None), turns=(), goalpost_id=goalpost_id, kind=kind
    )


def _close(
    result: EpisodeResult,
    record: _Record,
    *,
    reward: Reward | None = None,
    rejection: Rejection | None = None,
    masked: str = "",
) -> EpisodeResult:
    if reward is not None and reward.value is None and not masked:
        masked = f"{rejection.reason}: resampled without gradient" if rejection else "not measured"
    return replace(
        result,
        reward=reward or Reward(value=None),
        turns=tuple(record.turns),
        attempts=tuple(record.attempts),
        rejection=rejection,
        masked=masked,
    )
