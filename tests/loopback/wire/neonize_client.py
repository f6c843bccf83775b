"""A real client in a process of its own: pairs through the proxy and prints what it is told to scan.

Arguments: the proxy's port, the root key to trust (hex), a file for the client's store. Trust in the TLS
authority comes from SSL_CERT_FILE, which must be in the environment this process was started with.
"""

import os
import sys

from tests.loopback.library import trust  # first: it makes the library's import possible

# isort: split
from neonize.client import NewClient, ProxySettings


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
