"""What runs on the far side of the wall: standard library only, shipped as one source text (`gasp_env.sandbox.bundle`)."""

__all__ = ()
