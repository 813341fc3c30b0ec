"""Runs the attack corpus at every level and writes the table of what each attack met.

    python benchmarks/attacks.py docs/attacks.md

L0 has no walls, so there each attack gets a throw-away world of its own around the whole check: another user, namespaces, a file
system without write access, few processes, and an end after some seconds. What the corpus reports at L0 is what a wall is for.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gasp_env.errors import SandboxUnavailable
from gasp_env.sandbox import open_local
from gasp_env.sandbox.corpus import ATTACKS, Finding, HostWatch, run_attack, run_corpus

ROOT = Path(__file__).resolve().parents[1]
NOBODY = 65534
LIFE_S = 40
ALONE = """
mount -o remount,ro,bind / 2>/dev/null; mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm
ip link set lo up 2>/dev/null; ulimit -u 400; exec "$@"
"""
CODE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
import attacks
attacks.one(sys.argv[3])
"""


def told(finding: Finding) -> str:
    """One cell of the table."""
    verdicts = "/".join(finding.verdicts)
    return f"**{'; '.join(finding.problems)}**" if finding.problems else verdicts


async def held(level: str) -> dict[str, str]:
    """Cells of a level with walls."""
    try:
        async with await open_local(level=level, require="L1", slots=1) as sandbox:
            found = await run_corpus(sandbox, ATTACKS)
    except SandboxUnavailable as error:
        print(f"no {level}: {error}", file=sys.stderr)
        return {}
    print(level, sum(bool(one.problems) for one in found), "of", len(found), "got through", flush=True)
    return {one.attack.id: told(one) for one in found}


def one(name: str) -> None:
    """Run one attack at L0 and print its cell; only inside a throw-away world."""

    async def go() -> Finding:
        async with await open_local(level="L0", require="L0", slots=1) as sandbox:
            with HostWatch() as watch:
                return await run_attack(sandbox, next(one for one in ATTACKS if one.id == name), watch)

    print(told(asyncio.run(go())), flush=True)


def bare(folder: Path, name: str) -> str:
    """A cell of L0."""
    wall = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc"]
    python = next(path for path in ("/usr/bin/python3", sys.executable) if Path(path).exists())
    inner = [python, "-B", "-c", CODE, str(folder), str(folder / "benchmarks"), name]
    try:
        done = subprocess.run(
            [*wall, "bash", "-c", ALONE, "bash", *inner],
            user=NOBODY if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIFE_S,
            cwd="/",
            env={"PATH": os.environ["PATH"]},
        )
    except subprocess.TimeoutExpired:
        return "**the host did not come back**"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        print(name, done.returncode, done.stderr.strip()[-300:], file=sys.stderr)
        return "**the host was ended**"
    return lines[-1]


def main() -> None:
    """Run all levels, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    columns = {level: asyncio.run(held(level)) for level in ("L3", "L2", "L1")}
    with tempfile.TemporaryDirectory(prefix="gasp-env-attacks-", dir="/var/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        for part in ("gasp_env", "benchmarks"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        columns["L0"] = {one.id: bare(folder, one.id) for one in ATTACKS}
    lines = [
        "# The attack corpus, level by level",
        "",
        "Made by `benchmarks/attacks.py`. A cell says how the attack ended; **bold** is an effect that it had. L0 has no walls: it is here to show",
        "what they hold off, and that the corpus notices.",
        "",
        "| | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
        "| got through | "
        + " | ".join(f"{sum('**' in one for one in cells.values())} of {len(cells)}" for cells in columns.values())
        + " |",
        "",
        "| attack | tries | " + " | ".join(columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for attack in ATTACKS:
        title = attack.title.replace("|", "\\|")
        cells = " | ".join(cells.get(attack.id, "").replace("|", "\\|") for cells in columns.values())
        lines.append(f"| {attack.id} | {title} | {cells} |")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
