"""Policies: what samples the completions of teacher and student.

policy = open_policy("openai:http://localhost:8000/v1#Qwen/Qwen2.5-Coder-3B")
policy = open_policy("hf:examples/micro/policy")
"""

from gasp_env.errors import ConfigError
from gasp_env.policy.openai import OpenAIPolicy
from gasp_env.policy.protocol import Completion, Policy, Sampling
from gasp_env.policy.scripted import ScriptedPolicy
from gasp_env.policy.transformers import TransformersPolicy, load_transformers

__all__ = (
    "Completion",
    "OpenAIPolicy",
    "Policy",
    "Sampling",
    "ScriptedPolicy",
    "TransformersPolicy",
    "load_transformers",
    "open_policy",
)


def open_policy(spec: str, *, timeout_s: float = 600.0) -> Policy:
    """Open the policy that a short text names.

    Args:
        spec: ``openai:URL`` or ``openai:URL#MODEL`` (any OpenAI-compatible endpoint), ``hf:NAME_OR_FOLDER`` (a
            transformers model in this process), ``scripted:FILE`` (JSON lines of role and text).
        timeout_s: longest wait for one answer of an endpoint, in seconds.

    Raises:
        ConfigError: the text names no kind of policy.
        PolicyError: the model can't be loaded.
        DataError: the script can't be read.
        MissingExtra: transformers is not installed.
    """
    kind, _, rest = spec.partition(":")
    if not rest or kind not in {"openai", "hf", "scripted"}:
        raise ConfigError(
            f"policy: got {spec!r}; expected openai:URL, openai:URL#MODEL, hf:NAME_OR_FOLDER, scripted:FILE or replay:FILE"
        )
    if kind == "hf":
        return load_transformers(rest)
    if kind == "scripted":
        return ScriptedPolicy.from_file(rest)
    url, _, model = rest.partition("#")
    return OpenAIPolicy(url, model=model or None, timeout_s=timeout_s)
