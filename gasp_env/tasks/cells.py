"""Test cells that are base64(zlib(pickle(text))): decoded without pickle's power and within a size.

The law of this module: an unpickler that can name nothing (no global, no persistent id, no extension) and only builds
text, numbers and plain containers; what would grow beyond the limit is refused before it does.
"""

import base64
import binascii
import io
import pickle
import pickletools
import zlib
from collections import Counter
from typing import Any, cast

from gasp_env.values import load_json

__all__ = ("CELL_BYTES", "CellError", "decode_cell")

CELL_BYTES = 512 << 20
"""Most bytes of one unpacked cell."""
_DEPTH = 200
_HARMLESS = frozenset({
    "PROTO", "FRAME", "MEMOIZE", "BINPUT", "STOP", "MARK",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE",
    "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS",
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
})  # fmt: skip
"""What a pickled text, or a flat dict of texts, is made of. No GET: a memo that is read again can grow without end; no
LONG_BINPUT: its index sizes the memo."""
_NESTING = ("MARK", "EMPTY_DICT", "EMPTY_LIST")


class CellError(ValueError):
    """The cell is not a list of tests; the message says what it is instead."""


class _NamesNothing(pickle.Unpickler):
    """Reads data only."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:  # noqa: ANN401 - never returns
        raise CellError(f"a pickle that imports {module_name}.{global_name}: refused")

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - never returns
        raise CellError(f"a pickle with a persistent id ({type(pid).__name__}): refused")


def decode_cell(text: str, *, most: int = CELL_BYTES) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value of a test cell: plain JSON, or base64(zlib(pickle(JSON text or {"input_output": JSON text}))).

    Args:
        text: the cell.
        most: bytes that it may unpack to.

    Raises:
        CellError: anything else, a bomb, or a pickle that is more than text.
    """
    head = text.lstrip()[:1]
    if head in ("[", "{"):
        return _json(text)
    try:
        packed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise CellError("neither JSON nor base64") from None
    return _json(_unpickled(_unpacked(packed, most)))


def _json(text: str) -> Any:  # noqa: ANN401
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        raise CellError(f"not JSON ({error})") from None


def _unpacked(packed: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, most)
    except zlib.error as error:
        raise CellError(f"not zlib data ({error})") from None
    if stream.unconsumed_tail or (not stream.eof and len(data) >= most):
        raise CellError(f"unpacks to more than {most} bytes: refused")
    if not stream.eof:
        raise CellError("zlib data that is cut off")
    return data


def _unpickled(data: bytes) -> str:
    _check_opcodes(data)
    try:
        value = _NamesNothing(io.BytesIO(data)).load()
    except CellError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise CellError(f"not a whole pickle ({type(error).__name__})") from None
    if type(value) is dict:
        value = cast("dict[object, object]", value).get("input_output")
    if type(value) is not str:
        raise CellError(f"a pickle of {type(value).__name__}, expected text")
    return value


def _check_opcodes(data: bytes) -> None:
    names = Counter[str]()
    try:
        names.update(opcode.name for opcode, _, _ in pickletools.genops(data))
    except (ValueError, IndexError) as error:
        raise CellError(f"not a pickle ({error})") from None
    beyond = sorted(set(names) - _HARMLESS)
    if beyond:
        raise CellError(f"a pickle with {', '.join(beyond[:4])}, which is more than text: refused")
    if sum(names[name] for name in _NESTING) > _DEPTH:
        raise CellError("a pickle of many containers, expected text: refused")
