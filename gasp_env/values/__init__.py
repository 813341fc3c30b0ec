"""Plain values as canonical text, and how they are compared."""

from gasp_env.values.canonical import CanonicalError, contains_nan, decode, display, encode, is_canonical
from gasp_env.values.compare import CompareMode, equal

__all__ = ("CanonicalError", "CompareMode", "contains_nan", "decode", "display", "encode", "equal", "is_canonical")
