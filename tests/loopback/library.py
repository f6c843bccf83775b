"""The unmodified client library, imported in a process of its own and made to trust a network of ours."""

import ctypes
import os
import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHATSAPP_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")

# The library imports python-magic, which wants the system's libmagic, for helpers that nobody calls here.
sys.modules.setdefault("magic", types.ModuleType("magic"))


def environment(pem: Path, empty: Path) -> dict[str, str]:
    """What a process of the library has to be started with to trust `pem`'s authority alone."""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return ours | {"SSL_CERT_FILE": str(pem), "SSL_CERT_DIR": str(empty), "PYTHONPATH": str(ROOT)}


def trust(root: bytes) -> None:
    """Put our root key where the library, which must be loaded, holds WhatsApp's."""
    places = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S* .*neonize-linux-.*\.so$", line)
        if found is not None:
            start, end = int(found[1], 16), int(found[2], 16)
            memory = ctypes.string_at(start, end - start)
            places += [start + at.start() for at in re.finditer(re.escape(WHATSAPP_ROOT), memory)]
    (place,) = places
    ctypes.memmove(place, root, len(root))
