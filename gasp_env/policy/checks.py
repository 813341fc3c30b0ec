"""What every policy refuses before it asks a model."""

from gasp_env.errors import ConfigError
from gasp_env.policy.protocol import Sampling

__all__ = ("check_call",)


def check_call(n: int, sampling: Sampling) -> None:
    """Check the arguments of a call.

    Raises:
        ConfigError: names the field, its value and what was expected.
    """
    bounds = (
        ("n", n, n >= 0, "0 or more"),
        ("temperature", sampling.temperature, sampling.temperature >= 0, "0 or more"),
        ("top_p", sampling.top_p, 0 < sampling.top_p <= 1, "above 0, at most 1"),
        ("max_tokens", sampling.max_tokens, sampling.max_tokens >= 1, "at least 1"),
    )
    for name, value, fine, wanted in bounds:
        if not fine:
            raise ConfigError(f"sampling, {name}: got {value}; expected {wanted}")
