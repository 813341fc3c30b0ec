"""The local backend: a warm fork server a slot, one fork a job, kernel layers in the forked child. Linux only."""

from gasp_env.sandbox.local.pool import LocalSandbox, open_local

__all__ = ("LocalSandbox", "open_local")
