"""The ``gasp-env`` command line."""

from gasp_env.cli.app import app, main

__all__ = ("app", "main")
