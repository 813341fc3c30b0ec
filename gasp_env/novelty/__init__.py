"""Three layers of likeness between questions: canonical code, behaviour on shared probes, embedding cosine."""

from gasp_env.novelty.behaviour import behaviour_hash, probe_inputs
from gasp_env.novelty.canonical import arity, canonical_code, code_hash
from gasp_env.novelty.embed import Embedder, HashingEmbedder, SentenceEmbedder, make_embedder, question_text

__all__ = (
    "Embedder",
    "HashingEmbedder",
    "SentenceEmbedder",
    "arity",
    "behaviour_hash",
    "canonical_code",
    "code_hash",
    "make_embedder",
    "probe_inputs",
    "question_text",
)
