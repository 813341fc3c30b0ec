"""The ``gasp-env`` command: thin functions whose docstrings are the help.

The law of this module: importing it loads no backend, no torch and no store, so that ``--help`` is quick; each command
loads what it needs. An error that gasp-env raises on purpose is one line on stderr and exit code 2.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from gasp_env import __version__
from gasp_env.cli.data_commands import evaluate, mine
from gasp_env.cli.options import PlayOptions
from gasp_env.errors import GaspError

__all__ = (
    "app",
    "check",
    "compare",
    "doctor",
    "main",
    "path",
    "play",
    "prompts",
    "recipe",
    "report",
    "rewind",
    "settings",
    "tickets",
)

app = App(
    name="gasp-env",
    version=__version__,
    help="GASP (Guided Asymmetric Self-Play) as training environments for coding LLMs.",
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=()),
    help_epilogue="Example: `gasp-env play --goalposts hard.jsonl --policy openai:http://localhost:8000/v1 --run runs/first`",
)


@app.command
def play(options: PlayOptions) -> None:
    """Grow a curriculum from goalposts by trainer-free self-play against any policy.

    Against a model server, 200 episodes:

    ```
    gasp-env play --goalposts hard.jsonl --policy openai:http://localhost:8000/v1 --run runs/first --episodes 200
    ```

    Go on after a stop, a crash or a kill:

    ```
    gasp-env play --policy openai:http://localhost:8000/v1 --run runs/first --episodes 400 --resume
    ```

    Play a recorded run again, bit for bit:

    ```
    gasp-env play --goalposts hard.jsonl --policy replay:runs/first/policy.jsonl --run runs/again --episodes 200
    ```
    """
    from gasp_env.cli.playing import play_command

    play_command(options)


@app.command
def tickets(  # noqa: PLR0913 - one argument an option
    *,
    run: Path,
    goalposts: Path,
    out: Path,
    rows: int = 10_000,
    format: str = "prompt",  # noqa: A002 - the option's name
    profile: str | None = None,
    config: Path | None = None,
    set: tuple[str, ...] = (),  # noqa: A002
    store: str = "",
    embedder: str = "hashing",
    new: bool = False,
) -> None:
    """Make a run for a trainer, and the dataset of tickets that the trainer reads.

    ```
    gasp-env tickets --run runs/first --goalposts hard.jsonl --format openrlhf --out tickets.jsonl
    export GASP_RUN=runs/first
    ```

    Args:
        run: Run folder to make; one with the same settings is joined.
        goalposts: JSON lines file of hard problems.
        out: File to write, a JSON object a line.
        rows: Tickets; each is played by one group of samples.
        format: prompt (TRL), openrlhf, openrlhf-reward (real problems in full, for plain RLVR), skyrl or verl.
        profile: Named settings: gasp (the paper), azr, rlvr, gasp+rlvr.
        config: TOML file of settings, read over its profile.
        set: One setting as key=value; may be given again and wins over the file.
        store: Address of the curriculum, such as postgresql://...; default: SQLite in the run folder.
        embedder: Similarity check: hashing or sentence-transformers:NAME.
        new: Set a run that is already there aside (NAME.old-1).
    """
    from gasp_env.cli.ticketing import tickets_command
    from gasp_env.config import overrides

    chosen = overrides(set) | ({} if profile is None else {"profile": profile})
    print(
        tickets_command(
            run=run,
            goalposts=goalposts,
            out=out,
            rows=rows,
            form=format,
            overrides=chosen,
            config=config,
            store=store,
            embedder=embedder,
            new=new,
        )
    )


@app.command
def settings(profile: str = "gasp") -> None:
    """Print every setting of a profile with its meaning, as TOML: save it, change it, name it with ``--config``.

    ```
    gasp-env settings azr
    ```

    Args:
        profile: gasp (the paper), azr, rlvr, gasp+rlvr.
    """
    from gasp_env.cli.settings import settings_toml

    print(settings_toml(profile), end="")


@app.command
def path(name: str) -> None:
    """Print where the installed file is that a trainer's option wants.

    ```
    gasp-env path openrlhf
    ```

    Args:
        name: openrlhf (agent_func_path) or openrlhf-reward (reward.remote_url).
    """
    from gasp_env.cli.recipes import entry_file

    print(entry_file(name))


@app.command
def rewind(run: Path, *, to: str) -> None:
    """Take a run's curriculum back to the time of a trainer's checkpoint, before training goes on from it.

    ```
    gasp-env rewind runs/first --to ckpt/global_step_100
    ```

    TRL's callback does this by itself. What is rolled back stays in the event log, marked; transcripts are kept.

    Args:
        run: A run folder that nobody plays in.
        to: The checkpoint (the newest change of the file, or of any file in the folder, counts), or a time such as 2026-01-31T12:00:00Z.
    """
    from gasp_env.cli.rewinding import rewind_command

    print(rewind_command(run, to))


@app.command
def report(run: Path) -> None:
    """Print a run's summary and write its HTML report (one file, no outside assets).

    ```
    gasp-env report runs/first
    ```

    Args:
        run: A run folder.
    """
    from gasp_env.report import print_summary, write_report

    print_summary(run)
    print(f"report: {write_report(run)}")


@app.command
def compare(first: Path, second: Path) -> int:
    """Say whether two runs are the same, bit for bit (times aside), or where they first differ.

    ```
    gasp-env compare runs/first runs/again
    ```

    Args:
        first: A run folder.
        second: Another.
    """
    from gasp_env.play import compare_runs

    found = compare_runs(first, second)
    print("\n".join(found) if found else "the runs are the same: episodes, questions, rewards, events and curriculum")
    return 1 if found else 0


@app.command
def prompts(name: str | None = None, *, style: str = "instruct") -> None:
    """List the prompt templates, or show one.

    ```
    gasp-env prompts
    ```

    ```
    gasp-env prompts lift_f --style compact
    ```

    Args:
        name: Template to show; without it, all names are listed.
        style: instruct (language models) or compact (the micro policy).
    """
    from gasp_env.game.prompts import STYLES, TEMPLATES, prompts_hash, template

    if name is not None:
        print(template(style, name))
        return
    print(f"hash {prompts_hash()}; styles: {', '.join(STYLES)}; show one with `gasp-env prompts NAME --style STYLE`")
    print("\n".join(f"  {one}" for one in TEMPLATES))


@app.command
def recipe(name: str | None = None, *, to: Path | None = None) -> None:
    """Copy a trainer's ready files (config, launcher, entry file) out of the package, or list them.

    ```
    gasp-env recipe
    ```

    ```
    gasp-env recipe trl --to my-training
    ```

    Args:
        name: The trainer; without it, all names are listed.
        to: Folder to copy into; made if need be, never overwritten. Default: the recipe's name.
    """
    from gasp_env.cli.recipes import copy_recipe, recipe_names

    if name is None:
        print("\n".join(recipe_names()) or "no recipe is packed here")
        return
    for path in copy_recipe(name, to or Path(name)):
        print(path)


@app.command
def doctor() -> None:
    """Show versions, hardware, and what isolation the sandbox reaches here, with what keeps it from more.

    ```
    gasp-env doctor
    ```
    """
    from gasp_env.cli.doctor import doctor_command

    doctor_command()


@app.command
def check(*, sandbox: str = "local", level: str | None = None) -> int:
    """Run the attack corpus against a sandbox backend: attack, verdict, effect on the host. Exit code 1 if any gets through.

    ```
    gasp-env check --sandbox local
    ```

    Args:
        sandbox: Backend to check: local, e2b, prime, docker, podman or fusion (also ``podman:IMAGE``, ``fusion:URL``).
        level: Isolation to check: L3, L2 or L1; default: the best that this machine gives.
    """
    from gasp_env.cli.doctor import check_command

    return check_command(sandbox, level)


app.command(evaluate, name="eval")
app.command(mine)


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of the console command; exits with 0, 1 (a check failed), 2 (an error) or 130 (interrupted)."""
    logging.basicConfig(level=logging.WARNING, format="gasp-env: %(message)s")
    sys.exit(_run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    try:
        found = app(list(argv), exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return 2  # cyclopts has printed what was wrong
    except GaspError as error:
        print(f"gasp-env: error: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gasp-env: stopped; everything settled so far is saved, go on with --resume", file=sys.stderr)
        return 130
    return found if isinstance(found, int) else 0


def _one_line(text: str) -> str:
    """An error as one line; it may quote a file, so control codes are taken out."""
    return "".join(char if char.isprintable() else " " for char in text)
