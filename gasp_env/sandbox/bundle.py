"""Ships the far side as one source text that needs nothing but a Python with its standard library.

The text runs with ``python -P -s -S -c`` (no site, no user directory, no script directory). Every module in it gets builtins
of its own, so a program that patches ``builtins`` can't reach the harness, and none stays importable.
"""

from functools import cache
from importlib.resources import files

__all__ = ("source",)

_MODULES = (
    "values.canonical",
    "sandbox.guest.wire",
    "sandbox.guest.syscalls",
    "sandbox.guest.kernel",
    "sandbox.guest.landlock",
    "sandbox.guest.seccomp",
    "sandbox.guest.namespaces",
    "sandbox.guest.paths",
    "sandbox.guest.limits",
    "sandbox.guest.child",
    "sandbox.guest.zygote",
)
"""In the order of their imports."""

_LOADER = """
import builtins, sys, types
def load(sources):
    for name in ("gasp_env", "gasp_env.values", "gasp_env.sandbox", "gasp_env.sandbox.guest"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    for name, text in sources.items():
        module = types.ModuleType(name)
        module.__dict__["__builtins__"] = dict(vars(builtins))
        sys.modules[name] = module
        exec(compile(text, "<" + name + ">", "exec"), module.__dict__)
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
    main = module.main
    for name in [name for name in sys.modules if name.partition(".")[0] == "gasp_env"]:
        del sys.modules[name]
    return main
load(SOURCES)(sys.argv[2], int(sys.argv[3]))
"""


@cache
def source() -> str:
    """The program; its arguments are: anything, the zygote's settings as JSON, the control socket's descriptor."""
    sources = {f"gasp_env.{name}": _text(name) for name in _MODULES}
    return f"SOURCES = {sources!r}\n{_LOADER}"


def _text(name: str) -> str:
    *parents, last = name.split(".")
    return files("gasp_env").joinpath(*parents, f"{last}.py").read_text(encoding="utf-8")
