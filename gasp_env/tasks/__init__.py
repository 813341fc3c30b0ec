"""Real problems and goalposts from files.

for problem in Source(path="test5.jsonl", window=LCB_V5_EVAL): ...
goalposts = load_goalposts("goalposts.jsonl")
"""

from gasp_env.tasks.guard import Guard, leaked_run
from gasp_env.tasks.jsonl import GoalpostFile, dump_goalposts, goalposts_hash, load_goalposts, read_goalposts
from gasp_env.tasks.load import FORMATS, Source, load_problems
from gasp_env.tasks.problem import Flag, Problem, Refusal, Refused, statement_hash, to_goalpost
from gasp_env.tasks.samples import read_samples
from gasp_env.tasks.windows import LCB_V5_EVAL, LCB_V5_TRAIN, Window

__all__ = (
    "FORMATS",
    "LCB_V5_EVAL",
    "LCB_V5_TRAIN",
    "Flag",
    "GoalpostFile",
    "Guard",
    "Problem",
    "Refusal",
    "Refused",
    "Source",
    "Window",
    "dump_goalposts",
    "goalposts_hash",
    "leaked_run",
    "load_goalposts",
    "load_problems",
    "read_goalposts",
    "read_samples",
    "statement_hash",
    "to_goalpost",
)
