"""The main job in one command: GASP trains a policy with TRL's GRPOTrainer, on two CPU cores, in minutes.

    python examples/quickstart/run.py                     # the micro policy of examples/micro
    python examples/quickstart/run.py --new               # set the last run aside and start another
    python examples/quickstart/run.py --model smollm2     # SmolLM2-135M, a real language model, two slow steps
    python examples/quickstart/run.py --model NAME        # any Hugging Face model with a chat template

Stopped or killed, the same command goes on from the newest checkpoint (or measures, if training was over). Everything lands in the run folder: manifest,
curriculum.db, transcripts, metrics, checkpoints, before_after.json, report.html.
"""

import argparse
import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import transformers
from figures import NOTE, changes, held_out, measure, save, saved, table, tasks_of
from models import Preset, load, load_folder, preset, weights_hash
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from trl import GRPOConfig

from gasp_env.adapters.trl import Gasp, GaspGRPOTrainer
from gasp_env.config import load_config, overrides
from gasp_env.errors import GaspError
from gasp_env.play import RunFolder, Session
from gasp_env.play.lines import write_atomic
from gasp_env.policy import Sampling, TransformersPolicy
from gasp_env.report import print_summary, write_report
from gasp_env.tasks import load_goalposts

console = Console()


def say(text: str) -> None:
    """One line, however long the paths in it are."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


TRAINED = "trained"
"""Written when training is over and the model saved; holds the number of steps."""


def parse() -> tuple[argparse.Namespace, Preset]:
    """Read the command line over the model's preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default=os.environ.get("MODEL") or "micro", help="micro, smollm2, a name or a folder"
    )
    parser.add_argument("--run", type=Path, help="run folder (default: runs/demo-MODEL)")
    parser.add_argument("--new", action="store_true", help="set a run that is there aside and start another")
    parser.add_argument("--profile", default="gasp", help="gasp, azr, rlvr or gasp+rlvr (default: gasp)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=6.5, help="training ends then at the latest (default: 6.5)")
    parser.add_argument(
        "--measure-minutes", type=float, default=2.5, help="no round of attempts that would end later (default: 2.5)"
    )
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings, see `gasp-env settings`")
    known = preset(parser.parse_known_args()[0].model)
    parser.add_argument("--steps", type=int, default=known.steps, help=f"default: {known.steps}")
    parser.add_argument("--batch", type=int, default=known.batch, help=f"episodes a step (default: {known.batch})")
    parser.add_argument("--learning-rate", type=float, default=known.learning_rate)
    parser.add_argument("--attempts", type=int, default=known.attempts, help="a question, before and after training")
    parser.add_argument("--held-out", type=int, default=known.held_out, help="proposals of the start policy set apart")
    options = parser.parse_args()
    options.run = options.run or Path("runs") / f"demo-{Path(options.model).name}"
    return options, known


class Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """One line a step, and the clock."""

    def __init__(self, session: Session, minutes: float) -> None:
        self.session, self.until, self.last = session, time.monotonic() + 60 * minutes, time.monotonic()
        self.out_of_time = False

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: object) -> None:
        """Say how the step went."""
        if "loss" not in logs:
            return
        now, counts = time.monotonic(), self.session.funnel
        paid = " ".join(
            f"{rung} {float(logs[key]):+.2f}" for rung in ("lemma", "lift") if (key := f"gasp/reward/{rung}") in logs
        )
        say(
            f"step {state.global_step:3d}/{state.max_steps}  {now - self.last:4.1f} s  "
            f"accepted {counts.accepted:3d} of {counts.proposed:4d} proposals  "
            f"student {counts.solved:3d} of {counts.tried:4d}  teacher's pay: {paid or '-'}"
        )
        self.last = now

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:
        """Stop, and save, when the time is up."""
        if time.monotonic() > self.until and state.global_step < state.max_steps:
            control.should_training_stop = control.should_save = self.out_of_time = True


