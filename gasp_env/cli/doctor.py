"""``gasp-env doctor`` and ``gasp-env check``: what this machine can do, and whether the sandbox holds."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.markup import escape

from gasp_env.errors import ConfigError
from gasp_env.play.run import hardware, versions
from gasp_env.sandbox import Sandbox, SandboxReport, open_local

__all__ = ("check_command", "doctor_command")

EXTRAS = {"trl": "trl", "transformers": "transformers", "embed": "sentence_transformers", "postgres": "psycopg"}


def doctor_command() -> None:
    """Print versions, extras, hardware and the sandbox's level."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]versions[/]  " + ", ".join(f"{name} {version}" for name, version in versions().items()))
    console.print("[bold]hardware[/]  " + ", ".join(f"{name} {value}" for name, value in hardware().items()))
    for extra, package in EXTRAS.items():
        have = find_spec(package) is not None
        console.print(f"[bold]extra[/]     {extra}: " + ("there" if have else f"no: pip install 'gasp-env\\[{extra}]'"))
    report = asyncio.run(_probe())
    console.print(
        f"[bold]sandbox[/]   {report.backend}: level {report.level}, {report.slots} slots, Python {report.python}"
    )
    console.print("          " + ", ".join(f"{name} {'on' if on else 'off'}" for name, on in report.layers.items()))
    for reason in report.reasons:
        console.print(f"          - {escape(reason)}")


def check_command(backend: str) -> int:
    """Run the attack corpus; 0 if every attack was held.

    Raises:
        ConfigError: unknown backend, or no corpus in this installation.
    """
    if backend != "local":
        raise ConfigError(f"sandbox: unknown {backend!r}; choose local")
    if find_spec("gasp_env.sandbox.corpus") is None:
        raise ConfigError(
            "check: this installation has no attack corpus; the sandbox's tests run from a source checkout"
        )
    corpus: Any = import_module("gasp_env.sandbox.corpus")
    found: dict[str, str] = asyncio.run(_attack(corpus.run_corpus))
    console = Console(highlight=False, soft_wrap=True)
    for name, problem in found.items():
        console.print(
            f"[red]FAILED[/] {escape(name)}: {escape(problem)}" if problem else f"[green]held[/]   {escape(name)}"
        )
    return 1 if any(found.values()) else 0


async def _attack(run_corpus: Callable[[Sandbox], Awaitable[dict[str, str]]]) -> dict[str, str]:
    """Name of every attack -> what went wrong, empty where it was held."""
    sandbox = await open_local()
    try:
        return await run_corpus(sandbox)
    finally:
        await sandbox.close()


async def _probe() -> SandboxReport:
    sandbox = await open_local(require="L0", allow_unsafe=True, slots=1)
    try:
        return sandbox.report
    finally:
        await sandbox.close()
