"""Opens a backend by name: ``local``, ``e2b``, ``docker`` or ``podman``, the last two with an image (``podman:python:3.13``)."""

from dataclasses import replace

from gasp_env.errors import ConfigError
from gasp_env.sandbox.local import open_local
from gasp_env.sandbox.protocol import Sandbox

__all__ = ("BACKENDS", "check_backend", "open_sandbox")

BACKENDS = ("local", "e2b", "docker", "podman")


def check_backend(name: str) -> str:
    """The backend of a name such as ``docker:python:3.13``.

    Raises:
        ConfigError: unknown.
    """
    backend, _, image = name.partition(":")
    if backend not in BACKENDS or (image and backend in ("local", "e2b")):
        raise ConfigError(f"sandbox: unknown {name!r}; choose {', '.join(BACKENDS)}, or docker:IMAGE")
    return backend


async def open_sandbox(
    name: str = "local",
    *,
    require: str = "L2",
    allow_unsafe: bool = False,
    level: str | None = None,
    slots: int | None = None,
) -> Sandbox:
    """Open a backend.

    Args:
        name: of `BACKENDS`.
        require: least level between jobs; at E2B and in containers the machine around them is a further wall.
        allow_unsafe: take a lower level of the local backend too.
        level: exactly this one.
        slots: programs at a time, on one machine or in one container; None leaves it to the backend.

    Raises:
        ConfigError: unknown name.
        SandboxUnavailable: the backend or the level can't be had here.
        MissingExtra: the backend's package is not installed.
    """
    backend = check_backend(name)
    if backend == "local":
        return await open_local(require=require, allow_unsafe=allow_unsafe, level=level, slots=slots)
    if backend == "e2b":
        from gasp_env.sandbox.e2b import E2BSettings, open_e2b

        settings = E2BSettings(level=level or require)
        return await open_e2b(replace(settings, machines=1) if slots else settings)
    from gasp_env.sandbox.container import ContainerSettings, open_container

    image = name.partition(":")[2] or ContainerSettings().image
    wanted = ContainerSettings(engine=backend, image=image, level=level or require)
    return await open_container(replace(wanted, containers=1, slots=slots) if slots else wanted)
