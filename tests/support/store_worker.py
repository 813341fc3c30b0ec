"""Run as a script: settles numbered lemmas on a store; killed by some tests."""

import dataclasses
import sys

from curriculum_cases import fingerprint, lemma, question

from gasp_env.config import Config
from gasp_env.store import open_curriculum


def work(url: str, name: str, first: int, last: int) -> None:
    with open_curriculum(url, Config()) as curriculum:
        for number in range(first, last):
            task_ticket = lemma(number).ticket
            curriculum.resolve(task_ticket, holder=name)
            asked = question(number) if name == "solo" else _own(number, name)
            curriculum.settle(
                lemma(number, asked=asked), episode_id=f"{name}-{number}", fingerprint=fingerprint(number)
            )
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


def _own(number: int, name: str):
    return dataclasses.replace(question(number), id=f"q{number}-{name}")


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
