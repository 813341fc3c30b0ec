"""The cheat suite: attacks that reinforcement learning finds, run against a sandbox, with what each did to the host.

findings = await run_corpus(sandbox)
assert not any(finding.problems for finding in findings)
"""

from gasp_env.sandbox.corpus import bombs, drifting, endings, forging, host, kernel, lingering, peeking, reaching
from gasp_env.sandbox.corpus.record import Attack
from gasp_env.sandbox.corpus.runner import Finding, HostWatch, run_attack, run_corpus

__all__ = ("ATTACKS", "Attack", "Finding", "HostWatch", "run_attack", "run_corpus")

_FILES = (endings, lingering, forging, peeking, reaching, bombs, kernel, host, drifting)
ATTACKS: tuple[Attack, ...] = tuple(sorted((one for file in _FILES for one in file.ATTACKS), key=lambda one: one.id[0]))
