"""A real Ray cluster of two nodes on this machine: the log's actor keeps the store's contract; one sandbox actor a node."""

import asyncio
import itertools
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason="pip install 'gasp-env[ray]'")

import ray_worker  # noqa: E402
import store_worker  # noqa: E402
from adapter_cases import Script, make_run, summary  # noqa: E402
from curriculum_cases import goalpost  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from gasp_env.config import Config  # noqa: E402
from gasp_env.errors import StoreError  # noqa: E402
from gasp_env.play import RunFolder, join_run, read_ticket  # noqa: E402
from gasp_env.sandbox.ray_node import open_node_sandbox  # noqa: E402
from gasp_env.store import check_store, open_curriculum, open_store  # noqa: E402
from gasp_env.store.ray_actor import NAMESPACE  # noqa: E402
from gasp_env.types import Job, Verdict  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]
_names = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def cluster():
    support = str(Path(store_worker.__file__).parent)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(
        address=made.address,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": support, "OMP_NUM_THREADS": "1"}},
    )
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.parametrize("disk", [False, True], ids=["memory", "disk"])
def test_the_actor_keeps_the_contract(disk, tmp_path):
    url = f"ray://contract{next(_names)}" + (f"{tmp_path}/run.db" if disk else "")
    assert {name: text for name, text in check_store(lambda: open_store(url)).items() if text != "ok"} == {}


def test_eight_workers_settle_on_one_curriculum():
    url = f"ray://many{next(_names)}"
    with open_curriculum(url, Config()) as curriculum:
        curriculum.add_goalposts([goalpost(0), goalpost(1)])
    work = ray.remote(num_cpus=0.2)(store_worker.work)
    ray.get([work.remote(url, f"w{worker}", 0, 6) for worker in range(8)])
    with open_curriculum(url, Config()) as curriculum:
        state = curriculum.state
        assert len(state.settled) == 48
        assert len(state.questions) == 6, "equal questions are accepted once, whoever comes first"


def test_a_log_on_disk_outlives_its_actor(tmp_path):
    url = f"ray://disk{next(_names)}{tmp_path}/run.db"
    with open_curriculum(url, Config()) as curriculum:
        curriculum.add_goalposts([goalpost(0)])
    store_worker.work(url, "solo", 0, 2)
    name = url.removeprefix("ray://").partition("/")[0]
    ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=False)
    with open_curriculum(url, Config()) as curriculum:
        assert len(curriculum.state.settled) == 2


def test_a_dead_actor_is_one_clear_error():
    url = f"ray://dead{next(_names)}"
    store = open_store(url)
    ray.kill(ray.get_actor(url.removeprefix("ray://"), namespace=NAMESPACE))
    with pytest.raises(StoreError, match="the actor does not answer"):
        store.read(0, -1)
    with pytest.raises(StoreError, match="names no actor"):
        open_store("ray://")


def test_one_sandbox_a_node():
    nodes = [one["NodeID"] for one in ray.nodes() if one["Alive"]]
    work = ray.remote(num_cpus=0.1)(ray_worker.sandbox_of_this_node)
    asked = [
        work.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False)).remote(number)
        for number, node in enumerate(nodes * 3)
    ]
    found = ray.get(asked)
    assert len(nodes) == 2 and {node for node, _, _ in found} == set(nodes)
    assert len({(node, actor) for node, actor, _ in found}) == 2, "three workers of a node share one"
    assert [value for _, _, value in found] == [f"i{number + 1:x};" for number in range(6)]


def test_the_nodes_sandbox(tmp_path):
    folder = tmp_path / "run"
    rows = make_run(folder, rows=6, sandbox="ray")

    async def go():
        one = await open_node_sandbox()
        (outcome,) = await one.run([Job(program="def f(x):\n    return x + 1", inputs=("1", "41"))])
        joined = await join_run(folder)
        assert isinstance(joined.arena.sandbox, type(one)) and joined.arena.sandbox.report == one.report
        script = Script()
        for row in rows:
            await joined.play(read_ticket(row["prompt"]), policy=script)
        await joined.close()
        name = f"gasp-sandbox-{ray.get_runtime_context().get_node_id()}"
        ray.kill(ray.get_actor(name, namespace=NAMESPACE))
        for _ in range(1000):  # it dies in its own time
            (lost,) = await one.run([Job(program="def f(x):\n    return x", inputs=("1",))])
            if lost.failed_by_us:
                break
        return outcome, lost

    outcome, lost = asyncio.run(go())
    assert [test.verdict for test in outcome.tests] == [Verdict.OK] * 2
    assert lost.failed_by_us and RunFolder.open(folder).manifest
    assert summary(folder)["settled"] == 6
