"""The one place where an optional package is imported, with the install line on absence."""

import importlib
from types import ModuleType

from gasp_env.errors import MissingExtra

__all__ = ("require",)


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module`` or say which extra brings it.

    Raises:
        MissingExtra: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise
        message = f"{module!r} is not installed; run: pip install 'gasp-env[{extra}]'"
        raise MissingExtra(message) from error
