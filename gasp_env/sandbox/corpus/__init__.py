"""The cheat suite: attacks that reinforcement learning finds, run against a sandbox, with what each did to the host.

findings = await run_corpus(sandbox)
assert not any(finding.problems for finding in findings)
"""

from gasp_env.sandbox.corpus import bombs, endings, host, peeking
from gasp_env.sandbox.corpus.record import Attack
from gasp_env.sandbox.corpus.runner import Finding, HostWatch, run_attack, run_corpus

__all__ = ("ATTACKS", "Attack", "Finding", "HostWatch", "run_attack", "run_corpus")

ATTACKS: tuple[Attack, ...] = endings.ATTACKS + peeking.ATTACKS + bombs.ATTACKS + host.ATTACKS
