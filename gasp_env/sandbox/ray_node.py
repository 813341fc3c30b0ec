"""Sandbox actors of a Ray cluster: one a node, shared by every worker there.

    gasp-env tickets --run runs/first --set sandbox=ray ...       # every worker that joins uses its node's

A rollout worker that opens its own sandbox counts on the whole node's cores; with several workers on a node they oversubscribe
it. The node's actor holds the one pool. The curriculum's actor is a store address (``ray://name``). The law of this module: the
actor is the local sandbox behind the same protocol; if it dies, its jobs are infrastructure faults, never verdicts.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from gasp_env._optional import require, require_version
from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox.local import open_local
from gasp_env.sandbox.protocol import Sandbox, SandboxReport
from gasp_env.types import Job, JobOutcome, TestOutcome, Verdict

__all__ = ("NodeHost", "NodeSandbox", "open_node_sandbox")

_NAMESPACE = "gasp"


class NodeHost:
    """Runs inside the actor: the node's local sandbox, opened at the first call."""

    def __init__(self, require_level: str, *, allow_unsafe: bool) -> None:
        """Remember what isolation is asked for."""
        self._wanted: dict[str, Any] = {"require": require_level, "allow_unsafe": allow_unsafe}
        self._box: Sandbox | None = None
        self._opening = asyncio.Lock()

    async def report(self) -> SandboxReport:
        """The isolation in force."""
        return (await self._open()).report

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs on this node."""
        return await (await self._open()).run(jobs)

    async def _open(self) -> Sandbox:
        async with self._opening:
            if self._box is None:
                self._box = await open_local(**self._wanted)
            return self._box


class NodeSandbox:
    """A handle of the node's actor, as a `Sandbox`."""

    def __init__(self, actor: Any, report: SandboxReport) -> None:  # noqa: ANN401
        """Hold the actor; use `open_node_sandbox`."""
        self._actor, self._report = actor, report

    @property
    def report(self) -> SandboxReport:
        """The isolation in force on this node."""
        return self._report

    async def run(self, jobs: Sequence[Job]) -> list[JobOutcome]:
        """Run jobs on this node; outcomes align with jobs."""
        errors: Any = require("ray.exceptions", extra="ray")
        try:
            found: list[JobOutcome] = await self._actor.run.remote(list(jobs))
        except errors.RayError as error:
            return [_lost(job, str(error)) for job in jobs]
        return found

    async def close(self) -> None:
        """The actor serves the node's other workers; it ends with the cluster."""


async def open_node_sandbox(*, require_level: str = "L2", allow_unsafe: bool = False) -> NodeSandbox:
    """The sandbox of the node that this worker runs on; started by whoever asks first.

    Args:
        require_level: lowest isolation; an actor that is there already keeps what it was started with.
        allow_unsafe: accept no isolation.

    Raises:
        SandboxUnavailable: there is no cluster, or the isolation asked for can't be had on this node.
        MissingExtra: Ray is not installed, or another version.
    """
    require_version("ray", at_least="2.55", below="3", extra="ray")
    ray: Any = require("ray", extra="ray")
    strategies: Any = require("ray.util.scheduling_strategies", extra="ray")
    try:
        if not ray.is_initialized():
            ray.init(address="auto", log_to_driver=False)
    except ConnectionError as error:
        raise SandboxUnavailable(f"sandbox ray: no Ray cluster ({error}); run: ray start --head") from error
    node: str = ray.get_runtime_context().get_node_id()
    host: Any = ray.remote(NodeHost).options(
        name=f"gasp-sandbox-{node}",
        namespace=_NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_concurrency=1000,
        scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False),
    )
    actor = host.remote(require_level, allow_unsafe=allow_unsafe)
    try:
        return NodeSandbox(actor, await actor.report.remote())
    except ray.exceptions.RayTaskError as error:
        raise SandboxUnavailable(f"the node's sandbox actor: {error.cause}") from error


def _lost(job: Job, why: str) -> JobOutcome:
    one = TestOutcome(verdict=Verdict.SANDBOX_FAILURE, error="actor lost", message=why[:200])
    return JobOutcome(tests=(one,) * len(job.inputs))
