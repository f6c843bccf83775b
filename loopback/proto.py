"""WhatsApp's protobuf messages, without the Go library that the package carrying them would load.

The generated modules ship inside neonize, whose own `__init__` loads a shared object of many megabytes.
They import each other by top-level names (`waAdv.WAAdv_pb2`), so putting their directory on the path for the
time of the import is enough. A process that imports neonize later gets the very same message classes.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

__all__ = [
    "adv",
    "cert",
    "common",
    "companion",
    "e2e",
    "history",
    "mmsretry",
    "serversync",
    "syncaction",
    "vname",
    "wa6",
    "web",
]


def _directory() -> str:
    """Where the generated modules are.

    Raises ImportError when neonize is not installed.
    """
    spec = importlib.util.find_spec("neonize")  # finds, does not run it
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("neonize, which carries WhatsApp's protobuf modules, is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "proto")


def _load(name: str) -> Any:
    """One generated module; Any, because its classes are built at run time."""
    directory = _directory()
    sys.path.insert(0, directory)
    try:
        return importlib.import_module(f"{name}_pb2")
    finally:
        sys.path.remove(directory)


adv = _load("waAdv.WAAdv")
cert = _load("waCert.WACert")
common = _load("waCommon.WACommon")
companion = _load("waCompanionReg.WACompanionReg")
e2e = _load("waE2E.WAWebProtobufsE2E")
history = _load("waHistorySync.WAWebProtobufsHistorySync")
mmsretry = _load("waMmsRetry.WAMmsRetry")
serversync = _load("waServerSync.WAWebProtobufsServerSync")
syncaction = _load("waSyncAction.WAWebProtobufSyncAction")
vname = _load("waVnameCert.WAWebProtobufsVnameCert")
wa6 = _load("waWa6.WAWebProtobufsWa6")
web = _load("waWeb.WAWebProtobufsWeb")
