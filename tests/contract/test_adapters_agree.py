"""One scripted model through every adapter: the same questions, rewards and curriculum as the arena's own."""

import asyncio
from types import SimpleNamespace

import pytest
from adapter_cases import GOALPOSTS, CharTokenizer, Script, make_run, summary

from gasp_env.play import Seat, Session, join_run, leave_runs, read_ticket, ticket_text

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


def session(folder, tickets):
    """What the TRL adapter plays through."""
    pytest.importorskip("trl")
    from gasp_env.play import RunFolder
    from gasp_env.tasks import load_goalposts

    config = RunFolder.open(folder).manifest.config
    with Session.open(
        folder, config=config, goalposts=load_goalposts(GOALPOSTS), new=True, embedder="hashing"
    ) as opened:
        opened.begin(0)
        script = Erring()
        for number, ticket in enumerate(tickets):
            seat = Seat(ticket=ticket, episode_id=f"e{number}", seed=number)
            opened.log(opened.rows(opened.play([seat], policy=script)))


def gymnasium(folder, tickets):
    gym = pytest.importorskip("gymnasium")
    script = Erring()
    env = gym.make("gasp_env.adapters.gymnasium:GaspTeacher-v0", run=folder)
    curriculum = env.unwrapped.curriculum
    rows = []
    for ticket in tickets:
        _, info = env.reset(options={"ticket": ticket})
        done = False
        while not done:
            texts = [script.answer(info["messages"]) for _ in range(info["n"])]
            _, _, over, cut, info = env.unwrapped.step(texts)
            done = over or cut
        rows.append(info["result"])
    found = {"questions": sorted(curriculum.state.questions), "settled": len(curriculum.state.settled)}
    env.close()
    return rows, found


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
        executor = AgentExecutor()
        for ticket in tickets:
            params = SimpleNamespace(max_tokens=10_000, logprobs=1)
            await executor.execute("x", ticket_text(ticket), params, 1_000_000, tokenizer, Engine())
        await executor.close()

    asyncio.run(go())


def skyrl(folder, tickets):
    gym = pytest.importorskip("skyrl_gym")
    from gasp_env.adapters.skyrl import ENV_ID, POLICY_KEY

    script = Erring()
    for ticket in tickets:
        extras = {"extra_info": {"ticket": ticket_text(ticket)}, POLICY_KEY: script}
        env = gym.make(ENV_ID, env_config={}, extras=extras)
        chat, _ = env.init([])
        done = False
        while not done:
            said = script.answer(chat)
            out = env.step(said)
            chat, done = [*chat, {"role": "assistant", "content": said}, *out["observations"]], out["done"]
    leave_runs()


def openenv(folder, tickets):
    pytest.importorskip("openenv")
    from gasp_env.adapters.openenv import GaspAction, GaspEnvironment

    script = Erring()
    for ticket in tickets:
        env = GaspEnvironment()
        seen = env.reset(ticket=ticket_text(ticket))
        while not seen.done:
            seen = env.step(GaspAction(texts=[script.answer(seen.messages) for _ in range(seen.n)]))
    leave_runs()


def verl(folder, tickets):
    pytest.importorskip("verl")
    from verl.workers.rollout.replica import TokenOutput

    from gasp_env.adapters import verl as adapter

    tokenizer, script = CharTokenizer(), Erring()

    async def builds(chat):
        return tokenizer.apply_chat_template(chat)

    async def samples(request_id, *, prompt_ids, sampling_params):
        ids = tokenizer.sampled(script.answer(tokenizer.chat(prompt_ids)))
        return TokenOutput(token_ids=ids, log_probs=[-1.0] * len(ids))

    loop = SimpleNamespace(
        ct_build_initial_tokens=builds,
        server_manager=SimpleNamespace(generate=samples),
        tokenizer=tokenizer,
        config=SimpleNamespace(algorithm=SimpleNamespace(adv_estimator="gasp")),
        rollout_config=SimpleNamespace(response_length=100_000),
    )
    loop._output = lambda *found: adapter.GaspAgentLoop._output(loop, *found)

    async def go():
        for ticket in tickets:
            await adapter.GaspAgentLoop.run(loop, {}, extra_info={"ticket": ticket_text(ticket)})
        for task in adapter._joined.values():
            await (await task).close()
        adapter._joined.clear()

    asyncio.run(go())


def verifiers(folder, tickets):
    pytest.importorskip("verifiers")
    from gasp_env.adapters.verifiers import SeatPolicy

    script = Erring()

    class Seat:
        async def run(self, task):
            said = script.answer([{"role": one.role, "content": one.content} for one in task.data.prompt])
            return SimpleNamespace(ok=True, last_reply=said, is_truncated=False)

    seat = Seat()
    agents = SimpleNamespace(teacher=seat, student=seat, probe=seat)

    async def go():
        joined = await join_run(folder)
        for ticket in tickets:
            await joined.play(ticket, policy=SeatPolicy(agents))
        await joined.close()

    asyncio.run(go())


DRIVERS = [session, openrlhf, skyrl, openenv, verl, verifiers]


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
    drive(folder, tickets)
    assert summary(folder) == wanted


def test_the_same_run_in_gymnasium(expected, tmp_path):
    """It leaves no transcripts; the results are in its infos."""
    tickets, wanted = expected
    folder = tmp_path / "run"
    make_run(folder, rows=ROWS, **SETTINGS)
    results, state = gymnasium(folder, tickets)
    rewards = [(one.reward.value, one.accepted, one.question.id if one.question else None) for one in results]
    assert rewards == [episode[2:5] for episode in wanted["episodes"]]
    assert state == {key: wanted[key] for key in ("questions", "settled")}
