"""A recorded run of the micro policy, played again by the rules of today: same stages, rewards, refusals and questions.

If a rule was changed on purpose: `python tests/golden/test_playthroughs.py` writes the expectations anew; read their diff.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gasp_env.play import RunFolder

HERE = Path(__file__).parent / "playthroughs"
GOALPOSTS = Path(__file__).parents[2] / "examples" / "micro" / "goalposts.jsonl"
EXPECTED = HERE / "micro.expected.json"


def replay(folder):
    words = ["--policy", f"replay:{HERE / 'micro.policy.jsonl'}", "--goalposts", GOALPOSTS, "--run", folder]
    more = ["--episodes", "40", "--wave", "4", "--set", "rules.prompt_style=compact", "--quiet", "--no-record"]
    subprocess.run(
        [sys.executable, "-m", "gasp_env.cli", "play", *map(str, words), *more], check=True, capture_output=True
    )
    return [told(row.result) for row in RunFolder.open(folder).transcripts]


def told(result):
    rate = result.solve_rate
    return {
        "stage": result.stage.value,
        "kind": result.kind and result.kind.value,
        "goalpost": result.goalpost_id,
        "reward": result.reward.value,
        "accepted": result.accepted,
        "refused": result.rejection and f"{result.rejection.reason.value}: {result.rejection.detail}",
        "solved": rate and f"{rate.solved}/{rate.n}",
        "question": result.question and result.question.id,
        "attempts": [one.verdict.value for one in result.attempts],
    }


def test_the_micro_policys_run(tmp_path):
    assert replay(tmp_path / "run") == json.loads(EXPECTED.read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        EXPECTED.write_text(json.dumps(replay(Path(place) / "run"), indent=1) + "\n")
