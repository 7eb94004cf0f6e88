"""Finding what a setting names: `module:function`."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def imported(path: str) -> Any:
    """What `module:name` leads to.

    Raises
    ------
    ValueError
        Saying why it leads nowhere, whatever the module raised.
    """
    module, _, name = path.partition(":")
    if not (module and name):
        raise ValueError("must be 'module:function'")
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        raise ValueError(f"cannot be imported ({type(error).__name__}: {error})") from error
