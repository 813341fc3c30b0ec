"""Goalposts from files."""

from gasp_env.tasks.jsonl import GoalpostFile, dump_goalposts, goalposts_hash, load_goalposts, read_goalposts

__all__ = ("GoalpostFile", "dump_goalposts", "goalposts_hash", "load_goalposts", "read_goalposts")
