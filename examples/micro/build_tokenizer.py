"""Build the micro policy's tokenizer: byte-level BPE, trained on the domain's own text.

Every byte has a token, so any text round-trips exactly; fences and the skeleton of a program are single tokens, so
answers stay short. Run: ``python examples/micro/build_tokenizer.py --out examples/micro/policy``.
"""

import argparse
import random
from pathlib import Path

from pairs import draw_pair
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

__all__ = ("build", "main")

SPECIAL = ("<pad>", "<eos>", "<user>", "<assistant>")
SKELETON = (
    "```python\n",
    "```inputs\n",
    "```message\n",
    "```output\n",
    "```input\n",
    "\n```",
    "\n```python\n",
    "\n```\n```python\n",
    "\n```\n```inputs\n",
    "\n```\n```message\n",
    "def f(xs):",
    "\n    xs = ",
    "\n    return ",
    " for x in xs",
    "]\nf([",
    "f([",
    "]) == [",
    "]\n[",
)
WORDS = Regex(r", -?\d+| ?-?\d+| ?[A-Za-z_]+|\n +| ?(?:[^\s\w,-]|-(?!\d))+|,|-|\s+")
TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'assistant' %}<assistant>{% generation %}{{ m['content'] }}<eos>{% endgeneration %}"
    "{% else %}<user>{{ m['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
VOCABULARY = 672
MAX_LENGTH = 768


def build(seed: int = 0, examples: int = 6000) -> PreTrainedTokenizerFast:
    """Train on ``examples`` pairs drawn with ``seed``."""
    rng = random.Random(seed)
    drawn = (draw_pair(rng) for _ in range(examples))
    texts = [text for made in drawn for text in (made.prompt, made.answer)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SKELETON),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without_skeleton(texts), trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in SKELETON])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        eos_token="<eos>",  # noqa: S106
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template=TEMPLATE,
        padding_side="left",
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def _without_skeleton(texts: list[str]) -> list[str]:
    """Training text with the skeleton cut out, so that no merge is spent on it."""
    out = []
    for text in texts:
        rest = text
        for piece in SKELETON:
            rest = rest.replace(piece, "\0")
        out.extend(part for part in rest.split("\0") if part)
    return out


def main() -> None:
    """Write the tokenizer's files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "policy")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tokenizer = build(args.seed)
    tokenizer.save_pretrained(args.out)
    print(f"{len(tokenizer)} tokens written to {args.out}")


if __name__ == "__main__":
    main()
