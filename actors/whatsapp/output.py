"""What a cell writes to its standard output and error: log lines while it lives, Go's trace when it dies."""

import json
import logging
import re

import trio

__all__ = ["Output"]

log = logging.getLogger(__name__)

TRACE_LINES = 2000  # kept of what a dying cell writes
LINE_BYTES = 64 * 1024  # a longer line is taken in pieces
TEXT = 500  # characters of a log entry
STANZA = re.compile(r"<\w.*>", re.DOTALL)  # names and addresses are in there
NOISE = ("Press Ctrl+C to exit",)
LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.DEBUG, "WARN": logging.WARNING, "ERROR": logging.ERROR}


class Output:
    def __init__(self, cell_id: str) -> None:
        self._cell = cell_id
        self._trace: list[str] = []

    @property
    def trace(self) -> str:
        """What it wrote on standard error beside log entries: nothing, unless something is very wrong."""
        return "\n".join(self._trace)

    @property
    def cause(self) -> str | None:
        """What Go said it died of."""
        return next((line for line in self._trace if line.startswith(("fatal error:", "panic:"))), None)

    async def read(self, stream: trio.lowlevel.FdStream, *, is_error: bool) -> None:
        """Take the stream's lines until it ends."""
        rest = b""
        async with stream:
            async for data in stream:
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._line(line.decode(errors="replace"), is_error)
        self._line(rest.decode(errors="replace"), is_error)

    def _line(self, line: str, is_error: bool) -> None:
        if not line.strip() or line in NOISE:
            return
        if not is_error:
            log.debug("cell_said cell=%s text=%s", self._cell, line[:TEXT])
        elif not self._entry(line) and len(self._trace) < TRACE_LINES:
            self._trace.append(line)

    def _entry(self, line: str) -> bool:
        """Log the line if it is an entry of the cell's."""
        try:
            entry = json.loads(line)
            level, session = LEVELS.get(entry["level"], logging.DEBUG), entry["session"]
            text = STANZA.sub("<…>", entry["message"])[:TEXT]
        except (ValueError, KeyError, TypeError):
            return False
        log.log(level, "client_said cell=%s session=%s text=%s", self._cell, session, text)
        return True
