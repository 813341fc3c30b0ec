"""What a worker of a Ray cluster does in tests."""

import asyncio

import ray

from gasp_env.sandbox.ray_node import open_node_sandbox
from gasp_env.store.ray_actor import NAMESPACE
from gasp_env.types import Job


def sandbox_of_this_node(number):
    """Run a job on the node's sandbox; the node, the actor that holds it, and the value."""

    async def go():
        box = await open_node_sandbox()
        (outcome,) = await box.run([Job(program="def f(x): return x + 1", inputs=(str(number),))])
        node = ray.get_runtime_context().get_node_id()
        host = ray.get_actor(f"gasp-sandbox-{node}", namespace=NAMESPACE)
        return node, host._actor_id.hex(), outcome.tests[0].value

    return asyncio.run(go())
