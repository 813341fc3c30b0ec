r"""GASP with TRL's GRPOTrainer on any Hugging Face model.

    python train.py --model Qwen/Qwen2.5-Coder-7B --goalposts goalposts.jsonl --run-dir runs/first --steps 500

Started again with the same arguments it goes on from the newest checkpoint. Under `accelerate launch` each process
plays its share; give --store postgresql://... when processes live on more than one machine.
"""

import argparse
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig

from gasp_env.adapters.trl import Gasp, GaspGRPOTrainer
from gasp_env.config import load_config, overrides
from gasp_env.errors import GaspError
from gasp_env.tasks import load_goalposts


def parse() -> argparse.Namespace:
    """Read the command line; every other setting of TRL is in `trainer_config`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="Hugging Face name or folder, with a chat template")
    parser.add_argument("--goalposts", required=True, type=Path, help="JSON lines (gasp-env play --help)")
    parser.add_argument("--run-dir", required=True, type=Path, help="run folder")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--save-steps", type=int, default=25)
    parser.add_argument("--batch", type=int, default=64, help="episodes a step and process")
    parser.add_argument("--group", type=int, default=4, help="episodes that share a ticket (num_generations)")
    parser.add_argument("--max-tokens", type=int, default=2048, help="of one completion")
    parser.add_argument("--learning-rate", type=float, default=1e-6)
    parser.add_argument("--store", help="curriculum's address; default: SQLite in the run folder")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="e.g. profile=azr rules.rollouts=8")
    parser.add_argument("--cpu", action="store_true", help="train on the CPU, in float32")
    return parser.parse_args()


def trainer_config(options: argparse.Namespace) -> GRPOConfig:
    """The paper's optimiser settings: no KL, constant rate, one pass over each batch."""
    return GRPOConfig(
        output_dir=str(options.run_dir / "checkpoints"),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        num_generations=options.group,
        max_completion_length=options.max_tokens,
        learning_rate=options.learning_rate,
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        beta=0.0,
        scale_rewards="none",
        save_steps=options.save_steps,
        logging_steps=1,
        report_to=[],
        use_cpu=options.cpu,
        bf16=not options.cpu,
        seed=0,
    )


def main() -> None:
    """Train, or go on with training."""
    options = parse()
    config = load_config(None, overrides(options.set))
    goalposts = load_goalposts(options.goalposts)
    args = trainer_config(options)  # before Gasp.open: it sets up the processes
    facts = {name: getattr(options, name) for name in ("steps", "batch", "group", "learning_rate")}
    with Gasp.open(
        options.run_dir, config=config, goalposts=goalposts, name=options.model, trainer=facts, store_url=options.store
    ) as gasp:
        trainer = GaspGRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(options.model),
            processing_class=AutoTokenizer.from_pretrained(options.model),
            args=args,
            train_dataset=gasp.dataset(rows=options.steps * options.batch),
            rollout_func=gasp.rollout,
            reward_funcs=gasp.reward,
            callbacks=[gasp.callback()],
        )
        trainer.train(resume_from_checkpoint=gasp.last_checkpoint(args.output_dir))
        trainer.save_model(str(options.run_dir / "model"))


if __name__ == "__main__":
    try:
        main()
    except GaspError as error:
        sys.exit(f"error: {error}")
