"""Python source as a syntax tree: parsed, never compiled or run."""

import ast
import warnings

__all__ = ("tree_of",)


def tree_of(source: str) -> ast.Module | None:
    """The tree, None if the text is not Python.

    What Python warns of, such as an odd escape sequence, is no fault of the text here, even where warnings are errors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
