"""``gasp-env doctor`` and ``gasp-env check``: what this machine can do, and whether the sandbox holds."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape

from gasp_env.play.run import hardware, versions
from gasp_env.sandbox import SandboxReport, check_backend, open_local, open_sandbox
from gasp_env.sandbox.corpus import ATTACKS, Finding, run_corpus
from gasp_env.sandbox.local import default_slots, free_memory, slot_bounds
from gasp_env.types import Limits

__all__ = ("check_command", "doctor_command")

MEANING = {
    "L3": "namespaces, Landlock and seccomp",
    "L2": "Landlock and seccomp",
    "L1": "seccomp without file access",
    "L0": "resource limits only: no isolation",
}
EXTRAS = {
    "trl": "trl",
    "transformers": "transformers",
    "embed": "sentence_transformers",
    "postgres": "psycopg",
    "e2b": "e2b_code_interpreter",
    "prime": "prime_sandboxes",
}


def doctor_command() -> None:
    """Print versions, extras, hardware and the sandbox's level."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]versions[/]  " + ", ".join(f"{name} {version}" for name, version in versions().items()))
    console.print("[bold]hardware[/]  " + ", ".join(f"{name} {value}" for name, value in hardware().items()))
    for extra, package in EXTRAS.items():
        have = find_spec(package) is not None
        console.print(f"[bold]extra[/]     {extra}: " + ("there" if have else f"no: pip install 'gasp-env\\[{extra}]'"))
    _print_sandbox(console, asyncio.run(_probe()))


def _print_sandbox(console: Console, report: SandboxReport) -> None:
    """Level, layers, why it is not higher and how to get there; slots and memory."""
    console.print(f"[bold]sandbox[/]   {report.backend}: level {report.level} ({MEANING[report.level]})")
    console.print("          " + ", ".join(f"{name} {'on' if on else 'off'}" for name, on in report.layers.items()))
    for reason in report.reasons:
        console.print(f"          - {escape(reason)}")
    bounds = ", ".join(f"{name} {bound}" for name, bound in slot_bounds().items())
    console.print(f"[bold]slots[/]     {default_slots()} children at a time ({bounds}); Python {report.python}")
    free = free_memory()
    console.print(
        f"[bold]memory[/]    {'unknown' if free is None else f'{free / 2**30:.1f} GiB'} free; a child may use "
        f"{Limits().memory_mb} MiB, a waiting fork server takes about 15"
    )
    if report.level in ("L1", "L0"):
        console.print("          [yellow]below L2: `play` and the trainers refuse this level unless told otherwise[/]")


def check_command(backend: str, level: str | None = None) -> int:
    """Run the attack corpus and print it as a table; 0 if every attack was held.

    Raises:
        ConfigError: unknown backend or level.
        SandboxUnavailable: the level can't be had there.
        MissingExtra: the backend's package is not installed.
    """
    check_backend(backend)
    console = Console(highlight=False)
    findings = asyncio.run(_attack(backend, level, lambda finding: console.print(_line(finding), soft_wrap=True)))
    through = [finding for finding in findings if finding.problems]
    console.print(f"{len(findings) - len(through)} of {len(findings)} attacks held, {len(through)} got through")
    return 1 if through else 0


def _line(finding: Finding) -> str:
    """Attack, verdict, effect on the host."""
    held = f"[red]{escape('; '.join(finding.problems))}[/]" if finding.problems else "[green]held[/]"
    ended = f"{'/'.join(finding.verdicts)} {escape(finding.detail)}"
    return f"{finding.attack.id:5} {escape(finding.attack.title):50} {ended:45} {held}"


async def _attack(backend: str, level: str | None, progress: Callable[[Finding], None]) -> list[Finding]:
    sandbox = await open_sandbox(backend, require="L1", level=level, slots=1)
    try:
        return await run_corpus(sandbox, ATTACKS, progress=progress)
    finally:
        await sandbox.close()


async def _probe() -> SandboxReport:
    sandbox = await open_local(require="L0", allow_unsafe=True, slots=1)
    try:
        return sandbox.report
    finally:
        await sandbox.close()
