"""Data files in the schemas of the public sets, written by the tests: no text of theirs."""

import base64
import json
import pickle
import zlib

LCB_STDIN = {
    "question_title": "Mirror",
    "question_content": "Read a word and write it backwards.",
    "platform": "atcoder",
    "question_id": "abc999_a",
    "contest_id": "abc999",
    "contest_date": "2023-08-21T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "abc\n", "output": "cba\n", "testtype": "stdin"}]),
    "private_test_cases": json.dumps([{"input": "xy\n", "output": "yx\n", "testtype": "stdin"}]),
    "metadata": "{}",
}
LCB_CALL = LCB_STDIN | {
    "question_id": "9001",
    "question_title": "count-above",
    "question_content": "Count the numbers above a bound.",
    "platform": "leetcode",
    "contest_date": "2024-09-01T00:00:00",
    "starter_code": "class Solution:\n    def countAbove(self, nums: List[int], bound: int) -> int:\n        ",
    "public_test_cases": json.dumps([{"input": "[1, 5, 9]\n4", "output": "2", "testtype": "functional"}]),
    "private_test_cases": json.dumps([{"input": "[]\n0", "output": "0", "testtype": "functional"}]),
    "metadata": json.dumps({"func_name": "countAbove"}),
}
CALL_PROGRAM = """
class Solution:
    def countAbove(self, nums: List[int], bound: int) -> int:
        return sum(n > bound for n in nums)
"""
HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": 'from typing import List\n\ndef shift(xs: List[float], by: float) -> List[float]:\n    """ Add. """\n',
    "entry_point": "shift",
    "canonical_solution": "    return [x + by for x in xs]\n",
    "test": (
        "def check(candidate):\n    assert candidate([1.0, 2.0], 1) == [2.0, 3.0]\n"
        "    for n in range(3):\n        assert abs(candidate([n], 0.1)[0] - n - 0.1) < 1e-6\n"
    ),
}
MBPP = {
    "text": "Write a function to find the shared elements of two lists.",
    "code": "def shared(a, b):\r\n    return tuple(set(a) & set(b))",
    "task_id": 9000,
    "test_setup_code": "",
    "test_list": ["assert set(shared((3, 4), (4, 5))) == set((4,))", "assert shared((1,), (1,)) == (1,)"],
    "challenge_test_list": [],
}


def packed(tests, *, as_dict=False):
    """A private test cell as the hub has it."""
    text = json.dumps(tests)
    return base64.b64encode(zlib.compress(pickle.dumps({"input_output": text} if as_dict else text))).decode()


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
