"""Rewards: pure functions of measurements, each by name and with its source."""

from gasp_env.rewards.learnability import learnability
from gasp_env.rewards.registry import (
    NEUTRAL,
    OUTSIDE,
    REWARDS,
    RewardContext,
    TeacherReward,
    find_reward,
    teacher_reward,
)
from gasp_env.rewards.student import solver_reward

__all__ = (
    "NEUTRAL",
    "OUTSIDE",
    "REWARDS",
    "RewardContext",
    "TeacherReward",
    "find_reward",
    "learnability",
    "solver_reward",
    "teacher_reward",
)
