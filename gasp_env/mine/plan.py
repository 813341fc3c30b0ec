"""What is asked of whom: rounds of checkpoints, and the stages in which a problem earns its full number of answers.

The paper's rounds (section 1.2): 1. every checkpoint of three RLVR runs, 2. an AZR checkpoint, 3. one more RLVR run; what
any of them solves in 100 answers is no goalpost. Pure.
"""

from dataclasses import dataclass

from gasp_env.errors import ConfigError

__all__ = ("Checkpoint", "Plan", "parse_checkpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One model of one round."""

    round: str
    name: str
    answers: str
    """Policy, or sample file."""
    saved: bool = False
    """True for a sample file."""

    @property
    def key(self) -> str:
        """Names it in the evidence."""
        return f"{self.round}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rounds in their order of first mention."""

    checkpoints: tuple[Checkpoint, ...]
    n: int = 100
    """Answers that a goalpost fails at every checkpoint."""
    stages: tuple[int, ...] = (4, 16)
    """Answers after which solved problems leave; the full number follows."""
    batch: int = 16
    """Most answers asked for at once: the first right one ends the asking."""

    def __post_init__(self) -> None:
        """Refuse a plan that decides nothing.

        Raises:
            ConfigError: names what is wrong.
        """
        if not self.checkpoints:
            raise ConfigError(
                "--checkpoint or --samples: give at least one, e.g. 1:base=openai:http://localhost:8000/v1"
            )
        keys = [one.key for one in self.checkpoints]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ConfigError(f"--checkpoint: {twice[0]} is given twice; names must differ within a round")
        if self.n < 1 or self.batch < 1 or any(stage < 1 for stage in self.stages):
            raise ConfigError("--n and --stages: expected at least 1 answer")

    @property
    def rounds(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(dict.fromkeys(one.round for one in self.checkpoints))

    @property
    def targets(self) -> tuple[int, ...]:
        """Answers a problem has had after each stage; the last is the full number."""
        return (*sorted({stage for stage in self.stages if stage < self.n}), self.n)

    def of_round(self, name: str) -> tuple[Checkpoint, ...]:
        """Its checkpoints."""
        return tuple(one for one in self.checkpoints if one.round == name)


def parse_checkpoint(text: str, *, saved: bool) -> Checkpoint:
    """Read ``ROUND:NAME=POLICY_OR_FILE``.

    Raises:
        ConfigError: another form.
    """
    label, equals, answers = text.partition("=")
    group, colon, name = label.partition(":")
    if not (equals and colon and group.strip() and name.strip() and answers.strip()):
        option = "--samples" if saved else "--checkpoint"
        raise ConfigError(f"{option}: got {text!r}; expected ROUND:NAME={'FILE' if saved else 'POLICY'}")
    return Checkpoint(round=group.strip(), name=name.strip(), answers=answers.strip(), saved=saved)