def trainer_config(options: argparse.Namespace, known: Preset) -> GRPOConfig:
    """TRL's settings."""
    return GRPOConfig(
        output_dir=str(options.run / "checkpoints"),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        num_generations=known.group,
        max_completion_length=known.max_tokens,
        learning_rate=options.learning_rate,
        lr_scheduler_type="constant",
        beta=0.0,
        scale_rewards="none",
        save_steps=5,
        save_total_limit=2,
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        report_to=[],
        disable_tqdm=True,
        seed=options.seed,
    )


def train(options: argparse.Namespace, known: Preset, session: Session, start: tuple[Any, Any]) -> int:
    """Train, or go on with training, and save the model; returns the steps that were done."""
    model, tokenizer = start
    gasp, args = Gasp(session), trainer_config(options, known)
    watch = Watch(session, options.minutes)
    trainer = GaspGRPOTrainer(
        model=model,
        processing_class=tokenizer,
        args=args,
        train_dataset=gasp.dataset(rows=options.steps * options.batch),
        rollout_func=gasp.rollout,
        reward_funcs=gasp.reward,
        callbacks=[gasp.callback(), watch],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    newest = gasp.last_checkpoint(args.output_dir)
    say(f"going on from {Path(newest).name}" if newest else "training from the start policy")
    trainer.train(resume_from_checkpoint=newest)
    steps = int(trainer.state.global_step)
    if watch.out_of_time:
        say(f"{options.minutes:g} minutes are over: {steps} steps of {options.steps}")
    trainer.save_model(str(options.run / "model"))
    write_atomic(options.run / TRAINED, f"{steps}\n".encode())
    return steps


def compare(options: argparse.Namespace, known: Preset, session: Session, steps: int) -> None:
    """Measure start and end policy on the same questions with the same seeds."""
    until = time.monotonic() + 60 * options.measure_minutes
    session.arena.sampling = Sampling(max_tokens=known.max_tokens)
    policies = TransformersPolicy(*load(options.model)), TransformersPolicy(*load_folder(options.run / "model"))
    say("setting lemmas of the start policy apart")
    goalposts = load_goalposts(known.goalposts)[: known.measured]
    tasks = tasks_of(session, goalposts, held_out(session, policies[0], options.held_out))
    columns = (TextColumn("measuring start and trained policy"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=2 * options.attempts * sum(map(len, tasks.values())))
        tell = lambda ended: bar.update(task, completed=ended)  # noqa: E731
        rates = measure(session, tasks, policies, attempts=options.attempts, until=until, tell=tell)
    for policy in policies:
        session.loop.run(policy.close())
    save(options.run, changes(*rates), model=options.model, steps=steps, seed=options.seed)


def show(run: Path) -> None:
    """What came of a finished run."""
    print_summary(run, console)
    console.print(table(saved(run)), NOTE)
    say(f"report: {write_report(run)}")


def main() -> None:
    """Start, go on with, or show a run."""
    options, known = parse()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    logging.getLogger("trl").setLevel(logging.ERROR)  # it warns of every masked sample; the funnel counts them
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if RunFolder.holds_run(options.run) and not options.new:
        if saved(options.run):
            show(options.run)
            say(f"{options.run} is finished; --new (make demo ARGS=--new) starts another run")
            return
        say(f"{options.run} was interrupted; going on with it (--new starts another run)")
    chosen = {"profile": options.profile, "seed": str(options.seed)} | overrides(options.set)
    config = load_config(None, known.settings | chosen)
    began, start = time.monotonic(), load(options.model)
    facts = {name: getattr(options, name) for name in ("steps", "batch", "learning_rate")}
    with Session.open(
        options.run,
        config=config,
        goalposts=load_goalposts(known.goalposts),
        name=options.model,
        trainer=facts | {"group": known.group, "weights": weights_hash(start[0])},
        new=options.new,
    ) as session:
        report = session.arena.sandbox.report
        say(
            f"run {options.run}, {options.model}, profile {options.profile}, sandbox {report.level} ({report.slots} slots)"
        )
        trained = options.run / TRAINED
        steps = int(trained.read_text()) if trained.exists() else train(options, known, session, start)
        compare(options, known, session, steps)
    show(options.run)
    say(f"{(time.monotonic() - began) / 60:.1f} minutes; the trained model is in {options.run / 'model'}")


if __name__ == "__main__":
    try:
        main()
    except GaspError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the newest checkpoint")
