"""Play episodes of a GASP server with any OpenAI-compatible model: rewards by stage, and what a trainer would learn from.

python client.py http://localhost:8000 --policy openai:http://localhost:8001/v1 --episodes 16
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence

from gasp_env.adapters.openenv import GaspClient, RemoteEpisode, play
from gasp_env.policy import Policy, Sampling, open_policy
from gasp_env.types import Message, Role


async def episodes(url: str, policy: Policy, count: int, sessions: int) -> list[RemoteEpisode]:
    """Play ``count`` episodes, ``sessions`` at once."""
    gate = asyncio.Semaphore(sessions)

    async def sample(prompt: Sequence[Message], n: int) -> list[str | None]:
        said = await policy.generate(prompt, n=n, role=Role.STUDENT, sampling=Sampling())
        return [None if one is None else one.text for one in said]

    async def one() -> RemoteEpisode:
        async with gate, GaspClient(url) as client:
            return await play(client, sample)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def run(options: argparse.Namespace) -> None:
    """Play and print mean rewards."""
    policy = open_policy(options.policy)
    by_key: dict[str, list[float]] = defaultdict(list)
    found = await episodes(options.url, policy, options.episodes, options.sessions)
    await policy.close()
    for one in found:
        if one.reward is not None:
            by_key[one.key].append(one.reward)
    for key, rewards in sorted(by_key.items()):
        print(f"{key:24} {len(rewards):4} episodes, mean reward {sum(rewards) / len(rewards):+.3f}")
    print(f"masked: {sum(one.reward is None for one in found)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--policy", required=True, help="e.g. openai:http://localhost:8001/v1")
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--sessions", type=int, default=8)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
