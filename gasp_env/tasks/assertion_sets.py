"""Data sets whose tests are Python assertions: HumanEval(+), MBPP(+), LeetCodeDataset.

The assertions become a check program; the grader runs it away from the judged program (`gasp_env.play.grade_suite`).
"""

from gasp_env.tasks.asserts import called_name, literal_cases
from gasp_env.tasks.problem import Flag, Problem
from gasp_env.tasks.rows import Row
from gasp_env.types import InputStyle

__all__ = ("humaneval", "leetcode", "mbpp")

_PLUS_CHECK = """
def __gasp_close(out, want, atol):
    if isinstance(want, float) or isinstance(out, float):
        return out == want or abs(out - want) <= atol + 1e-07 * abs(want)
    if isinstance(want, (list, tuple)):
        return len(out) == len(want) and all(__gasp_close(a, b, atol) for a, b in zip(out, want))
    return out == want

def __gasp_floats(value):
    return isinstance(value, float) or isinstance(value, (list, tuple)) and all(isinstance(i, float) for i in value)

def check(candidate):
    import copy
    for arguments in __GASP_INPUTS__:
        want = __gasp_reference(*copy.deepcopy(arguments))
        out = candidate(*copy.deepcopy(arguments))
        atol = __GASP_ATOL__ or (1e-6 if __gasp_floats(want) else 0)
        assert out == want or atol and __gasp_close(out, want, atol)
"""
"""Base and extra inputs of EvalPlus with the canonical solution as oracle, and its tolerance."""
_NUMPY = """
try: import numpy as np
except ImportError:
    class np:
        class ndarray: pass
        float64 = float32 = float
        @staticmethod
        def allclose(a, b, rtol=1e-05, atol=1e-08):
            if isinstance(b, (list, tuple)):
                return len(a) == len(b) and all(np.allclose(x, y, rtol, atol) for x, y in zip(a, b))
            return a == b or abs(a - b) <= atol + rtol * abs(b)
"""


def humaneval(row: Row) -> Problem:
    """HumanEval and HumanEval+ (both formats: own ``test``, or inputs with the canonical solution as oracle).

    Raises:
        DataError: names file, row and field.
    """
    prompt, entry = row.filled("prompt"), row.filled("entry_point")
    test = _without_numpy(row.filled("test"))
    solution = row.text("canonical_solution", "") or None
    reference = None if solution is None else _whole(prompt, solution, entry)
    check = test
    if row.has("base_input", "plus_input") and reference is not None:
        check = test + _oracle(row, reference, entry)
    return Problem(
        id=row.filled("task_id"),
        statement=prompt,
        style=InputStyle.LITERAL,
        hidden=literal_cases(test, ("candidate", entry)),
        entry=entry,
        starter_code=prompt,
        source="humaneval",
        reference=reference,
        prompt_code=prompt,
        check=f"{check}\ncheck({entry})\n",
    )


def _whole(prompt: str, solution: str, entry: str) -> str:
    return solution if f"def {entry}" in solution else prompt + solution


def _oracle(row: Row, reference: str, entry: str) -> str:
    """The base test stays; then every input against the canonical solution, loaded under a name of its own."""
    inputs = [*row.items("base_input"), *row.items("plus_input")]
    atol = row.values.get("atol", 0)
    if not isinstance(atol, int | float):
        raise row.fail("atol", f"expected a number, got {type(atol).__name__}")
    text = _PLUS_CHECK.replace("__GASP_INPUTS__", repr(inputs)).replace("__GASP_ATOL__", repr(atol))
    own = f"__gasp_names = {{}}\nexec({reference!r}, __gasp_names)\n__gasp_reference = __gasp_names[{entry!r}]\n"
    return f"\ncheck({entry})\n{own}{text}"


def mbpp(row: Row) -> Problem:
    """MBPP full, sanitized, and MBPP+ in its self-contained format.

    Raises:
        DataError: names file, row and field.
    """
    if "assertion" in row.values and "test_list" not in row.values:
        return _mbpp_plus(row)
    code = row.filled("code").replace("\r\n", "\n")
    listed = _texts(row, "test_list") + _texts(row, "challenge_test_list")
    asserts = "\n".join(listed)
    entry = called_name(asserts, code)
    if entry is None:
        raise row.fail("test_list", "calls no function that `code` defines")
    setup = row.text("test_setup_code", "").replace("\r\n", "\n")
    imports = "\n".join(_texts(row, "test_imports"))
    whole = _without_numpy(row.text("test", "")) or asserts
    return Problem(
        id=f"mbpp/{row.text('task_id')}",
        statement=row.filled("text" if "text" in row.values else "prompt"),
        style=InputStyle.LITERAL,
        visible=literal_cases(listed[0], (entry,)),
        hidden=literal_cases("\n".join(listed[1:]), (entry,)),
        entry=entry,
        source="mbpp",
        reference=code,
        check="\n".join(part for part in (imports, setup, whole) if part) + "\n",
    )


def _mbpp_plus(row: Row) -> Problem:
    """The native format: its extra inputs are JSON and have lost their tuples, so the base assertions alone are kept."""
    code, asserts = row.filled("canonical_solution"), row.filled("assertion")
    entry = row.filled("entry_point")
    return Problem(
        id=row.filled("task_id"),
        statement=row.filled("prompt"),
        style=InputStyle.LITERAL,
        hidden=literal_cases(asserts, (entry,)),
        entry=entry,
        source="mbppplus",
        flags=(Flag.CAPPED,),
        reference=code,
        check=asserts + "\n",
    )


def _without_numpy(check: str) -> str:
    """EvalPlus's checks need numpy for ``allclose`` alone; a sandbox may have the standard library alone."""
    return check.replace("import numpy as np", _NUMPY)


def _texts(row: Row, field: str) -> list[str]:
    if not row.has(field):
        return []
    found = row.items(field)
    if not all(isinstance(one, str) for one in found):
        raise row.fail(field, "expected a list of texts")
    return [str(one).replace("\r\n", "\n") for one in found]


def leetcode(row: Row) -> Problem:
    """LeetCodeDataset: imports in ``prompt``, entry point ``Solution().name``, ``check(candidate)``.

    Raises:
        DataError: names file, row and field.
    """
    prompt, called = row.text("prompt", ""), row.filled("entry_point")
    entry = called.rpartition(".")[2]
    solution = row.text("completion", "")
    title = row.text("task_id")
    return Problem(
        id=f"leetcode/{title}",
        title=title,
        statement=row.filled("problem_description" if "problem_description" in row.values else "query"),
        style=InputStyle.LITERAL,
        hidden=literal_cases(row.filled("test"), ("candidate", entry)),
        entry=entry,
        starter_code=row.text("starter_code", ""),
        platform="leetcode",
        date=row.date("estimated_date"),
        difficulty=row.text("difficulty", "") or None,
        source="leetcodedataset",
        tags=tuple(_texts(row, "tags")),
        reference=f"{prompt}\n{solution}" if solution else None,
        prompt_code=prompt,
        check=f"{prompt}\n{row.filled('test')}\ncheck({entry})\n",
        preamble=True,
    )
