"""The local backend: warm zygotes and kernel layers."""

from gasp_env.sandbox.local.levels import open_local
from gasp_env.sandbox.local.pool import LocalSandbox
from gasp_env.sandbox.local.slots import default_slots, free_memory, slot_bounds

__all__ = ("LocalSandbox", "default_slots", "free_memory", "open_local", "slot_bounds")
