"""Assertions of data sets read as tests where they are of the form ``assert f(LITERALS) == LITERAL``.

The law of this module: source text is parsed, never run; what has another form stays in the check program.
"""

import ast

from gasp_env.types import TestCase
from gasp_env.values import CanonicalError, encode
from gasp_env.values.syntax import tree_of

__all__ = ("called_name", "literal_cases")

_SOURCE_CHARS = 4 << 20


def literal_cases(source: str, names: tuple[str, ...]) -> tuple[TestCase, ...]:
    """Every assertion of the plain form, anywhere in ``source``.

    Args:
        source: Python of the data set.
        names: what the judged function is called there.
    """
    tree = _tree(source)
    found = (_case(node, names) for node in ast.walk(tree) if isinstance(node, ast.Assert)) if tree else ()
    return tuple(one for one in found if one is not None)


def called_name(tests: str, program: str) -> str | None:
    """The function of ``program`` that the assertions call; the first one called where there are several."""
    tree, solution = _tree(tests), _tree(program)
    if tree is None or solution is None:
        return None
    made = {node.name for node in solution.body if isinstance(node, ast.FunctionDef)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    named = [node.func.id for node in calls if isinstance(node.func, ast.Name) and node.func.id in made]
    return named[0] if named else None


def _tree(source: str) -> ast.Module | None:
    return tree_of(source) if len(source) <= _SOURCE_CHARS else None


def _case(node: ast.Assert, names: tuple[str, ...]) -> TestCase | None:
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return None
    call, wanted = test.left, test.comparators[0]
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in names:
        return None
    if call.keywords:
        return None
    try:
        for argument in call.args:
            ast.literal_eval(argument)
        output = encode(ast.literal_eval(wanted))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, CanonicalError):
        return None
    return TestCase(input=", ".join(ast.unparse(argument) for argument in call.args), output=output)
