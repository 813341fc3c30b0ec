"""Goalpost files: good rows load, bad rows are named by line and field."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gasp_env.errors import DataError
from gasp_env.tasks import dump_goalposts, goalposts_hash, load_goalposts, read_goalposts
from gasp_env.types import Goalpost, InputStyle, TestCase
from gasp_env.values import encode

ROW = {
    "id": "a",
    "statement": "Add two numbers.",
    "style": "literal",
    "visible": [{"input": "1, 2", "output": encode(3)}],
    "hidden": [{"input": "2, 2", "output": encode(4)}],
}


def write(tmp_path, *rows):
    file = tmp_path / "goalposts.jsonl"
    file.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return file


def test_loads_what_it_wrote(tmp_path):
    cases = (TestCase(input="1", output=encode([1, "é"])),)
    goalposts = tuple(
        Goalpost(id=name, statement="x", style=InputStyle.LITERAL, visible=cases, hidden=cases, tags=("t",))
        for name in "ab"
    )
    file = tmp_path / "g.jsonl"
    file.write_bytes(dump_goalposts(goalposts))
    assert load_goalposts(file) == goalposts
    assert goalposts_hash(goalposts) == goalposts_hash(load_goalposts(file)) != goalposts_hash(goalposts[:1])


def test_blank_lines_do_not_count(tmp_path):
    assert [one.id for one in load_goalposts(write(tmp_path, ROW, "", ROW | {"id": "b"}))] == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "field", "why"),
    [
        ({key: value for key, value in ROW.items() if key != "hidden"}, "hidden", "missing"),
        (ROW | {"hidden": []}, "hidden", "no tests"),
        (ROW | {"hidden": [], "visible": []}, "visible", "no tests"),
        (ROW | {"visible": [{"input": "1", "output": 3}]}, "visible[0].output", "Expected `str`, got `int`"),
        (ROW | {"hidden": [{"input": "1", "output": "nonsense("}]}, "hidden[0].output", "canonical"),
        (ROW | {"style": "yaml"}, "style", "yaml"),
        (ROW | {"statment": "?"}, "statment", "unknown"),
        (ROW | {"id": " "}, "id", "empty"),
        (ROW | {"statement": ""}, "statement", "empty"),
        (ROW, "id", "taken by line 1"),
        ([1, 2], "$", "JSON object"),
        ('{"id": "b", "sta', "$", "cut off"),
    ],
)
def test_a_bad_row_is_named_by_line_and_field(tmp_path, row, field, why):
    file = write(tmp_path, ROW, row)
    with pytest.raises(DataError) as error:
        load_goalposts(file)
    text = str(error.value)
    assert "line 2" in text and f"`{field}`" in text and why in text and "--skip-bad-rows" in text and "\n" not in text


def test_the_rest_loads_only_if_asked(tmp_path, caplog):
    file = write(tmp_path, ROW, "{", ROW | {"id": "b"}, ROW | {"id": "c", "hidden": []})
    with pytest.raises(DataError, match="1 more bad row"):
        load_goalposts(file)
    assert [one.id for one in load_goalposts(file, skip_bad=True)] == ["a", "b"]
    assert "line 2" in caplog.text and "line 4" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe{}\n", b"{\n"])
def test_a_file_without_a_good_row_is_refused(tmp_path, content):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.jsonl"):
        load_goalposts(file, skip_bad=True)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_an_unreadable_file_is_named(tmp_path, name):
    with pytest.raises(DataError, match="can't be read"):
        load_goalposts(tmp_path / name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=2000), junk=st.binary(max_size=30))
def test_damage_never_raises_anything_else(tmp_path, cut, junk):
    data = dump_goalposts(
        [Goalpost(id="a", statement="s", style=InputStyle.STDIN, visible=(), hidden=(TestCase(input="", output=""),))]
    )
    file = tmp_path / "g.jsonl"
    file.write_bytes(data[:cut] + junk + data[cut:])
    found = read_goalposts(file)
    assert len(found.goalposts) + len(found.errors) >= 1
