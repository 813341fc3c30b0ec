"""One scripted model through every adapter: the same questions, rewards and curriculum as the arena's own."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace

import pytest
from adapter_cases import GOALPOSTS, ROOT, CharTokenizer, Script, make_run, summary
from chat_server import chat_server

from gasp_env.play import RunFolder, join_run, leave_runs, read_ticket, ticket_text

ROWS = 14
SETTINGS = {"mix__lemma": "2", "mix__lift": "2", "mix__solve": "2", "mix__real": "1", "rules__teacher_turns": "2"}


class Erring(Script):
    """Every third proposal is nothing at first, so that a second turn is played too."""

    def answer(self, chat):
        said = super().answer(chat)
        first = len(chat) == 1 and self.prompts[-1].startswith(("lemma", "lift"))
        return "no code" if first and len(self.prompts[-1]) % 3 == 0 else said


def arena(folder, tickets):
    async def go():
        joined = await join_run(folder)
        script = Erring()
        for ticket in tickets:
            await joined.play(ticket, policy=script)
        await joined.close()

    asyncio.run(go())


def trl(folder, tickets):
    pytest.importorskip("trl")
    from gasp_env.adapters.trl import Gasp
    from gasp_env.tasks import load_goalposts

    trainer = SimpleNamespace(  # what a rollout function reads of GRPOTrainer; the real one is in test_trl_contract.py
        args=SimpleNamespace(temperature=1.0, top_p=1.0, max_completion_length=1000),
        state=SimpleNamespace(global_step=0),
        accelerator=SimpleNamespace(process_index=0, is_main_process=True),
        processing_class=CharTokenizer(),
        model=SimpleNamespace(training=True),
        _metrics={"train": defaultdict(list)},
    )
    config = RunFolder.open(folder).manifest.config
    with Gasp.open(folder, config=config, goalposts=load_goalposts(GOALPOSTS), new=True, policy=Erring()) as gasp:
        gasp.begin(0, None)
        return [gasp.rollout([ticket_text(ticket)], trainer)["gasp_reward"][0] for ticket in tickets]


def gymnasium(folder, tickets):
    gym = pytest.importorskip("gymnasium")
    script = Erring()
    env = gym.make("gasp_env.adapters.gymnasium:GaspTeacher-v0", run=folder)
    curriculum = env.unwrapped.curriculum
    rows, paid = [], []
    for ticket in tickets:
        _, info = env.reset(options={"ticket": ticket})
        done = False
        while not done:
            texts = [script.answer(info["messages"]) for _ in range(info["n"])]
            _, reward, over, cut, info = env.unwrapped.step(texts)
            done = over or cut
        rows.append(info["result"])
        paid.append(reward)
    found = {"questions": sorted(curriculum.state.questions), "settled": len(curriculum.state.settled)}
    env.close()
    return rows, found, paid


def openrlhf(folder, tickets):
    pytest.importorskip("openrlhf")
    from gasp_env.adapters.openrlhf import AgentExecutor

    tokenizer, script = CharTokenizer(), Erring()

    class Engine:
        async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
            ids = tokenizer.sampled(script.answer(tokenizer.chat(prompt_token_ids)))
            logs = [{one: SimpleNamespace(logprob=-1.0)} for one in ids]
            return SimpleNamespace(
                outputs=[SimpleNamespace(token_ids=ids, logprobs=logs, finish_reason="stop", text="")]
            )

    async def go():
        executor, paid = AgentExecutor(), []
        for ticket in tickets:
            params = SimpleNamespace(max_tokens=10_000, logprobs=1)
            found = await executor.execute("x", ticket_text(ticket), params, 1_000_000, tokenizer, Engine())
            paid.append(found["extra_logs"]["gasp_reward"])
        await executor.close()
        return paid

    return asyncio.run(go())


def skyrl(folder, tickets):
    gym = pytest.importorskip("skyrl_gym")
    from gasp_env.adapters.skyrl import ENV_ID, POLICY_KEY

    script, paid = Erring(), []
    for ticket in tickets:
        extras = {"extra_info": {"ticket": ticket_text(ticket)}, POLICY_KEY: script}
        env = gym.make(ENV_ID, env_config={}, extras=extras)
        chat, _ = env.init([])
        done = False
        while not done:
            said = script.answer(chat)
            out = env.step(said)
            chat, done = [*chat, {"role": "assistant", "content": said}, *out["observations"]], out["done"]
        paid.append(out["reward"])
    leave_runs()
    return paid


def openenv(folder, tickets):
    pytest.importorskip("openenv")
    from gasp_env.adapters.openenv import GaspAction, GaspEnvironment

    script, paid = Erring(), []
    for ticket in tickets:
        env = GaspEnvironment()
        seen = env.reset(ticket=ticket_text(ticket))
        while not seen.done:
            seen = env.step(GaspAction(texts=[script.answer(seen.messages) for _ in range(seen.n)]))
        paid.append(seen.reward)
    leave_runs()
    return paid


def verl(folder, tickets):
    pytest.importorskip("verl")
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop import agent_loop as loops
    from verl.workers.rollout.replica import TokenOutput

    from gasp_env.adapters import verl as adapter

    tokenizer, script = CharTokenizer(), Erring()

    class Server:
        async def generate(self, request_id, *, prompt_ids, sampling_params, **_):
            ids = tokenizer.sampled(script.answer(tokenizer.chat(prompt_ids)))
            return TokenOutput(token_ids=ids, log_probs=[-1.0] * len(ids), stop_reason="completed")

    rollout = {"prompt_length": 100_000, "response_length": 100_000, "calculate_log_probs": True, "max_model_len": None}
    tree = {"actor_rollout_ref": {"rollout": rollout}, "algorithm": {"adv_estimator": "grpo"}, "data": {}}
    config = OmegaConf.create(tree)

    async def go():
        paid = []
        for ticket in tickets:
            loop = adapter.GaspAgentLoop(
                trainer_config=loops.DictConfigWrap(config=config),
                server_manager=Server(),
                tokenizer=tokenizer,
                processor=None,
                dataset_cls=object,
                data_config=loops.DictConfigWrap(config.data),
                hf_model_type=None,
                tools=loops.ToolListWrap([]),
            )
            row = {"extra_info": {"ticket": ticket_text(ticket)}, "global_steps": 1}
            paid.append((await loop.run({"temperature": 1.0}, raw_prompt=[], **row)).reward_score)
        for task in adapter._joined.values():
            await (await task).close()
        adapter._joined.clear()
        return paid

    return asyncio.run(go())


def verifiers(folder, tickets):
    vf = pytest.importorskip("verifiers.v1")
    from verifiers.v1.utils.loaders import load_environment

    script = Erring()

    async def go(url):
        env = load_environment(vf.resolve_env_field({"env": {"taskset": {"id": "gasp-env-vf"}}})["env"])
        first = next(iter(env.taskset))
        client = vf.EvalClientConfig(base_url=url, api_key_var="OPENAI_API_KEY")
        context, paid = vf.ModelContext(model="author", client=client), []
        async with env.serving():
            for ticket in tickets:
                episode = await env.run_episode(first.with_data(ticket=ticket_text(ticket)), context)
                trained = [one for one in episode.traces if one.agent.name != "probe"]
                paid.append(trained[-1].rewards["gasp"].score)
        return paid

    with chat_server(lambda messages, *_: script.answer(messages)) as url:
        return asyncio.run(go(url))


DRIVERS = [trl, openrlhf, skyrl, openenv, verl, verifiers]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The arena's own course of the run, and its tickets."""
    folder = tmp_path_factory.mktemp("arena") / "run"
    tickets = [read_ticket(row["prompt"]) for row in make_run(folder, rows=ROWS, **SETTINGS)]
    arena(folder, tickets)
    found = summary(folder)
    stages = {episode[1] for episode in found["episodes"]}
    assert {"lemma", "lift", "solve", "real"} <= stages and len(found["questions"]) >= 3
    return tickets, found


@pytest.mark.parametrize("drive", DRIVERS, ids=lambda one: one.__name__)
def test_the_same_run(drive, expected, tmp_path, monkeypatch):
    tickets, wanted = expected
    folder = tmp_path / "run"
    make_run(folder, rows=ROWS, **SETTINGS)
    monkeypatch.setenv("GASP_RUN", str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.syspath_prepend(str(ROOT / "integrations" / "verifiers"))
    paid = drive(folder, tickets)
    assert summary(folder) == wanted
    assert [one or 0.0 for one in paid] == [episode[2] or 0.0 for episode in wanted["episodes"]]


def test_the_same_run_in_gymnasium(expected, tmp_path):
    """It leaves no transcripts; the results are in its infos."""
    tickets, wanted = expected
    folder = tmp_path / "run"
    make_run(folder, rows=ROWS, **SETTINGS)
    results, state, paid = gymnasium(folder, tickets)
    rewards = [(one.reward.value, one.accepted, one.question.id if one.question else None) for one in results]
    assert rewards == [episode[2:5] for episode in wanted["episodes"]]
    assert paid == [episode[2] or 0.0 for episode in wanted["episodes"]]
    assert state == {key: wanted[key] for key in ("questions", "settled")}
