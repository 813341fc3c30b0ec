"""Data sets become one internal row; what is wrong is one error that names file, row and field."""

import base64
import gzip
import json
import pickle
import tracemalloc
import zlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from problem_files import HUMANEVAL, LCB_CALL, LCB_STDIN, MBPP, packed, write

from gasp_env.errors import ConfigError, DataError
from gasp_env.tasks import (
    LCB_V5_EVAL,
    LCB_V5_TRAIN,
    Flag,
    Refusal,
    Source,
    Window,
    dump_goalposts,
    load_problems,
    to_goalpost,
)
from gasp_env.tasks.cells import CellError, decode_cell
from gasp_env.tasks.rows import Row, read_rows
from gasp_env.types import InputStyle
from gasp_env.values import encode

NAIVE = datetime(2024, 8, 1)  # noqa: DTZ001 - the JSON builder of datasets makes such


def load(tmp_path, *rows, **options):
    return load_problems(write(tmp_path / "set.jsonl", *rows), **options)


# ---- LiveCodeBench


def test_livecodebench_rows(tmp_path):
    stdin, call = load(tmp_path, LCB_STDIN, LCB_CALL)
    assert (stdin.id, stdin.style, stdin.date) == ("abc999_a", InputStyle.STDIN, "2023-08-21T00:00:00")
    assert [test.output for test in stdin.tests] == ["cba\n", "yx\n"]
    assert (call.style, call.entry, call.hidden[0].output) == (InputStyle.JSON, "countAbove", encode(0))
    assert to_goalpost(call).entry == "Solution().countAbove"


def test_private_tests_may_be_packed(tmp_path):
    tests = json.loads(LCB_STDIN["private_test_cases"])
    plain, as_text = (
        load(tmp_path, LCB_STDIN | {"private_test_cases": cell})[0] for cell in (json.dumps(tests), packed(tests))
    )
    assert plain == as_text
    assert decode_cell(packed({"inputs": ["1"]}, as_dict=True)) == {"inputs": ["1"]}


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch /tmp/gasp_env_was_here",)


def cell(data):
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (cell(pickle.dumps(Evil())), "more than text"),
        (cell(pickle.dumps(["[]"] * 2)), "more than text|expected text"),
        (cell(pickle.dumps(7)), "expected text"),
        (cell(pickle.dumps("[]")[:-3]), "pickle"),
        (cell(b"cos\nsystem\n(S'true'\ntR."), "more than text"),
        (cell(b"\x80\x04r\xff\xff\xff\x7f."), "more than text"),
        (cell(b"hello"), "pickle"),
        (base64.b64encode(b"hello").decode(), "zlib"),
        (cell(pickle.dumps("[]"))[:-8], "cut off|zlib|base64"),
        ("!!!", "base64"),
        (cell(pickle.dumps("[1")), "not JSON"),
    ],
    ids=lambda value: value[:18],
)
def test_cells_that_are_no_text_are_refused(tmp_path, data, why):
    with pytest.raises(CellError, match=why):
        decode_cell(data)
    with pytest.raises(DataError, match=r"row 1, field `private_test_cases`"):
        load(tmp_path, LCB_STDIN | {"private_test_cases": data})


def test_a_zip_bomb_is_refused_before_it_grows():
    bomb = cell(pickle.dumps("0" * (64 << 20)))
    tracemalloc.start()
    with pytest.raises(CellError, match="unpacks to more than"):
        decode_cell(bomb, most=1 << 20)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@given(st.binary(max_size=200))
def test_no_bytes_make_the_cell_reader_do_more_than_refuse(data):
    try:
        decode_cell(cell(data))
    except CellError:
        return
    raise AssertionError("random bytes were read as tests")


def test_dates_may_be_objects():
    row = Row(where="x, row 1", values={"d": NAIVE, "text": "2024-08-01", "none": None})
    assert row.date("d") == row.date("text") == "2024-08-01T00:00:00" and row.date("none") is None


