"""Pretrain the micro policy on generated pairs (plain PyTorch and transformers, CPU or CUDA).

Self-contained: needs torch, transformers, tokenizers and the tokenizer built beforehand (``build_tokenizer.py``).
The closing check samples from the policy and judges with `domain.parse` and the primitives' own callables, so no
model output is executed; ``evaluate.py`` repeats it in the project's sandbox.

    python examples/micro/pretrain.py --device cuda --minutes 6 --workers 14 --batch 512 --out DIR
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from judge import judge_policy
from pairs import draw_pair, shorten
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

__all__ = ("Settings", "main", "pretrain")

HERE = Path(__file__).parent
IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a pretraining run is made of."""

    device: str
    minutes: float
    batch: int
    lr: float
    seed: int
    workers: int
    tokenizer: Path
    out: Path
    layers: int
    width: int
    samples: int
    init: Path | None
    brief: float
    """Share of the run that trains on shortened examples."""
    steps: int
    """Stop here even if minutes are left; 0 is no limit. A run with a fixed number of steps can be repeated exactly."""


class Examples(IterableDataset[tuple[list[int], int]]):
    """An endless stream of (token ids, prompt length); each worker has its own seed."""

    def __init__(self, settings: Settings, *, brief: bool) -> None:
        super().__init__()
        self.settings = settings
        self.brief = brief

    def __iter__(self) -> Iterator[list[tuple[list[int], int]]]:
        """Batches of examples of similar length, so that little is padding."""
        info = get_worker_info()
        rng = random.Random(f"{self.settings.seed}/{self.brief}/{info.id if info else 0}")
        tokenizer = AutoTokenizer.from_pretrained(self.settings.tokenizer)
        size = self.settings.batch
        while True:
            pool = sorted((self._encode(tokenizer, rng) for _ in range(size * 8)), key=lambda e: len(e[0]))
            batches = [pool[i : i + size] for i in range(0, len(pool), size)]
            rng.shuffle(batches)
            yield from batches

    def _encode(self, tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> tuple[list[int], int]:
        made = shorten(draw_pair(rng)) if self.brief else draw_pair(rng)
        prompt = tokenizer.encode(f"<user>{made.prompt}<assistant>", add_special_tokens=False)
        answer = tokenizer.encode(f"{made.answer}<eos>", add_special_tokens=False)
        return prompt + answer, len(prompt)


def collate(batch: list[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad on the right; labels hold the answers only."""
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    labels = torch.full((len(batch), longest), IGNORED)
    for row, (tokens, start) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, start : len(tokens)] = torch.tensor(tokens[start:])
    return ids, labels


def new_model(settings: Settings, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A small Llama, or the one in ``init`` to go on with."""
    if settings.init is not None:
        return LlamaForCausalLM.from_pretrained(settings.init, dtype=torch.float32)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.width * 2,
        num_hidden_layers=settings.layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=768,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def pretrain(settings: Settings, model: LlamaForCausalLM) -> dict[str, Any]:
    """Train until time or steps are used up, on shortened examples first; returns the figures of the run."""
    model.to(settings.device).train()
    optimizers = _optimizers(settings, model)
    started, step, seen, recent = time.monotonic(), 0, 0, 0.0
    for brief in (True, False):
        for ids, labels in _loader(settings, brief=brief):
            done = _progress(settings, started, step)
            if done >= (settings.brief if brief else 1):
                break
            loss = _loss(
                model, ids.to(settings.device, non_blocking=True), labels.to(settings.device, non_blocking=True)
            )
            loss.backward()
            _update(optimizers, min(1.0, (step + 1) / 50) * min(1.0, 0.01 + (1 - done) / 0.6))
            step, seen = step + 1, seen + len(ids)
            if step % 100 == 0:
                recent = loss.item()
                print(
                    f"{time.monotonic() - started:6.0f} s  step {step}  examples {seen}  loss {recent:.4f}", flush=True
                )
    return {
        "steps": step,
        "examples": seen,
        "last_loss": round(recent, 4),
        "seconds": round(time.monotonic() - started),
    }


def _loader(settings: Settings, *, brief: bool) -> DataLoader[Any]:
    ahead = 8 if settings.workers else None
    return DataLoader(
        Examples(settings, brief=brief),
        batch_size=None,
        collate_fn=collate,
        num_workers=settings.workers,
        prefetch_factor=ahead,
    )


def _optimizers(settings: Settings, model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embeddings, norms and biases."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in named if p.ndim != 2 or ".layers." not in name]
    return [
        torch.optim.Muon(matrices, lr=10 * settings.lr, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _update(optimizers: list[torch.optim.Optimizer], scale: float) -> None:
    """One step at ``scale`` times the base learning rates."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("base_lr", group["lr"])
            group["lr"] = group["base_lr"] * scale
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _progress(settings: Settings, started: float, step: int) -> float:
    by_time = (time.monotonic() - started) / (60 * settings.minutes)
    return step / settings.steps if settings.steps else by_time


def _loss(model: LlamaForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the answers; logits are computed for answer positions only."""
    wanted = labels[:, 1:]
    places = wanted != IGNORED
    with torch.autocast(ids.device.type, torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[:, :-1][places])
    return functional.cross_entropy(logits.float(), wanted[places])


def _settings() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--tokenizer", type=Path, default=HERE / "policy")
    parser.add_argument("--out", type=Path, default=HERE / "policy")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--samples", type=int, default=40, help="questions a cell of the closing check")
    parser.add_argument("--init", type=Path, default=None, help="go on from these weights")
    parser.add_argument("--brief", type=float, default=0.4, help="share of the run on shortened examples")
    parser.add_argument("--steps", type=int, default=0)
    return Settings(**vars(parser.parse_args()))


def main() -> None:
    """Pretrain, save, check, and write the provenance."""
    settings = _settings()
    torch.manual_seed(settings.seed)
    if settings.device == "cpu":
        torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(settings.tokenizer)
    model = new_model(settings, tokenizer)
    model.set_attn_implementation("sdpa" if settings.device == "cuda" else "eager")
    figures = pretrain(settings, model)
    model.eval()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(settings.out)
    tokenizer.save_pretrained(settings.out)
    checks = judge_policy(model, tokenizer, cells=settings.samples, seed=settings.seed + 1)
    before = settings.init / "provenance.json" if settings.init else None
    record = {
        "script": "examples/micro/pretrain.py",
        "settings": {k: v for k in Settings.__slots__ if not isinstance(v := getattr(settings, k), Path)},
        "device": torch.cuda.get_device_name() if settings.device == "cuda" else "cpu, 1 thread",
        "torch": str(torch.__version__).split("+")[0],
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": figures,
        "checks_by_trusted_interpreter": checks,
        "started_from": json.loads(before.read_text()) if before and before.exists() else None,
    }
    (settings.out / "provenance.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
