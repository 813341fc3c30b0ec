"""Every command in the pages on data is one that parses, and every file they link to is there."""

import re
import shlex
from pathlib import Path

import pytest

from gasp_env.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("goalposts.md", "evaluation.md")
COMMANDS = sorted(
    {line for page in PAGES for line in re.findall(r"^ *(gasp-env .*)$", (DOCS / page).read_text(), re.MULTILINE)}
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    words = shlex.split(command)[1:]
    found, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert found is app[words[0]].default_command


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (DOCS / page).read_text()
    assert [link for link in re.findall(r"\]\(([\w./]+)\)", text) if not (DOCS / link).exists()] == []
    assert [file for file in re.findall(r"benchmarks/\w+\.py", text) if not (DOCS.parent / file).exists()] == []