# ---- windows, duplicates, flags


def test_windows_are_half_open(tmp_path):
    rows = [
        LCB_STDIN | {"question_id": str(at), "question_title": str(at), "contest_date": date}
        for at, date in enumerate(["2024-07-31T23:59:59", "2024-08-01T00:00:00", "2025-01-04T18:30:00"])
    ]
    file = write(tmp_path / "set.jsonl", *rows)
    assert [one.id for one in Source(path=file, window=LCB_V5_TRAIN)] == ["0"]
    assert [one.id for one in Source(path=file, window=LCB_V5_EVAL)] == ["1", "2"]
    source = Source(path=file, window=Window.parse("2024-08-01..2025-01-04"))
    assert [one.id for one in source] == ["1"] and source.outside == 2


@pytest.mark.parametrize("text", ["2024", "2024-08-01..2024-01-01", "august.."])
def test_no_window(text):
    with pytest.raises(ConfigError, match="window"):
        Window.parse(text)


def test_duplicates_are_flagged_or_dropped(tmp_path):
    twin = LCB_STDIN | {"question_id": "other", "question_content": "Read a WORD and  write it backwards."}
    file = write(tmp_path / "set.jsonl", LCB_STDIN, twin)
    assert [Flag.DUPLICATE in one.flags for one in Source(path=file)] == [False, True]
    source = Source(path=file, drop_duplicates=True)
    assert len(list(source)) == 1 and source.refused[0].reason is Refusal.DUPLICATE


def test_errata_and_interactive_problems_are_flagged(tmp_path):
    found = load(
        tmp_path,
        LCB_STDIN | {"question_id": "abc350_c"},
        LCB_STDIN | {"question_id": "3", "question_title": "Most Frequent IDs"},
        LCB_STDIN | {"question_id": "abc337_e", "question_title": "c"},
        LCB_STDIN | {"question_title": "d"},
    )
    assert [Flag.ERRATA in one.flags for one in found] == [True, True, True, False]
    assert [Flag.INTERACTIVE in one.flags for one in found] == [False, False, True, False]


# ---- other sets


def test_assertion_sets(tmp_path):
    humaneval, mbpp = load(tmp_path, HUMANEVAL), load(tmp_path, MBPP)
    assert humaneval[0].entry == "shift" and humaneval[0].check.endswith("check(shift)\n")
    assert humaneval[0].hidden[0].input == "[1.0, 2.0], 1"
    assert mbpp[0].entry == "shared" and [test.input for test in mbpp[0].hidden] == ["(1,), (1,)"]
    assert "\r" not in (mbpp[0].reference or "\r")


APPS = {
    "problem_id": 7,
    "question": "Add.",
    "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}),
    "starter_code": "",
    "difficulty": "interview",
}
CONTEST = {
    "name": "1_A. Add",
    "description": "Add two numbers.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["2 2\n"], "output": ["4\n"]},
    "generated_tests": {"input": [], "output": []},
    "time_limit": {"seconds": 2, "nanos": 500000000},
}


def test_contest_sets(tmp_path):
    (apps,) = load(tmp_path, APPS)
    assert (apps.id, apps.entry, apps.hidden[0].input, apps.hidden[0].output) == ("7", "add", "1\n2", encode(3))
    (stdin,) = load(tmp_path, APPS | {"input_output": json.dumps({"inputs": [["1", "2"]], "outputs": ["3"]})})
    assert stdin.hidden[0].input == "1\n2" and stdin.style is InputStyle.STDIN
    nines = "9" * 4999  # more digits than Python converts by default
    pairs = f'{{"fn_name": "add", "inputs": [[1, {nines}]], "outputs": [[1{"0" * 4999}]]}}'
    (long,) = load(tmp_path, APPS | {"input_output": pairs})
    assert (long.hidden[0].input, long.hidden[0].output) == (f"1\n{nines}", encode(10**4999))
    (taco,) = load(tmp_path, APPS | {"tags": "['Math', 'Greedy']", "skill_types": "[]"})
    assert taco.tags == ("Math", "Greedy") and taco.source == "taco"
    (contest,) = load(tmp_path, CONTEST)
    assert contest.time_s == 2.5 and len(contest.visible) == len(contest.hidden) == 1


