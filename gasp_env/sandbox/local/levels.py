"""Which isolation this machine really gives: tried, strongest first, never guessed from versions, never silently lowered."""

import os
import platform
import site
import sys
import sysconfig
from pathlib import Path

from gasp_env.config import LEVELS
from gasp_env.errors import ConfigError, SandboxUnavailable
from gasp_env.sandbox.guest.namespaces import NOBODY
from gasp_env.sandbox.local.pool import LocalSandbox
from gasp_env.sandbox.local.processes import new_mark
from gasp_env.sandbox.local.slots import default_slots
from gasp_env.sandbox.local.zygote import Settings, StartError, Zygote
from gasp_env.sandbox.protocol import SandboxReport
from gasp_env.types import Job, Limits, Verdict

__all__ = ("open_local",)

_COMMON = [
    "abc",
    "ast",
    "bisect",
    "builtins",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "io",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "os",
    "queue",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "sys",
    "textwrap",
    "threading",
    "time",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "warnings",
    "weakref",
    "array",
    "calendar",
    "zlib",
]
"""Imported before the fork: a child finds them for free."""
_STRICT = [
    "hashlib",
    "asyncio",
    "argparse",
    "base64",
    "binascii",
    "collections",
    "concurrent.futures",
    "concurrent.futures.thread",
    "csv",
    "difflib",
    "graphlib",
    "gc",
    "html",
    "inspect",
    "ipaddress",
    "locale",
    "logging",
    "pickle",
    "platform",
    "pprint",
    "secrets",
    "selectors",
    "sqlite3",
    "tempfile",
    "unittest",
    "urllib.parse",
    "uuid",
    "xml.etree.ElementTree",
]
"""Level L1 opens no file, so what is not imported before can't be imported."""
_FIXES = {
    "L3": "allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; "
    "in a container a seccomp profile that allows unshare and mount)",
    "L2": "use a kernel with Landlock (5.13 or later, in the lsm= list) and a container seccomp profile that allows "
    "landlock_* calls",
    "L1": "allow seccomp filters (CONFIG_SECCOMP_FILTER) on a machine with x86_64 or aarch64",
}
_OTHER_SYSTEMS = {
    "win32": "the local sandbox needs Linux: Windows has neither seccomp nor Landlock; run gasp-env inside WSL 2 or a Linux "
    "container, or use a remote sandbox",
    "darwin": "the local sandbox needs Linux: macOS has neither seccomp nor Landlock, and Seatbelt profiles alone are not "
    "enough for hostile code; run gasp-env inside a Linux container or virtual machine, or use a remote sandbox",
}
_PROBE = """
import os, socket
def attempt(action, *args):
    try:
        action(*args)
    except OSError:
        return False
    return True
def f(path):
    return attempt(os.stat, path), attempt(os.listdir, "/"), attempt(open, path), attempt(socket.socket)
"""
_HERE = str(next(path for path in (Path(__file__).resolve(), *Path(__file__).resolve().parents) if path.exists()))
"""This file, or the archive that it is in: something that exists and that no program may read."""
_SET_IDS = 1 << 6 | 1 << 7
"""CAP_SETGID, CAP_SETUID."""
_HELD = {"L3": "(F,F,F,F)", "L2": "(T,F,F,F)", "L1": "(F,F,F,F)", "L0": "(T,T,T,T)"}


async def open_local(
    *,
    require: str = "L2",
    allow_unsafe: bool = False,
    slots: int | None = None,
    site_packages: bool = False,
    level: str | None = None,
) -> LocalSandbox:
    """Open the sandbox of this machine at the best level that works here.

    Args:
        require: least level to accept: L3, L2, L1 or L0 (`SandboxReport.level`).
        allow_unsafe: accept any level, even none but resource limits.
        slots: children at a time; None: what cores, quota and memory allow (`default_slots`).
        site_packages: let programs import this environment's packages, such as numpy, read-only.
        level: try this one and no other.

    Raises:
        SandboxUnavailable: the required level can't be had; says why and what to do.
        ConfigError: an unknown level.
    """
    for name, value in (("require", require), ("level", level or require)):
        if value not in LEVELS:
            raise ConfigError(f"{name}: is {value!r}, must be one of {', '.join(LEVELS)}")
    if not sys.platform.startswith("linux"):
        raise SandboxUnavailable(_OTHER_SYSTEMS.get(sys.platform, f"the local sandbox needs Linux, not {sys.platform}"))
    enough = LEVELS[: LEVELS.index("L0" if allow_unsafe else require) + 1]
    reasons: list[str] = []
    for candidate in enough if level is None else (level,) if level in enough else ():
        opened = await _try(candidate, slots or default_slots(), reasons, site_packages=site_packages)
        if opened is not None:
            return opened
    told = "; ".join(reasons) or f"only {level} was asked for"
    raise SandboxUnavailable(
        f"sandbox level {require} can't be had here: {told}; to accept less, set require_level, or allow_unsafe for none"
    )


