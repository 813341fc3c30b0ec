"""For OpenRLHF's --reward.remote_url: grades real problems (plain RLVR) in the sandbox of the run that GASP_RUN names."""

from gasp_env.adapters.openrlhf import reward_func

__all__ = ("reward_func",)
