r"""GASP with SkyRL's trainer: its own entry point, with our generator in place of its text-environment generator.

    GASP_RUN=runs/first python train.py data.train_data='["tickets.jsonl"]' environment.env_class=gasp \
        environment.skyrl_gym.max_env_workers=64 ...

`train.sh` next to this file gives every option of the paper's recipe.
"""

import sys
from typing import Any

import ray
from skyrl.backends.skyrl_train.inference_servers.utils import resolve_policy_model_name
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.trainer import RayPPOTrainer
from skyrl.train.utils import validate_cfg
from skyrl.train.utils.utils import initialize_ray

from gasp_env.adapters.skyrl import gasp_generator, gasp_trainer


class GaspExp(BasePPOExp):
    """SkyRL's experiment with GASP's generator."""

    def get_generator(self, cfg: Any, tokenizer: Any, inference_engine_client: Any) -> Any:  # noqa: ANN401
        """The generator that lends the trained policy to solve-rate probes and masks faults."""
        return gasp_generator()(
            generator_cfg=cfg.generator,
            skyrl_gym_cfg=cfg.environment.skyrl_gym,
            inference_engine_client=inference_engine_client,
            tokenizer=tokenizer,
            policy_model_name=resolve_policy_model_name(cfg),
        )

    def get_trainer(self, **parts: Any) -> Any:  # noqa: ANN401
        """The trainer that keeps the curriculum with its checkpoints."""
        return gasp_trainer(RayPPOTrainer)(**parts)


@ray.remote(num_cpus=1)
def train(cfg: SkyRLTrainConfig) -> None:
    """Run in a Ray worker, as SkyRL's own entry point does."""
    GaspExp(cfg).run()


def main() -> None:
    """Read the command line and train."""
    cfg = SkyRLTrainConfig.from_cli_overrides(sys.argv[1:])
    validate_cfg(cfg)
    initialize_ray(cfg)
    ray.get(train.remote(cfg))


if __name__ == "__main__":
    main()
