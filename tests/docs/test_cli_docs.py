"""Every command and option has help, and every example in the help is a command that parses."""

import re
import shlex

import pytest

from gasp_env.cli import app
from gasp_env.cli.app import main

COMMANDS = sorted(name for name in app if not name.startswith("-"))


def shown(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--help"])
    assert not stop.value.code
    return capsys.readouterr().out


def test_the_commands_are_these():
    known = {"check", "compare", "doctor", "path", "play", "prompts", "recipe", "report", "tickets"}
    assert known <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(capsys, name):
    assert f"gasp-env {name}" in shown(capsys, name)
    assert name in shown(capsys)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    for argument in app[name].assemble_argument_collection():
        if argument.parameter.parse:
            assert argument.parameter.help, f"{name} {argument.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name):
    examples = re.findall(r"^\s*(gasp-env .*)$", app[name].default_command.__doc__, re.MULTILINE)
    assert examples
    for example in examples:
        command, _, _ = app.parse_args(shlex.split(example)[1:], exit_on_error=False, print_error=False)
        assert command is app[name].default_command
