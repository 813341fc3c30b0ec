"""Starts a zygote process: our own interpreter, an empty environment, the far side's source in a memory file."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

from gasp_env.sandbox.bundle import source

__all__ = ("Settings", "StartError", "end", "last_words", "spawn")

_RUN = "import os,sys;code=int(sys.argv[1]);text=os.pread(code,1<<24,0);os.close(code);exec(text.decode())"
_ZONES = ("UTC0", "GAP-13:37")
"""TZ of the two kinds; the second is another day for half of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a zygote is started with."""

    namespaces: bool
    landlock: bool
    seccomp: bool
    user: int | None = None
    """User id of children; None keeps the zygote's."""
    site_packages: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    mark: str = ""
    """Names the pool in process lists."""


class StartError(Exception):
    """A zygote could not be started; the message says which step was refused."""


def spawn(settings: Settings, seed: int, control: socket.socket, log: int) -> "subprocess.Popen[bytes]":
    """Start one.

    Args:
        settings: layers and paths.
        seed: PYTHONHASHSEED, and which time zone.
        control: its end of the control socket.
        log: takes its standard error.

    Raises:
        OSError: the system refuses.
    """
    config = {name: getattr(settings, name) for name in Settings.__slots__}
    code = os.memfd_create("code", os.MFD_CLOEXEC)
    try:
        os.write(code, source().encode())
        arguments = [str(code), json.dumps(config), str(control.fileno())]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-P", "-s", "-S", "-B", "-c", _RUN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(code, control.fileno()),
            env=_environment(seed),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(code)


def _environment(seed: int) -> dict[str, str]:
    """Nothing of ours but where the shared libraries are."""
    fixed = {"PYTHONHASHSEED": str(seed), "TZ": _ZONES[seed % 2], "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
    found = os.environ.get("LD_LIBRARY_PATH")
    return fixed | threads | ({"LD_LIBRARY_PATH": found} if found else {})


def last_words(log: int) -> str:
    """The last line of a log."""
    text = os.pread(log, 1 << 16, 0).decode("utf-8", "replace").strip()
    return text.splitlines()[-1] if text else "the process ended at once"


def end(process: "subprocess.Popen[bytes] | None", control: socket.socket) -> None:
    """Kill it and wait."""
    control.close()
    if process is not None:
        process.kill()
        process.wait()
