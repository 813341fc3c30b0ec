"""GASP inside TRL's `GRPOTrainer`: tickets as the dataset, a rollout function, one reward, a callback.

    gasp = Gasp.open("runs/first", config=profile("gasp"), goalposts=load_goalposts("goalposts.jsonl"))
    trainer = GaspGRPOTrainer(
        model=model,
        args=GRPOConfig(output_dir="runs/first/checkpoints", max_steps=200),
        train_dataset=gasp.dataset(rows=10_000),
        rollout_func=gasp.rollout,
        reward_funcs=gasp.reward,
        callbacks=[gasp.callback()],
    )
    trainer.train(resume_from_checkpoint=gasp.last_checkpoint("runs/first/checkpoints"))

A dataset row is a ticket; what it asks for is drawn when it is played, so a trainer may prefetch and skip rows. Every
member of a TRL group plays the same ticket. Solve rates are measured with the very weights that are trained.

The law of this module: it plays no rule of the game; what an infrastructure fault touched has reward None, which TRL
masks; what is trained are the sampled token ids; each checkpoint holds its curriculum.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from gasp_env._optional import require, require_version
from gasp_env.errors import ConfigError
from gasp_env.play import CURRICULUM_FILE, Played, Seat, Session, TokenSpan, read_ticket, seat_seed, trained_tokens
from gasp_env.policy import Policy, Sampling, TransformersPolicy
from gasp_env.stats import whiten

__all__ = ("Gasp", "GaspGRPOTrainer")

require_version("trl", at_least="1.16", below="1.17", extra="trl")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # the rollout function is an experimental seam; TRL is pinned
_trl: Any = require("trl", extra="trl")
_transformers: Any = require("transformers", extra="trl")
_accelerate: Any = require("accelerate", extra="trl")
_gather: Any = require("accelerate.utils", extra="trl").gather_object
_datasets: Any = require("datasets", extra="trl")

Rollouts = dict[str, list[Any]]


class Gasp:
    """The pieces that `GRPOTrainer` takes. One a process."""

    def __init__(self, session: Session, *, policy: Policy | None = None, concurrency: int = 256) -> None:
        """Hold the run.

        Args:
            session: the run, open.
            policy: samples instead of the trainer's own model; its completions must carry token ids and be sampled from
                the current weights. Needed with ``use_vllm`` and with sharded weights (FSDP, ZeRO-3).
            concurrency: episodes at once.
        """
        self.session, self._given, self._concurrency = session, policy, concurrency
        self._own: TransformersPolicy | None = None
        self._step, self._calls = -1, 0

    @classmethod
    def open(cls, path: Path | str, *, policy: Policy | None = None, new: bool = False, **options: Any) -> Self:  # noqa: ANN401
        """Open the run of this training job, on the main process first; further options are those of `Session.open`.

        With several processes make the `GRPOConfig` before: it sets the process group up.
        """
        processes = _accelerate.PartialState()
        with processes.main_process_first():
            session = Session.open(path, new=new, main=processes.is_main_process, **options)
        return cls(session, policy=policy)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the session."""
        self.session.close()

    def dataset(self, rows: int) -> Any:  # noqa: ANN401 - datasets.Dataset
        """The first ``rows`` tickets of the run, one a row, in the column ``prompt``."""
        return _datasets.Dataset.from_dict({"prompt": self.session.tickets(rows)})

    def rollout(self, prompts: Sequence[str], trainer: Any) -> Rollouts:  # noqa: ANN401 - GRPOTrainer
        """TRL's ``rollout_func``: play the tickets with the trainer's weights.

        Raises:
            ConfigError: the trainer generates elsewhere and no policy was given.
            DataError: a prompt is no ticket.
        """
        args, state = trainer.args, trainer.state
        self.session.arena.sampling = Sampling(
            temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_completion_length
        )
        self._calls = self._calls + 1 if state.global_step == self._step else 0
        self._step = state.global_step
        name = f"trl-{self._step}-{self._calls}-{trainer.accelerator.process_index}"
        seats = [self._seat(prompt, f"{name}-{place}") for place, prompt in enumerate(prompts)]
        played = self.session.play(seats, policy=self._policy(trainer), concurrency=self._concurrency)
        self._log(played, trainer)
        return _rollouts(played, trainer)

    def reward(self, gasp_reward: list[float | None], **_: object) -> list[float | None]:
        """TRL's reward function: what the game paid; None masks the sample."""
        return gasp_reward

    def callback(self) -> Any:  # noqa: ANN401 - TrainerCallback
        """Save the curriculum with every checkpoint; go back to it when training resumes."""
        return _callback(self)

    @staticmethod
    def last_checkpoint(folder: Path | str) -> str | None:
        """The newest checkpoint that holds its curriculum, for ``resume_from_checkpoint``; None if there is none.

        A run killed while it wrote a checkpoint leaves one that does not; training goes on from the one before.
        """
        found = [file.parent for file in Path(folder).glob(f"checkpoint-*/{CURRICULUM_FILE}")]
        newest = max(found, key=lambda one: int(one.name.rpartition("-")[2]), default=None)
        return None if newest is None else str(newest)

    def begin(self, step: int, checkpoint: Path | None) -> None:
        """Go to the curriculum of a step, on the main process; the others wait."""
        processes = _accelerate.PartialState()
        if processes.is_main_process:
            self.session.begin(step, checkpoint)
        processes.wait_for_everyone()

    def _seat(self, prompt: str, episode_id: str) -> Seat:
        return Seat(ticket=read_ticket(prompt), episode_id=episode_id, seed=seat_seed(episode_id, self.session.config))

    def _policy(self, trainer: Any) -> Policy:  # noqa: ANN401
        if self._given is not None:
            return self._given
        if trainer.use_vllm or trainer.is_fsdp_enabled or getattr(trainer, "is_deepspeed_enabled", False):
            raise ConfigError(
                "policy: none, and the trainer's weights are not whole in this process (vLLM, FSDP or DeepSpeed); "
                "give Gasp.open(policy=OpenAIPolicy(url, extra_body={'return_token_ids': True})) of a server with these weights"
            )
        if self._own is None:
            model = trainer.accelerator.unwrap_model(trainer.model)
            self._own = TransformersPolicy(model, trainer.processing_class)
        self._own.policy_version = str(trainer.state.global_step)
        return self._own

    def _log(self, played: Sequence[Played], trainer: Any) -> None:  # noqa: ANN401
        """Transcripts of all processes in one file; figures in the trainer's own log."""
        mode = "train" if trainer.model.training else "eval"
        rewards: dict[str, list[float]] = defaultdict(list)
        for one in played:
            if one.result.reward.value is not None:
                rewards[one.result.baseline_key].append(one.result.reward.value)
        for key, values in rewards.items():
            trainer._metrics[mode][f"gasp/reward/{key}"].append(sum(values) / len(values))  # noqa: SLF001
        main = trainer.accelerator.is_main_process
        counts = self.session.log(_gather(self.session.rows(played)), write=main, step=float(trainer.state.global_step))
        for name, value in (counts | self.session.curriculum.metrics()).items():
            trainer._metrics[mode][f"gasp/{name}"].append(value)  # noqa: SLF001


