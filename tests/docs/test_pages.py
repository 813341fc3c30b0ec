"""Every command in the README and the pages is one that parses, and every file they link to is there."""

import re
import shlex
from pathlib import Path

import pytest

from gasp_env.cli import app

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
COMMANDS = sorted(
    {line for page in PAGES for line in re.findall(r"^ *(gasp-env .*)$", (ROOT / page).read_text(), re.MULTILINE)}
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    words = shlex.split(command)[1:]
    found, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert found is app[words[0]].default_command


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    folder = (ROOT / page).parent
    assert [link for link in re.findall(r"\]\(([\w./-]+)\)", text) if not (folder / link).exists()] == []
    assert [file for file in re.findall(r"benchmarks/\w+\.py", text) if not (ROOT / file).exists()] == []
