"""The plugin that verifiers imports for the id ``gasp-env-vf``: exactly one taskset, one environment, one harness."""

from gasp_env.adapters.verifiers import ChatHarness, GaspEnv, GaspTaskset

__all__ = ("ChatHarness", "GaspEnv", "GaspTaskset")
