"""The report: figures agree with the run, hostile text stays text."""

import asyncio
import re
from html.parser import HTMLParser

import pytest
from arena_cases import Author, arena
from game_cases import GOALPOST
from rich.console import Console

from gasp_env.config import Band, Config, Mix, Rules
from gasp_env.errors import ConfigError
from gasp_env.play import RunFolder, SelfPlay, make_manifest
from gasp_env.policy.protocol import Completion
from gasp_env.report import print_summary, read_facts, write_report
from gasp_env.report.facts import rewards_over_time
from gasp_env.report.svg import histogram, lines
from gasp_env.types import Goalpost, Role

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}[bold]\x1b[31m"
CONFIG = Config(rules=Rules(prompt_style="compact"), mix=Mix(lemma=2, lift=2, solve=2, real=1))


class Mixed(Author):
    """Proposes good, broken and hostile questions in turn."""

    async def generate(self, messages, *, n, role, sampling):
        if role is Role.TEACHER and sampling.seed % 3 == 0:
            return [Completion(text="no program")]
        found = await super().generate(messages, n=n, role=role, sampling=sampling)
        if role is Role.TEACHER:
            return [Completion(text=one.text.replace("Scale and shift", HOSTILE)) for one in found]
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "run"
    goalpost = Goalpost(
        id=f"g{HOSTILE}", statement=HOSTILE, style=GOALPOST.style, visible=GOALPOST.visible, hidden=GOALPOST.hidden
    )
    manifest = make_manifest(CONFIG, policy=HOSTILE, wave=5, goalposts=("g.jsonl", "hash", 1))
    folder = RunFolder.create(path, manifest, goalposts=[goalpost])
    made = arena(Mixed(), config=CONFIG, url=folder.store_url, goalposts=[goalpost])
    asyncio.run(SelfPlay(arena=made, run=folder).play(30))
    made.curriculum.close()
    return path


def test_facts_agree_with_the_run(run):
    facts, results = read_facts(run), [row.result for row in RunFolder.open(run).transcripts]
    assert facts.episodes == 30
    last = list(RunFolder.open(run).metrics)[-1].values
    assert facts.accepted == last["teacher/accepted"] > 3
    for stage, steps in facts.funnel.items():
        mine = [one for one in results if one.stage == stage]
        assert steps[0].count + steps[0].lost == len(mine)
        assert steps[-1].count == sum(one.accepted for one in mine)
        assert sum(step.lost for step in steps[1:]) == sum(one.rejection is not None for one in mine)
    assert sum(row.lemmas + row.lifts for row in facts.board) == facts.accepted
    assert sum(rate.n for rate in facts.students.values()) == last["student/tried"]
    assert any(branch.children for branch in facts.lineage)


class Tags(HTMLParser):
    """Collects what a browser would see as elements."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_hostile_text_is_escaped(run):
    page = write_report(run).read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(page)
    assert {"script", "img"}.isdisjoint(seen.tags)
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "&lt;script&gt;" in page and "{{ 7*7 }}" in page


def test_the_page_stands_alone(run):
    page = write_report(run).read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(page)
    assert {"src", "href", "srcset", "data", "action", "background"}.isdisjoint(seen.attributes)
    assert {"link", "iframe", "object", "embed", "base"}.isdisjoint(seen.tags)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in page and "default-src 'none'" in page
    assert page.count("<svg") >= 3


def test_the_terminal_summary_shows_the_funnel_and_no_control_codes(run, capsys):
    print_summary(run, Console(width=120, no_color=True))
    shown = capsys.readouterr().out
    assert "lemma: proposals" in shown and "parsed" in shown and "30 episodes" in shown
    assert "\x1b" not in shown


def test_an_empty_run_has_a_report(tmp_path):
    folder = RunFolder.create(tmp_path / "run", make_manifest(Config(), policy="p", wave=1, goalposts=("", "", 0)))
    page = write_report(folder.path).read_text(encoding="utf-8")
    assert "No teacher episode yet." in page
    with pytest.raises(ConfigError, match="does not exist"):
        write_report(tmp_path / "nowhere")


def test_charts():
    assert "band" in histogram({3: 2, 10: 1}, Band(low=3, high=7)) and "band" not in histogram({}, None)
    assert lines({}) == "" and lines({"a": [(0, 0.5)]}).count("<polyline") == 1
    assert rewards_over_time([(0, 1.0), (1, 0.0), (2, 1.0)], buckets=2) == [(0.5, 0.5), (2.0, 1.0)]
