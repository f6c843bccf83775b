"""A worker: the process that takes one file after the other through a socket, until that ends.

What a file makes go wrong in foreign code must not be taken for a fault of ours, nor the other way round:
`conversion.py` raises DecodingErrors for the one, all else is reported as a failure of this worker.
"""

import json
import os
import signal
import socket
import sys
from typing import BinaryIO

from actors.parentage import die_with_parent

from .confinement import allow_processor_time, confine
from .conversion import convert
from .errors import DecoderFailed, DecodingError
from .jobs import Converted
from .launch import MB, Arguments
from .limits import Limits
from .rehearsal import rehearse
from .wire import HEADER, request_of, to_reply


def main() -> None:
    arguments = Arguments(**json.loads(sys.argv[1]))
    die_with_parent(arguments.parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the gateway, which ends its workers itself
    rehearse()
    connection = socket.socket(fileno=arguments.socket)
    confine(memory=arguments.memory, parent=arguments.parent)
    os.close(2)  # what files make libraries complain of is nobody's log
    connection.sendall(HEADER.pack(0, 0))
    stream = connection.makefile("rb")
    while _serve(connection, stream, arguments):
        pass


def _serve(connection: socket.socket, stream: BinaryIO, arguments: Arguments) -> bool:
    """Take one file and answer; False when there are no more."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return False
    head, body = HEADER.unpack(header)
    allow_processor_time(arguments.timeout)
    result: Converted | DecodingError
    data = b""
    try:
        job = request_of(stream.read(head))
        data = stream.read(body)
        result = convert(job, data, Limits(arguments.max_pixels, arguments.max_seconds))
    except DecodingError as error:
        result = error
    except MemoryError:
        result = DecoderFailed(f"it took more than {arguments.memory // MB} MB of memory")
    except Exception as error:  # noqa: BLE001 - told to the gateway, which replaces this process
        result = DecoderFailed(f"{type(error).__name__}: {error}")
    for part in to_reply(result, data):
        connection.sendall(part)
    return True


if __name__ == "__main__":
    main()
