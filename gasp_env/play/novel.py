"""The fingerprints of a proposed question: what the novelty layers compare.

Behaviour probes run in the sandbox like every program, and only where the rules ask for them. Embedding may run a model,
so it runs in a worker thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gasp_env.config import Rules
from gasp_env.novelty import Embedder, arity, behaviour_hash, code_hash, probe_inputs, question_text
from gasp_env.types import Job, JobOutcome, Limits, Question

__all__ = ("Prints", "fingerprint")

_Execute = Callable[[tuple[Job, ...]], Awaitable[tuple[JobOutcome, ...]]]
_PROBE_LIMITS = Limits(cpu_s=2.0, job_cpu_s=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prints:
    """The three layers of one question."""

    vector: NDArray[np.float32]
    code_hash: str
    behaviour_hash: str | None = None
    """None: not asked for, or the program gave too few values to tell."""


async def fingerprint(question: Question, embedder: Embedder, rules: Rules, *, execute: _Execute) -> Prints:
    """Fingerprint a question: embedding, canonical code and, where the rules ask, behaviour on shared probes."""
    rows = await asyncio.to_thread(embedder, [question_text(question)])
    acts = await _behaviour(question, execute) if rules.reject_same_behaviour else None
    return Prints(vector=rows[0], code_hash=code_hash(question.program), behaviour_hash=acts)


async def _behaviour(question: Question, execute: _Execute) -> str | None:
    parameters = arity(question.program)
    if parameters is None:
        return None
    probe = Job(program=question.program, inputs=probe_inputs(parameters), limits=_PROBE_LIMITS)
    (outcome,) = await execute((probe,))
    return None if outcome.failed_by_us else behaviour_hash(outcome.tests)
