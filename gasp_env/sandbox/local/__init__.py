"""The local backend: warm zygotes and kernel layers."""

from gasp_env.sandbox.local.levels import default_slots, open_local
from gasp_env.sandbox.local.pool import LocalSandbox

__all__ = ("LocalSandbox", "default_slots", "open_local")