async def _try(level: str, slots: int, reasons: list[str], *, site_packages: bool) -> LocalSandbox | None:
    settings = _settings(level, site_packages=site_packages)
    try:
        zygote = await Zygote.start(settings, seed=0)
    except StartError as error:
        reasons.append(f"not {level}: {error}; to have it, {_FIXES.get(level, 'see the message')}")
        return None
    sandbox = LocalSandbox(settings, _report(level, slots, settings, tuple(reasons)), [(0, zygote)])
    told = await _probe(sandbox)
    if told is None:
        return sandbox
    await sandbox.close()
    reasons.append(f"not {level}: {told}")
    return None


async def _probe(sandbox: LocalSandbox) -> str | None:
    """Run a small attack; what is wrong, None if the level holds what it says."""
    job = Job(program=_PROBE, inputs=(repr(_HERE),), limits=Limits(cpu_s=5.0, job_cpu_s=5.0))
    (outcome,) = await sandbox.run([job])
    test = outcome.tests[0]
    if test.verdict is not Verdict.OK:
        return f"a probe ended as {test.verdict} ({test.error}: {test.message})"
    want = _HELD[sandbox.report.level]
    gap = any(got == "T" and held == "F" for got, held in zip(test.value or "", want, strict=False))
    return f"a probe found a gap: {test.value}, expected at most {want}" if gap else None


def _settings(level: str, *, site_packages: bool) -> Settings:
    nobody = os.geteuid() == 0 and _may_be(NOBODY) and _open_to_all(sysconfig.get_path("stdlib"))
    user = NOBODY if nobody else None
    return Settings(
        namespaces=level == "L3",
        landlock=level in ("L3", "L2"),
        seccomp=level != "L0",
        user=user,
        site_packages=_site_packages() if site_packages else (),
        preload=tuple(_COMMON + (_STRICT if level == "L1" else []) + (["numpy"] if site_packages else [])),
        mark=new_mark(),
    )


def _site_packages() -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(Path(path).resolve()) for path in site.getsitepackages()))


def _may_be(user: int) -> bool:
    """True if root may become that user: a container may know root alone, or have taken its capabilities."""
    try:
        maps = [Path(f"/proc/self/{kind}_map").read_text("ascii") for kind in ("uid", "gid")]
        groups = Path("/proc/self/setgroups").read_text("ascii").strip() == "allow"
        status = Path("/proc/self/status").read_text("utf-8", "replace")
    except OSError:
        return True
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    return groups and held & _SET_IDS == _SET_IDS and all(_maps(user, text) for text in maps)


def _maps(user: int, text: str) -> bool:
    ranges = (tuple(map(int, line.split())) for line in text.splitlines())
    return any(first <= user < first + count for first, _, count in ranges)


def _open_to_all(path: str) -> bool:
    """True if every user may read below ``path``: then children of root can run as nobody."""
    place = Path(path).resolve()
    return all(part.stat().st_mode & 0o5 == 0o5 for part in (place, *place.parents))


def _report(level: str, slots: int, settings: Settings, reasons: tuple[str, ...]) -> SandboxReport:
    root = os.geteuid() == 0 and settings.user is None and not settings.namespaces
    note = "children run as root without capabilities: no other user is there, or it can't read this Python's library"
    return SandboxReport(
        backend="local",
        level=level,
        layers={
            "namespaces": settings.namespaces,
            "landlock": settings.landlock,
            "seccomp": settings.seccomp,
            "no_new_privs": True,
            "rlimits": True,
            "own_user": settings.namespaces or settings.user is not None,
        },
        reasons=(*reasons, note) if root else reasons,
        slots=slots,
        python=platform.python_version(),
    )