def test_deepcoder_and_verification(tmp_path):
    pairs = [{"input": "1\n2", "output": "3", "testtype": "functional", "fn_name": "add"}]
    (text,) = load(tmp_path, {"problem": "Add.", "tests": json.dumps(pairs), "id": 1})
    assert text.entry == "add" and text.hidden[0].output == encode(3)
    lists = [{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": 3}]
    info = {"language": "python", "test_cases": lists}
    (call,) = load(tmp_path, {"prompt": "Add.", "verification_info": json.dumps(info), "problem_id": "p"})
    assert call.hidden == text.hidden


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (APPS | {"input_output": ""}, Refusal.NO_TESTS),
        (CONTEST | {"description": "Print any of them."}, Refusal.CHECKER),
        (CONTEST | {"input_file": "in.txt"}, Refusal.CHECKER),
        (CONTEST | {"description": "This is an interactive problem."}, Refusal.INTERACTIVE),
        (CONTEST | {"generated_checker": "..."}, Refusal.CHECKER),
        (
            {"problem_id": 1, "prompt": "x", "verification_info": {"language": "rust", "test_cases": []}},
            Refusal.LANGUAGE,
        ),
    ],
    ids=["no tests", "many answers", "files", "interactive", "checker", "language"],
)
def test_what_cannot_be_graded_is_refused_in_a_word(tmp_path, row, reason):
    source = Source(path=write(tmp_path / "set.jsonl", row))
    assert not list(source) and [one.reason for one in source.refused] == [reason]


def test_goalpost_rows_are_read_back(tmp_path):
    (problem,) = load(tmp_path, LCB_STDIN)
    goalpost = to_goalpost(problem)
    (tmp_path / "g.jsonl").write_bytes(dump_goalposts([goalpost]))
    (again,) = load_problems(tmp_path / "g.jsonl")
    assert (again.id, again.tests, again.style) == (problem.id, problem.tests, problem.style)


def test_a_goalpost_keeps_the_small_tests(tmp_path):
    tests = [{"input": "x" * size, "output": "y", "testtype": "stdin"} for size in (50, 5, 500)]
    (problem,) = load(tmp_path, LCB_STDIN | {"private_test_cases": json.dumps(tests)})
    assert [len(test.input) for test in to_goalpost(problem, max_bytes=80).hidden] == [50, 5]
    with pytest.raises(DataError, match="field `tests`"):
        to_goalpost(problem, max_bytes=3)


# ---- file kinds


def test_gzip_json_list_parquet_and_folders(tmp_path):
    lines = json.dumps(LCB_STDIN).encode() + b"\n"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "b.json").write_text(json.dumps([LCB_CALL]))
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    third = LCB_STDIN | {"question_id": "c", "contest_date": NAIVE, "question_title": "c"}
    parquet.write_table(arrow.Table.from_pylist([third]), tmp_path / "c.parquet")
    found = load_problems(tmp_path)
    assert [one.id for one in found] == ["abc999_a", "9001", "c"] and found[2].date == "2024-08-01T00:00:00"


def test_hub_names_go_through_datasets(monkeypatch):
    class Datasets:
        asked = None

        def load_dataset(self, *args, **named):
            self.asked = (args, named)
            return [LCB_STDIN]

    fake = Datasets()
    monkeypatch.setattr("gasp_env.tasks.rows.require", lambda *_, **__: fake)
    (row,) = read_rows("hf://datasets/livecodebench/code_generation_lite/test5.jsonl")
    assert row.where.endswith("test5.jsonl, row 1") and fake.asked[0] == ("json",)
    assert fake.asked[1]["streaming"] is True
    list(read_rows("hf://datasets/owner/name?config=v5&split=train"))
    assert fake.asked == (("owner/name", "v5"), {"split": "train", "streaming": True})


