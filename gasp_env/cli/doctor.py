"""``gasp-env doctor`` and ``gasp-env check``: what this machine can do, and whether the sandbox holds."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape

from gasp_env.errors import ConfigError
from gasp_env.play.run import hardware, versions
from gasp_env.sandbox import SandboxReport, open_local
from gasp_env.sandbox.corpus import ATTACKS, Finding, run_corpus

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


def check_command(backend: str, level: str | None = None) -> int:
    """Run the attack corpus and print it as a table; 0 if every attack was held.

    Raises:
        ConfigError: unknown backend or level.
        SandboxUnavailable: the level can't be had here.
    """
    if backend != "local":
        raise ConfigError(f"sandbox: unknown {backend!r}; choose local")
    console = Console(highlight=False)
    findings = asyncio.run(_attack(level, lambda finding: console.print(_line(finding), soft_wrap=True)))
    through = [finding for finding in findings if finding.problems]
    console.print(f"{len(findings) - len(through)} of {len(findings)} attacks held, {len(through)} got through")
    return 1 if through else 0


def _line(finding: Finding) -> str:
    """Attack, verdict, effect on the host."""
    held = f"[red]{escape('; '.join(finding.problems))}[/]" if finding.problems else "[green]held[/]"
    ended = f"{'/'.join(finding.verdicts)} {escape(finding.detail)}"
    return f"{finding.attack.id:5} {escape(finding.attack.title):50} {ended:45} {held}"


async def _attack(level: str | None, progress: Callable[[Finding], None]) -> list[Finding]:
    async with await open_local(require="L1", level=level, slots=1) as sandbox:
        return await run_corpus(sandbox, ATTACKS, progress=progress)


async def _probe() -> SandboxReport:
    sandbox = await open_local(require="L0", allow_unsafe=True, slots=1)
    try:
        return sandbox.report
    finally:
        await sandbox.close()
