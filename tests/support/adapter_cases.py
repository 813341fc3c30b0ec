"""One scripted model, one run and one summary for the contract tests of every adapter."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

from arena_cases import propose, solve

from gasp_env.cli.ticketing import tickets_command
from gasp_env.play import RunFolder
from gasp_env.policy import Completion
from gasp_env.store import open_curriculum
from gasp_env.types import Message, Role

__all__ = ("GOALPOSTS", "ROOT", "CharTokenizer", "Concatenating", "Repairs", "Script", "make_run", "summary")

ROOT = Path(__file__).parents[2]
GOALPOSTS = ROOT / "examples" / "micro" / "goalposts.jsonl"
END = 3
"""The end-of-text token of `CharTokenizer`."""


def make_run(folder: Path, *, form: str = "prompt", rows: int = 8, **settings: str) -> list[dict]:
    """A run for workers to join, as ``gasp-env tickets`` makes it; returns its rows."""
    out = folder.with_suffix(".jsonl")
    overrides = {"rules.prompt_style": "compact"} | {key.replace("__", "."): one for key, one in settings.items()}
    tickets_command(
        run=folder,
        goalposts=GOALPOSTS,
        out=out,
        rows=rows,
        form=form,
        overrides=overrides,
        config=None,
        store="",
        embedder="hashing",
        new=False,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


class Script:
    """Plays both roles; an answer depends on the prompt and on how often it was asked, so that every driver gets the same."""

    def __init__(self):
        self.asked = Counter()
        self.prompts = []

    def answer(self, chat) -> str:
        messages = [one if isinstance(one, Message) else Message(**one) for one in chat]
        text = messages[-1].content
        self.prompts.append(text)
        turn = self.asked[text]
        self.asked[text] += 1
        if text.startswith(("lemma", "lift")):
            number = int.from_bytes(sha256(f"{turn}{text}".encode()).digest()[:3], "big")
            return propose(number % 4999 + 2, number % 47)
        return solve(messages, turn % 10 < 5)

    async def generate(self, messages, *, n, role, sampling):
        assert role in tuple(Role)
        return [Completion(text=self.answer(messages)) for _ in range(n)]

    async def close(self):
        pass


class Repairs(Script):
    """Its first turn holds no code."""

    def answer(self, chat) -> str:
        return super().answer(chat) if len(chat) > 1 else "no code"


class CharTokenizer:
    """One token a character; the chat template is JSON, so that an engine can read the chat back."""

    eos_token_id, eos_token = END, chr(END)
    chat_template = "json"

    def apply_chat_template(self, chat, **_):
        return [ord(one) for one in json.dumps([dict(one) for one in chat], ensure_ascii=False)] + [END]

    def decode(self, ids, skip_special_tokens=True):
        return "".join(chr(one) for one in ids if one != END)

    def encode(self, text, **_):
        return [ord(one) for one in text]

    def chat(self, ids):
        """The chat that a prompt holds."""
        return json.loads(self.decode(ids))

    def sampled(self, text):
        """What an engine returns for a text."""
        return [*self.encode(text), END]


class Concatenating(CharTokenizer):
    """Its chat template goes on where the last answer ended, as ChatML does: every message ends in the end token."""

    def apply_chat_template(self, chat, add_generation_prompt=True, **_):
        said = [[*self.encode(one["role"][0] + one["content"]), END] for one in chat]
        return [*(token for one in said for token in one), *([ord("a")] if add_generation_prompt else [])]

    def chat(self, ids):
        texts = "".join(chr(one) for one in ids[:-1]).split(chr(END))[:-1]
        return [{"role": {"s": "system", "u": "user", "a": "assistant"}[one[0]], "content": one[1:]} for one in texts]


def summary(folder: Path) -> dict:
    """What a run came to: episodes in order, and the curriculum."""
    run = RunFolder.open(folder)
    episodes = [
        (
            one.result.ticket.id,
            one.result.stage.value,
            one.result.reward.value,
            one.result.accepted,
            one.result.question.id if one.result.question else None,
            one.result.question_id,
            (one.result.solve_rate.solved, one.result.solve_rate.n) if one.result.solve_rate else None,
        )
        for one in run.all_transcripts()
    ]
    with open_curriculum(run.store_url, run.manifest.config) as curriculum:
        state = curriculum.state
        return {"episodes": episodes, "questions": sorted(state.questions), "settled": len(state.settled)}
