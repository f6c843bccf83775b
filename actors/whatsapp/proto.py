"""The client library's protobuf messages, loaded without the Go library that they travel with.

`neonize/__init__` loads a shared object of many megabytes and configures logging. The generated modules know
nothing of that: they import each other by top-level names, so their directory on the path is all they need.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

__all__ = ["companion", "e2e", "history", "neonize", "package_directory"]


def package_directory() -> Path:
    """Where the client library is installed; it is looked up, not imported.

    Raises ImportError when it is not installed.
    """
    spec = importlib.util.find_spec("neonize")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("neonize, the WhatsApp client library, is not installed")
    return Path(spec.submodule_search_locations[0])


def _load(name: str) -> Any:
    """One generated module; Any, because its classes are built at run time."""
    directory = str(package_directory() / "proto")
    sys.path.insert(0, directory)
    try:
        return importlib.import_module(f"{name}_pb2")
    finally:
        sys.path.remove(directory)


companion = _load("waCompanionReg.WACompanionReg")
e2e = _load("waE2E.WAWebProtobufsE2E")
history = _load("waHistorySync.WAWebProtobufsHistorySync")
neonize = _load("Neonize")