class GaspGRPOTrainer(_trl.GRPOTrainer):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
    """`GRPOTrainer` with the paper's advantages: task-relative REINFORCE++ (one baseline a role, stage and kind).

    The plain trainer works too; its baseline is the ticket's own group, ``num_generations`` samples.

    Attributes:
        whiten_tokens: weigh each sequence by its trained tokens, as AZR's code does; the paper does not.
    """

    whiten_tokens = False

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        parent: Any = super()
        output: dict[str, Any] = parent._generate_and_score_completions(inputs)  # noqa: SLF001 - TRL's only seam
        lengths: list[float] = (output["tool_mask"] * output["completion_mask"]).sum(dim=1).tolist()
        mine = [(one["gasp_reward"], one["gasp_key"], length) for one, length in zip(inputs, lengths, strict=True)]
        rewards, keys, sizes = zip(*_gather(mine), strict=True)
        whitened = whiten(rewards, keys, lengths=[int(one) for one in sizes] if self.whiten_tokens else None)
        start = self.accelerator.process_index * len(mine)
        advantages = [one or 0.0 for one in whitened.advantages[start : start + len(mine)]]
        output["advantages"] = output["advantages"].new_tensor(advantages)
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["gasp/flat_groups"].append(float(len(whitened.flat_groups)))
        return output


def _rollouts(played: Sequence[Played], trainer: Any) -> Rollouts:  # noqa: ANN401
    nothing = int(trainer.processing_class.eos_token_id)
    spans = [trained_tokens(one.trained) or _silent(nothing) for one in played]
    return {
        "prompt_ids": [list(one.prompt_ids) for one in spans],
        "completion_ids": [list(one.completion_ids) for one in spans],
        "logprobs": [list(one.logprobs) for one in spans],
        "env_mask": [list(one.mask) for one in spans],
        "gasp_reward": [one.result.reward.value for one in played],
        "gasp_key": [one.result.baseline_key for one in played],
    }


def _silent(token: int) -> TokenSpan:
    """Stands where nothing was sampled; its reward is None and it is masked."""
    return TokenSpan(prompt_ids=(token,), completion_ids=(token,), logprobs=(0.0,), mask=(0,), turns=0)


def _callback(gasp: Gasp) -> Any:  # noqa: ANN401
    class GaspCallback(_transformers.TrainerCallback):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
        """Ties the curriculum to the trainer's checkpoints."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
            step = int(state.global_step)
            gasp.begin(step, Path(args.output_dir) / f"checkpoint-{step}")

        def on_save(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
            if state.is_world_process_zero:
                step = int(state.global_step)
                gasp.session.save(step, Path(args.output_dir) / f"checkpoint-{step}")

    return GaspCallback()
