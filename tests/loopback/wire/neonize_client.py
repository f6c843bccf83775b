"""A real client in a process of its own: pairs through the proxy and prints what it is told to scan.

Arguments: the proxy's port, the root key to trust (hex), a file for the client's store. Trust in the TLS
authority comes from SSL_CERT_FILE, which must be in the environment this process was started with.
"""

import ctypes
import os
import re
import sys
from pathlib import Path

from neonize.client import NewClient, ProxySettings

WHATSAPP_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


def trust(root: bytes) -> None:
    """Put our root key where the library holds WhatsApp's."""
    places = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S* .*neonize-linux-.*\.so$", line)
        if found is not None:
            start, end = int(found[1], 16), int(found[2], 16)
            memory = ctypes.string_at(start, end - start)
            places += [start + at.start() for at in re.finditer(re.escape(WHATSAPP_ROOT), memory)]
    (place,) = places
    ctypes.memmove(place, root, len(root))


def show(_: object, code: bytes) -> None:
    sys.stdout.write(f"QR {code.decode()}\n")
    sys.stdout.flush()


def main() -> None:
    port, root, store = sys.argv[1:]
    trust(bytes.fromhex(root))
    client = NewClient(store, uuid="wire-test")
    client.qr(show)
    try:
        client.connect(ProxySettings(f"http://127.0.0.1:{port}"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test wants to read
        sys.stdout.write(f"ERROR {error}\n")
        sys.stdout.flush()
    os._exit(0)  # the library's threads would keep the interpreter for ever


if __name__ == "__main__":
    main()
