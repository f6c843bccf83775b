"""The protobuf modules come without the client library, and do not get in its way."""

import subprocess
import sys

PROGRAM = """
import pathlib, sys
before = list(sys.path)
from loopback.proto import e2e
assert sys.path == before
assert "neonize" not in sys.modules
assert "neonize-" not in pathlib.Path("/proc/self/maps").read_text()
import tests.loopback.library  # which lets it be imported without libmagic
import neonize
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message
assert Message is e2e.Message
"""


def test_the_messages_load_without_the_go_library_which_may_be_loaded_later() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
