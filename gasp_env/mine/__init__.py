"""Goalpost mining: problems that no checkpoint of any round solves, with their evidence (paper section 1.2)."""

from gasp_env.mine.chance import chance_kept, expected_cost, upper_rate
from gasp_env.mine.evidence import Evidence, Tally, fold
from gasp_env.mine.manifest import MineManifest, describe, false_goalposts, gather, removals
from gasp_env.mine.miner import Answers, Judge, Judged, Miner
from gasp_env.mine.plan import Checkpoint, Plan, parse_checkpoint

__all__ = (
    "Answers",
    "Checkpoint",
    "Evidence",
    "Judge",
    "Judged",
    "MineManifest",
    "Miner",
    "Plan",
    "Tally",
    "chance_kept",
    "describe",
    "expected_cost",
    "false_goalposts",
    "fold",
    "gather",
    "parse_checkpoint",
    "removals",
    "upper_rate",
)
