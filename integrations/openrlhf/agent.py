"""For OpenRLHF's --train.agent_func_path: plays the tickets of the run that GASP_RUN names."""

from gasp_env.adapters.openrlhf import AgentExecutor

__all__ = ("AgentExecutor",)
