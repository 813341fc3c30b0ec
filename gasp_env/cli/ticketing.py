"""``gasp-env tickets``: make a run for a trainer, and the dataset that its command line names."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from gasp_env.config import Config, load_config
from gasp_env.curriculum import deal
from gasp_env.errors import ConfigError
from gasp_env.game import episode
from gasp_env.game.moves import Generate
from gasp_env.play import RunFolder, make_manifest, ticket_text
from gasp_env.play.lines import write_atomic
from gasp_env.store import open_curriculum
from gasp_env.tasks import goalposts_hash, load_goalposts
from gasp_env.types import Goalpost, RealTask, Stage, Ticket

__all__ = ("FORMATS", "tickets_command")

Row = dict[str, object]


def _tickets(config: Config, row: Callable[[Ticket], Row]) -> Iterator[Row]:
    return (row(deal(config, index)) for index in count())


def _problems(config: Config, goalposts: Sequence[Goalpost]) -> Iterator[Row]:
    """Real problems as the chats that a trainer samples from by itself, over and over."""
    for index in count():
        goalpost = goalposts[index % len(goalposts)]
        ticket = Ticket(stage=Stage.REAL, draw_seed=index, goalpost_id=goalpost.id)
        request = next(episode(ticket, RealTask(problem=goalpost), config.rules))
        assert isinstance(request, Generate)  # noqa: S101 - a student's episode begins with its prompt
        chat = [{"role": one.role, "content": one.content} for one in request.messages]
        yield {"prompt": chat, "label": ticket_text(ticket)}


def _skyrl(ticket: Ticket) -> Row:
    return {"prompt": _placeholder(ticket), "env_class": "gasp", "extra_info": {"ticket": ticket_text(ticket)}}


def _verl(ticket: Ticket) -> Row:
    return {
        "data_source": "gasp",
        "prompt": _placeholder(ticket),
        "agent_name": "gasp",
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": {"ticket": ticket_text(ticket)},
    }


def _placeholder(ticket: Ticket) -> list[dict[str, str]]:
    """Stands where a trainer wants a chat; what is really asked is drawn when the ticket is played."""
    return [{"role": "user", "content": ticket.stage.value}]


FORMATS: dict[str, Callable[[Config, Sequence[Goalpost]], Iterator[Row]]] = {
    "prompt": lambda config, _: _tickets(config, lambda one: {"prompt": ticket_text(one)}),
    "openrlhf": lambda config, _: _tickets(config, lambda one: {"prompt": one.stage.value, "label": ticket_text(one)}),
    "openrlhf-reward": _problems,
    "skyrl": lambda config, _: _tickets(config, _skyrl),
    "verl": lambda config, _: _tickets(config, _verl),
}
"""Rows by trainer. ``prompt`` suits those that hand the prompt to our code (TRL); ``openrlhf-reward`` holds whole
problems, for plain RLVR with our reward function."""


def tickets_command(  # noqa: PLR0913 - one argument an option
    *,
    run: Path,
    goalposts: Path,
    out: Path,
    rows: int,
    form: str,
    overrides: dict[str, str],
    config: Path | None,
    store: str,
    embedder: str,
    new: bool,
) -> str:
    """Make the run folder and write the rows; returns what was done, in words.

    Raises:
        ConfigError: unknown format, the folder holds another run, or a setting is wrong.
        DataError: the goalpost file can't be read.
    """
    if form not in FORMATS:
        raise ConfigError(f"--format: unknown {form!r}; choose one of {', '.join(FORMATS)}")
    if rows < 1:
        raise ConfigError(f"--rows: got {rows}; expected at least 1")
    settings = load_config(config, overrides)
    chosen = load_goalposts(goalposts)
    where = (str(goalposts), goalposts_hash(chosen), len(chosen))
    manifest = make_manifest(settings, policy="a trainer's", wave=0, goalposts=where, embedder=embedder, store=store)
    resumes = RunFolder.holds_run(run) and not new
    folder = (
        RunFolder.resume(run, manifest) if resumes else RunFolder.create(run, manifest, goalposts=chosen, aside=new)
    )
    with open_curriculum(folder.store_url, settings) as curriculum:
        curriculum.add_goalposts(chosen)
    made = islice(FORMATS[form](settings, chosen), rows)
    write_atomic(out, "".join(json.dumps(row) + "\n" for row in made).encode())
    return f"{rows} rows in {out}; run the trainer with GASP_RUN={folder.path.resolve()}"
