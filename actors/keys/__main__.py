"""Has the client library open stores, so that it makes its tables in them: `python -m actors.keys`

Standard input names the stores, a JSON string a line, for they may hold a password. Each is answered with a
line: empty, or what went wrong.
"""

import json
import os
import sys

from actors.whatsapp.binding import Library, library_path
from actors.whatsapp.proto import package_directory


def main() -> None:
    # The library prints as it likes.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    library = Library(library_path(package_directory()))
    for line in sys.stdin.buffer:
        error = library.open(str(json.loads(line)).encode())
        answers.write(" ".join(error.split()).encode() + b"\n")
    os._exit(0)  # threads inside Go cannot be ended


main()
