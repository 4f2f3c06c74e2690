"""Which module a file is, and a function of it: by that name its pod finds it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fairlead.sdk.mistakes import Mistake


def named(path: Path) -> tuple[Path, str]:
    """The folder from which a file is imported, and its name as a module: folders with an `__init__.py` are
    packages."""
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file() and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    if not all(part.isidentifier() for part in parts):
        raise Mistake(f"{path} can't be imported: a module's name has letters, digits and _ only")
    return root, ".".join(parts)


def load(path: Path) -> ModuleType:
    """Import a file as its pod will. Raises FileNotFoundError; Mistake if its name is another module's; and whatever
    the module raises."""
    found = path.resolve(strict=True)
    root, name = named(found)
    sys.path.insert(0, str(root))
    module = importlib.import_module(name)
    if getattr(module, "__file__", None) is None or Path(str(module.__file__)).resolve() != found:
        raise Mistake(f"{path} has the name of another module, {name}: rename the file")
    return module


def module_of(function: Callable[..., Any]) -> str:
    """The module of a function; of a program that is run as a file, what that file is called when it is imported."""
    if function.__module__ != "__main__":
        return function.__module__
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        raise Mistake(f"{function.__name__} is defined in no file: its pod could not find it")
    return named(Path(file).resolve())[1]
