"""Memory while a large test file streams: a synthetic file in LiveCodeBench's schema is written, then read row by row.

    python benchmarks/streaming.py [GIGABYTES] [ROWS]

The default has the size of the real ``test.jsonl``: 1.25 GB in 400 rows.
"""

import base64
import json
import pickle
import resource
import sys
import tempfile
import time
import zlib
from pathlib import Path
from random import Random

from gasp_env.tasks import Source

ROW = {
    "question_title": "?",
    "question_content": "?",
    "platform": "atcoder",
    "contest_id": "x",
    "contest_date": "2023-08-21T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": "[]",
    "metadata": "{}",
}


def cell(size: int, rng: Random) -> str:
    """A private test cell of about ``size`` characters: packed digits."""
    tests = [{"input": str(rng.getrandbits(1 << 16)), "output": "1", "testtype": "stdin"} for _ in range(size // 11500)]
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)), 1)).decode()


def write(path: Path, total: int, rows: int) -> None:
    """Write the file; a few cells are made and used again."""
    cells = [cell(total // rows, Random(seed)) for seed in range(4)]
    with path.open("w", encoding="ascii") as file:
        for number in range(rows):
            row = ROW | {"question_id": str(number), "question_title": str(number)}
            file.write(json.dumps(row | {"private_test_cases": cells[number % len(cells)]}) + "\n")


def rss_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main(gigabytes: float, rows: int) -> None:
    """Write, read, report."""
    sys.set_int_max_str_digits(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.jsonl"
        write(path, int(gigabytes * 1e9), rows)
        print(f"{path.stat().st_size / 1e9:.2f} GB in {rows} rows; {rss_mb():.0f} MB resident before reading")
        began, tests, seen = time.monotonic(), 0, list[float]()
        for problem in Source(path=path):
            tests += len(problem.hidden)
            seen.append(rss_mb())
        tenth = max(1, rows // 10)
        print(
            f"read {len(seen)} rows with {tests} tests in {time.monotonic() - began:.0f} s; resident MB: "
            f"first tenth at most {max(seen[:tenth]):.0f}, last tenth at most {max(seen[-tenth:]):.0f}"
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 1.25, int(given[1]) if len(given) > 1 else 400)
