"""Canonical text as people and models read it: Python's own notation, long whole numbers in hexadecimal.

Python refuses to write numbers of more than 4300 digits in decimal, since that takes quadratic time; programs return them.
"""

from typing import Any

from gasp_env.values.canonical import decode, kind_of

__all__ = ("display",)


def display(text: str) -> str:
    """Python source of the value of a canonical text, as ``repr`` writes it; for prompts, reports and programs.

    Never for comparison.
    """
    return _source(decode(text))


def _source(value: Any) -> str:  # noqa: ANN401 - any plain value
    try:
        return repr(value)
    except ValueError:  # a long number, or one within
        pass
    kind = kind_of(value)
    if kind is int:
        return hex(value)
    if kind is dict:
        return "{" + ", ".join(f"{_source(key)}: {_source(item)}" for key, item in value.items()) + "}"
    if kind is list:
        return f"[{', '.join(map(_source, value))}]"
    if kind is tuple:
        return f"({', '.join(map(_source, value))}{',' * (len(value) == 1)})"
    return f"{kind.__name__}([{', '.join(map(_source, value))}])"
