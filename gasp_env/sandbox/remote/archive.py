"""Packs what the far end needs of this package into one zip that Python runs."""

import io
import zipfile
from functools import cache
from importlib.resources import files

__all__ = ("archive",)

_PARTS = (
    "__init__.py",
    "types.py",
    "errors.py",
    "config.py",
    "sandbox/__init__.py",
    "sandbox/protocol.py",
    "sandbox/choose.py",
    "sandbox/bundle.py",
    "sandbox/remote/__init__.py",
    "sandbox/remote/agent.py",
    "sandbox/remote/codec.py",
)
_FOLDERS = ("values", "sandbox/guest", "sandbox/local")
_MAIN = "import sys\nfrom gasp_env.sandbox.remote.agent import main\nsys.exit(main(sys.argv[1:]))\n"


@cache
def archive() -> bytes:
    """The zip; equal for equal sources."""
    root = files("gasp_env")
    names = [*_PARTS]
    for folder in _FOLDERS:
        found = root.joinpath(*folder.split("/")).iterdir()
        names += sorted(f"{folder}/{one.name}" for one in found if one.name.endswith(".py"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("__main__.py"), _MAIN, zipfile.ZIP_DEFLATED)
        for name in names:
            made.writestr(
                zipfile.ZipInfo(f"gasp_env/{name}"), root.joinpath(*name.split("/")).read_bytes(), zipfile.ZIP_DEFLATED
            )
    return packed.getvalue()
