"""Opens a backend by name: ``local``, ``ray`` (one local sandbox a node), ``e2b``, ``prime``, ``docker``, ``podman`` or ``fusion``.

The last three may say which image or service: ``podman:python:3.13``, ``fusion:http://localhost:8080``.
"""

from dataclasses import replace

from gasp_env.errors import ConfigError
from gasp_env.sandbox.local import open_local
from gasp_env.sandbox.protocol import Sandbox

__all__ = ("BACKENDS", "check_backend", "open_sandbox")

BACKENDS = ("local", "ray", "e2b", "prime", "docker", "podman", "fusion")
_DETAILED = ("docker", "podman", "fusion")


def check_backend(name: str) -> str:
    """The backend of a name such as ``docker:python:3.13``.

    Raises:
        ConfigError: unknown.
    """
    backend, _, detail = name.partition(":")
    if backend not in BACKENDS or (detail and backend not in _DETAILED):
        raise ConfigError(f"sandbox: unknown {name!r}; choose {', '.join(BACKENDS)}, docker:IMAGE or fusion:URL")
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
        require: least level between jobs; on rented machines and in containers what is around them is a further wall.
        allow_unsafe: take a lower level of the local backend too.
        level: exactly this one.
        slots: programs at a time, in all; None leaves it to the backend.

    Raises:
        ConfigError: unknown name.
        SandboxUnavailable: the backend or the level can't be had here.
        MissingExtra: the backend's package is not installed.
    """
    backend = check_backend(name)
    if backend == "local":
        return await open_local(require=require, allow_unsafe=allow_unsafe, level=level, slots=slots)
    if backend == "ray":
        from gasp_env.sandbox.ray_node import open_node_sandbox

        return await open_node_sandbox(require_level=level or require, allow_unsafe=allow_unsafe)
    if backend in ("e2b", "prime"):
        return await _open_machines(backend, level or require, slots)
    detail = name.partition(":")[2]
    if backend == "fusion":
        return await _open_fusion(detail, level or require, slots)
    return await _open_container(backend, detail, level or require, slots)


async def _open_machines(service: str, level: str, slots: int | None) -> Sandbox:
    """A machine uses all of its cores, so a number of slots is one machine."""
    if service == "prime":
        from gasp_env.sandbox.prime import PrimeSettings, open_prime

        rented = PrimeSettings(level=level)
        return await open_prime(replace(rented, machines=1) if slots else rented)
    from gasp_env.sandbox.e2b import E2BSettings, open_e2b

    settings = E2BSettings(level=level)
    return await open_e2b(replace(settings, machines=1) if slots else settings)


async def _open_fusion(url: str, level: str, slots: int | None) -> Sandbox:
    from gasp_env.sandbox.fusion import FusionSettings, open_fusion

    settings = FusionSettings(level=level)
    settings = replace(settings, url=url) if url else settings
    return await open_fusion(replace(settings, requests=slots) if slots else settings)


async def _open_container(engine: str, image: str, level: str, slots: int | None) -> Sandbox:
    from gasp_env.sandbox.container import ContainerSettings, open_container

    settings = ContainerSettings(engine=engine, level=level)
    settings = replace(settings, image=image) if image else settings
    return await open_container(replace(settings, containers=1, slots=slots) if slots else settings)
