"""Trainers' ready files, packed into the wheel under ``gasp_env/recipes``.

From a source checkout they are found in ``integrations/`` beside the package.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from gasp_env.errors import ConfigError

__all__ = ("ENTRY_FILES", "copy_recipe", "entry_file", "recipe_names")

ENTRY_FILES = {"openrlhf": ("openrlhf", "agent.py"), "openrlhf-reward": ("openrlhf", "reward.py")}
"""Name -> recipe and file."""
_SKIPPED = ("__pycache__", ".pytest_cache")


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes."""
    return tuple(sorted(_recipes()))


def copy_recipe(name: str, to: Path) -> tuple[Path, ...]:
    """Copy a recipe's files and return their new paths.

    Raises:
        ConfigError: no such recipe, or a file is already there (nothing is copied then).
    """
    found = _recipes()
    if name not in found:
        raise ConfigError(f"recipe: unknown {name!r}; choose one of {', '.join(sorted(found)) or '(none is packed)'}")
    pairs = [(source, to / place) for source, place in _walk(found[name], Path())]
    taken = [target for _, target in pairs if target.exists()]
    if taken:
        raise ConfigError(f"recipe: {taken[0]} exists; copy to another folder with --to")
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        if target.suffix == ".sh":
            target.chmod(target.stat().st_mode | 0o111)
    return tuple(target for _, target in pairs)


def entry_file(name: str) -> Path:
    """The installed file that a trainer's option names.

    Raises:
        ConfigError: no such file.
    """
    if name not in ENTRY_FILES:
        raise ConfigError(f"path: unknown {name!r}; choose one of {', '.join(ENTRY_FILES)}")
    recipe, file = ENTRY_FILES[name]
    found = _recipes().get(recipe)
    if found is None or not (found / file).is_file():
        raise ConfigError(f"path: {file} of {recipe} is not packed in this installation")
    return Path(str(found / file)).resolve()


def _recipes() -> dict[str, Traversable]:
    package = files("gasp_env")
    roots: list[Traversable] = [package / "recipes"]
    if isinstance(package, Path):
        roots.append(package.parent / "integrations")
    found: dict[str, Traversable] = {}
    for root in roots:
        if root.is_dir():
            found |= {one.name: one for one in root.iterdir() if one.is_dir() and one.name not in _SKIPPED}
    return found


def _walk(folder: Traversable, place: Path) -> Iterator[tuple[Traversable, Path]]:
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.name in _SKIPPED or one.name.endswith(".pyc"):
            continue
        if one.is_dir():
            yield from _walk(one, place / one.name)
        else:
            yield one, place / one.name
