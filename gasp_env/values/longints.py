"""JSON with whole numbers of more digits than Python converts by default (4300): data sets hold them.

The interpreter's own limit stays as it is, for the rest of the process; decimals, which have none, convert these.
"""

import json
from decimal import Decimal
from typing import Any, cast

__all__ = ("MOST_DIGITS", "dump_json", "load_json")

MOST_DIGITS = 50_000
"""Of one number, as LiveCodeBench's grader allows. The time of a conversion grows with the square of the length: 0.1 s here."""


def load_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """`json.loads`, numbers of up to `MOST_DIGITS` digits included.

    Raises:
        ValueError: not JSON, or a longer number.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; {MOST_DIGITS} are the most")
    return int(Decimal(digits))


def dump_json(value: object) -> str:
    """`json.dumps` of plain JSON data, long numbers included."""
    try:
        return json.dumps(value)
    except ValueError:
        pass
    if isinstance(value, list):
        return f"[{', '.join(dump_json(one) for one in cast('list[object]', value))}]"
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return f"{{{', '.join(f'{json.dumps(key)}: {dump_json(one)}' for key, one in pairs)}}}"
    return str(Decimal(cast("int", value)))
