"""The shape of the package: light imports, small functions, complete ``__all__``."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gasp_env
from gasp_env.errors import MissingExtra

ROOT = Path(gasp_env.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = (
    "torch",
    "transformers",
    "trl",
    "ray",
    "vllm",
    "datasets",
    "sentence_transformers",
    "gymnasium",
    "verifiers",
    "e2b",
)
MODULES = [module.name for module in pkgutil.walk_packages(gasp_env.__path__, "gasp_env.")]
LONGER = {"types.py": 480}  # one file of nouns, most of it their documentation


def test_importing_the_package_loads_the_standard_library_only():
    code = "import sys; before = set(sys.modules); import gasp_env; print(*(set(sys.modules) - before))"
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    outside = {name.split(".")[0] for name in new} - set(sys.stdlib_module_names) - {"gasp_env"}
    assert not outside


def test_no_module_but_its_adapter_loads_a_trainer():
    modules = [name for name in MODULES if not name.startswith("gasp_env.adapters.")]
    code = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGER.get(path.name, 400)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= 50, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_listed(name):
    try:
        module = importlib.import_module(name)
    except MissingExtra as error:
        pytest.skip(str(error))
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    listed = set(getattr(module, "__all__", ()))
    assert defined <= listed, f"not in __all__: {defined - listed}"


def test_nothing_model_written_is_evaluated_outside_the_sandbox_child():
    allowed = {"sandbox"}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in (("pickle", "loads"), ("pickle", "load")), (
                    f"{path}:{node.lineno}"
                )