LINE = json.dumps(LCB_STDIN).encode()


def without(field):
    return json.dumps({key: value for key, value in LCB_STDIN.items() if key != field}).encode()


def changed(row=LCB_STDIN, **fields):
    return json.dumps(row | fields).encode()


@pytest.mark.parametrize(
    ("content", "where", "why"),
    [
        (LINE + b"\n" + LINE[:100], "row 2, field `$`", "cut off"),
        (LINE.replace(b"Mirror", b"Mirr\xff\xfe"), "row 1, field `$`", "UTF-8"),
        (without("question_content"), "row 1, field `question_content`", "missing"),
        (without("public_test_cases"), "row 1, field `public_test_cases`", "missing"),
        (changed(private_test_cases=None), "row 1, field `private_test_cases`", "missing"),
        (changed(public_test_cases="soon"), "row 1, field `public_test_cases`", "holds no tests"),
        (changed(public_test_cases="{}"), "row 1, field `public_test_cases`", "list of tests"),
        (changed(public_test_cases='[{"input": 3}]'), "row 1, field `public_test_cases[0].input`", "text"),
        (changed(LCB_CALL, public_test_cases='[{"input": "a b", "output": "1"}]'), "row 1, field", "is not JSON"),
        (changed(contest_date="21.08.2023"), "row 1, field `contest_date`", "no ISO date"),
        (changed(LCB_CALL, starter_code=" "), "row 1, field `starter_code`", "is empty"),
        (changed(question_content=""), "row 1, field `question_content`", "is empty"),
        (changed(metadata="[]"), "row 1, field `metadata`", "JSON object"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "row 1, field `$`", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "row 1, field `$`", "Git LFS"),
        (b"[1, 2]", "row 1, field `$`", "JSON object"),
        (LINE + b"\n" + LINE, "row 2, field `id`", "taken"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_bad_input_is_one_error(tmp_path, content, where, why):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        list(Source(path=file))
    assert f"{file}, {where}" in str(caught.value) and "\n" not in str(caught.value)


def test_bad_rows_can_be_counted_instead(tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(changed(contest_date="soon", question_id="x") + b"\n" + LINE)
    source = Source(path=file, skip_bad=True)
    assert len(list(source)) == 1 and "contest_date" in source.refused[0].detail


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match="can't be read"):
        list(Source(path=tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="no data file"):
        list(Source(path=tmp_path))
    with pytest.raises(ConfigError, match="format"):
        Source(path="x", format="yaml")
    (tmp_path / "long.jsonl").write_bytes(b"x" * 3000)
    with pytest.raises(DataError, match="longer than 1000"):
        list(Source(path=tmp_path / "long.jsonl", row_bytes=1000))
    (tmp_path / "half.jsonl.gz").write_bytes(gzip.compress(LINE * 50)[:-20])
    with pytest.raises(DataError, match="row 1, field"):
        list(Source(path=tmp_path / "half.jsonl.gz"))


def test_streaming_holds_one_row(tmp_path):
    """A file of 60 rows of 1 MB each, a 1.2 GB file in small: memory does not grow with the rows."""
    big = LCB_STDIN | {"private_test_cases": packed([{"input": "7" * (1 << 20), "output": "1", "testtype": "stdin"}])}
    raw = LCB_STDIN | {"private_test_cases": json.dumps([{"input": "7" * (1 << 20), "output": "1"}])}
    file = tmp_path / "big.jsonl"
    with file.open("w") as stream:
        for at in range(60):
            stream.write(json.dumps((raw if at % 2 else big) | {"question_id": str(at)}) + "\n")
    tracemalloc.start()
    peaks = []
    for at, problem in enumerate(Source(path=file)):
        assert len(problem.hidden[0].input) == 1 << 20
        if at in (5, 59):
            peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] and peaks[1] < 20 << 20
