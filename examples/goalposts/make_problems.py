"""Turn problems.toml into problems.jsonl (a `gasp_env.types.Goalpost` a line).

Expected values are literals of the TOML file, read with `ast.literal_eval`; no program is run here. The test suite
runs every reference against them in the sandbox. Run: ``python examples/goalposts/make_problems.py``.
"""

import ast
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from gasp_env.types import Goalpost, InputStyle, TestCase
from gasp_env.values import encode

__all__ = ("main", "problem")

HERE = Path(__file__).parent
VISIBLE = 3


def problem(row: dict[str, Any]) -> Goalpost:
    """One problem of the TOML file."""
    style = InputStyle(row["style"])
    tests = tuple(TestCase(input=given, output=_expected(style, out)) for given, out in row["tests"])
    return Goalpost(
        id=row["id"],
        statement=row["statement"].strip(),
        style=style,
        visible=tests[:VISIBLE],
        hidden=tests[VISIBLE:],
        entry=row.get("entry", "f"),
        starter_code=row.get("starter_code", ""),
        reference=row["reference"].strip() + "\n",
        source="examples/goalposts/problems.toml",
        difficulty=row["difficulty"],
        tags=tuple(row["tags"]),
    )


def _expected(style: InputStyle, text: str) -> str:
    return text if style is InputStyle.STDIN else encode(ast.literal_eval(text))


def main() -> None:
    """Write the file."""
    rows = tomllib.loads((HERE / "problems.toml").read_text())["problem"]
    problems = [problem(row) for row in rows]
    (HERE / "problems.jsonl").write_bytes(b"".join(msgspec.json.encode(p) + b"\n" for p in problems))
    print(f"{len(problems)} problems written")


if __name__ == "__main__":
    main()
