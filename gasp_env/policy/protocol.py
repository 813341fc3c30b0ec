"""What a policy is: something that samples completions of chat messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gasp_env.types import Message, Role

__all__ = ("Completion", "Policy", "Sampling")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample (paper: temperature 1, top-p 1)."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 2048
    """Upper limit of new tokens."""
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled text; token fields where the policy knows them (never re-tokenise the text)."""

    text: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    prompt_ids: tuple[int, ...] | None = None
    finish_reason: str = "stop"
    """``stop`` or ``length``."""
    policy_version: str | None = None


@runtime_checkable
class Policy(Protocol):
    """Samples completions. Must be safe to call from many tasks of one event loop at once."""

    async def generate(
        self, messages: Sequence[Message], *, n: int, role: Role, sampling: Sampling
    ) -> Sequence[Completion | None]:
        """Return ``n`` completions, None where one of them failed for infrastructure reasons.

        Raises:
            PolicyError: nothing could be sampled at all.
        """
        ...

    async def close(self) -> None:
        """Free what the policy holds."""
        ...
