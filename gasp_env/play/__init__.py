"""Drivers that play episodes: async, stepping, self-play and replay; and the run folder they write."""

from gasp_env.play.arena import Arena, Draft, Played, Recorder, Seat, Trained
from gasp_env.play.loop import LoopThread
from gasp_env.play.replay import Tape, TapePolicy, compare_runs
from gasp_env.play.run import Manifest, Metrics, RunFolder, Transcript, make_manifest
from gasp_env.play.selfplay import Funnel, SelfPlay
from gasp_env.play.stepper import AsyncStepper, Probes, Step, Stepper

__all__ = (
    "Arena",
    "AsyncStepper",
    "Draft",
    "Funnel",
    "LoopThread",
    "Manifest",
    "Metrics",
    "Played",
    "Probes",
    "Recorder",
    "RunFolder",
    "Seat",
    "SelfPlay",
    "Step",
    "Stepper",
    "Tape",
    "TapePolicy",
    "Trained",
    "Transcript",
    "compare_runs",
    "make_manifest",
)
