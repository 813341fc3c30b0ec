"""Plain values as canonical text, and how they are compared."""

from gasp_env.values.canonical import CanonicalError, contains_nan, decode, encode, is_canonical
from gasp_env.values.compare import CompareMode, equal
from gasp_env.values.display import display
from gasp_env.values.longints import dump_json, load_json

__all__ = (
    "CanonicalError",
    "CompareMode",
    "contains_nan",
    "decode",
    "display",
    "dump_json",
    "encode",
    "equal",
    "is_canonical",
    "load_json",
)
