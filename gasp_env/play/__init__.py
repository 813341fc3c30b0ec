"""Drivers that play episodes: async, stepping, self-play and replay; and the run folder they write."""

from gasp_env.play.arena import Arena, Draft, Played, Recorder, Seat, Trained
from gasp_env.play.checkpoints import CURRICULUM_FILE, go_to_step, save_step
from gasp_env.play.figures import episode_figures
from gasp_env.play.joined import RUN_VARIABLE, Joined, join_run, run_folder
from gasp_env.play.loop import LoopThread
from gasp_env.play.measure import solve_rates
from gasp_env.play.replay import Tape, TapePolicy, compare_runs
from gasp_env.play.run import Manifest, Metrics, RunFolder, Transcript, make_manifest
from gasp_env.play.selfplay import Funnel, SelfPlay
from gasp_env.play.session import Session
from gasp_env.play.stepper import AsyncStepper, Probes, Step, Stepper
from gasp_env.play.stepping import StepRun, leave_runs, new_messages, process_run
from gasp_env.play.tickets import deal_rows, read_ticket, seat_seed, ticket_text
from gasp_env.play.tokens import TokenSpan, trained_tokens

__all__ = (
    "CURRICULUM_FILE",
    "RUN_VARIABLE",
    "Arena",
    "AsyncStepper",
    "Draft",
    "Funnel",
    "Joined",
    "LoopThread",
    "Manifest",
    "Metrics",
    "Played",
    "Probes",
    "Recorder",
    "RunFolder",
    "Seat",
    "SelfPlay",
    "Session",
    "Step",
    "StepRun",
    "Stepper",
    "Tape",
    "TapePolicy",
    "TokenSpan",
    "Trained",
    "Transcript",
    "compare_runs",
    "deal_rows",
    "episode_figures",
    "go_to_step",
    "join_run",
    "leave_runs",
    "make_manifest",
    "new_messages",
    "process_run",
    "read_ticket",
    "run_folder",
    "save_step",
    "seat_seed",
    "solve_rates",
    "ticket_text",
    "trained_tokens",
)
