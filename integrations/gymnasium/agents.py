"""A random agent and an oracle on GASP's student environment: the floor and the ceiling of its rewards.

python agents.py examples/micro/goalposts.jsonl
"""

import sys
from collections.abc import Callable

import gymnasium

from gasp_env.tasks import load_goalposts
from gasp_env.types import Message

Agent = Callable[[tuple[Message, ...]], str]


def play(path: str, agent: Agent, episodes: int) -> float:
    """Mean reward of an agent."""
    env = gymnasium.make(
        "gasp_env.adapters.gymnasium:GaspStudent-v0", goalposts=path, settings={"rules.prompt_style": "compact"}
    )
    total = 0.0
    for seed in range(episodes):
        _, info = env.reset(seed=seed)
        _, reward, _, _, _ = env.step(agent(info["messages"]))
        total += float(reward)
    env.close()
    return total / episodes


def main() -> None:
    """Compare the two."""
    path = sys.argv[1]
    known = {goalpost.statement: goalpost.reference for goalpost in load_goalposts(path)}

    def oracle(messages: tuple[Message, ...]) -> str:
        program = next(code for statement, code in known.items() if statement in messages[-1].content)
        return f"```python\n{program}\n```"

    space = gymnasium.spaces.Text(200)
    print(f"random agent: mean reward {play(path, lambda _: space.sample(), 10):+.2f}")
    print(f"oracle:       mean reward {play(path, oracle, 10):+.2f}")


if __name__ == "__main__":
    main()
