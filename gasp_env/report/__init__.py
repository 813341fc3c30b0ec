"""What happened in a run: one HTML file and a terminal summary."""

from gasp_env.report.facts import Facts, read_facts
from gasp_env.report.html import render_report, write_report
from gasp_env.report.terminal import print_summary, summarize

__all__ = ("Facts", "print_summary", "read_facts", "render_report", "summarize", "write_report")
