"""Statistics: intervals, pass@k, task-relative baselines. Pure."""

from gasp_env.stats.baselines import Whitened, whiten
from gasp_env.stats.intervals import (
    Interval,
    accept_probability,
    clopper_pearson,
    edge_straddles,
    newcombe,
    wilson,
)
from gasp_env.stats.passk import bootstrap, mean_pass_at_k, pass_at_k

__all__ = (
    "Interval",
    "Whitened",
    "accept_probability",
    "bootstrap",
    "clopper_pearson",
    "edge_straddles",
    "mean_pass_at_k",
    "newcombe",
    "pass_at_k",
    "whiten",
    "wilson",
)
