"""Log lines with fields on standard error: logfmt, or JSON by TERZETTO_LOG=json; numbers masked, no secrets.

A line is a past-tense event with fields. Whoever logs writes it as a template,

    log.warning("cell_died cell=%s code=%s", cell, code)

and it comes out as `time=… level=warning logger=actors.cells event=cell_died cell=c1 code=-6`. Any other
text, as libraries write it, becomes the event as a whole. TERZETTO_LOG_LEVEL sets the least level (info).
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TextIO

_FIELD = re.compile(r" ([a-z][a-z0-9_.]*)=(%(?:\.\d+)?[srdf])")
_TEMPLATE = re.compile(rf"([a-z][a-z0-9_.]*)(?:{_FIELD.pattern})*")
_BARE = re.compile(r"""[^\s"=\\\x00-\x1f\x7f]+""")

# E.164 has 8 to 15 digits with the country code. A letter or a dot on either side makes it part of an id.
_NUMBER = re.compile(r"(?<![\w.…])(\+?\d{2})\d{3,10}(\d{3})(?![\w.])")
_SECRET = re.compile(r"whsec_[\w+/=-]+|(?<=://)[^\s/@]+(?=@)|(?<=x-api-key: )\S+", re.IGNORECASE)


def masked(text: str) -> str:
    """The text as a log may hold it: `+6281234567789` becomes `+62…789`, a secret becomes `…`."""
    return _NUMBER.sub(r"\1…\2", _SECRET.sub("…", text))


class Lines(logging.Formatter):
    """One line a record: logfmt, or JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record's line; never more than one."""
        fields = dict(_fields(record))
        if self._as_json:
            return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return " ".join(f"{key}={_logfmt(value)}" for key, value in fields.items())


def configure(stream: TextIO = sys.stderr, environment: Mapping[str, str] = os.environ) -> None:
    """Send the whole process's log to `stream`. Raises ValueError for a TERZETTO_LOG_LEVEL that is none."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(as_json=environment.get("TERZETTO_LOG") == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(environment.get("TERZETTO_LOG_LEVEL", "info").upper())
    # These write a line for every request they make, with its whole address.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    yield "time", time.replace("+00:00", "Z")
    yield "level", record.levelname.lower()
    yield "logger", record.name
    # The values go by the template, so that none of them can pass for a field of its own.
    arguments = record.args if isinstance(record.args, tuple) else ()
    template = _TEMPLATE.fullmatch(record.msg) if isinstance(record.msg, str) else None
    places = _FIELD.findall(record.msg) if template else []
    if template and len(places) == len(arguments):
        yield "event", template[1]
        for (name, conversion), argument in zip(places, arguments, strict=True):
            yield name, _value(conversion, argument)
    else:
        yield "event", masked(record.getMessage())
    if record.exc_info and (error := record.exc_info[1]):
        yield "exception", masked("".join(traceback.format_exception_only(error)).strip())
        yield "traceback", masked("".join(traceback.format_exception(error)))


def _value(conversion: str, argument: object) -> object:
    if isinstance(argument, int | float | None):
        return float(conversion % argument) if conversion.endswith("f") else argument
    return masked(conversion % (argument,))


def _logfmt(value: object) -> str:
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
