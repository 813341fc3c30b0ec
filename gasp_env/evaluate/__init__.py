"""Evaluation: answers graded on real problems, pass@k with intervals, splits and paired comparison."""

from gasp_env.evaluate.calibrate import calibrated_cpu_s
from gasp_env.evaluate.figure import pass_curve
from gasp_env.evaluate.records import EvalManifest, Samples, TaskRecord
from gasp_env.evaluate.run import Evaluation, check_ground_truth, ground_truth, problems_hash, record
from gasp_env.evaluate.summary import KS, Estimate, Paired, Summary, goalposts_solved, paired, summarize
from gasp_env.evaluate.table import comparison_table, summary_table
from gasp_env.evaluate.write import claim_folder, read_records, write_report

__all__ = (
    "KS",
    "Estimate",
    "EvalManifest",
    "Evaluation",
    "Paired",
    "Samples",
    "Summary",
    "TaskRecord",
    "calibrated_cpu_s",
    "check_ground_truth",
    "claim_folder",
    "comparison_table",
    "goalposts_solved",
    "ground_truth",
    "paired",
    "pass_curve",
    "problems_hash",
    "read_records",
    "record",
    "summarize",
    "summary_table",
    "write_report",
)
