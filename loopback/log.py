"""The network's log lines: an event in the past tense and its fields; numbers masked, no message's text."""

import logging

__all__ = ["log", "mask"]

_logger = logging.getLogger("loopback")


def mask(phone: str) -> str:
    """A phone number as it may appear in a log: `+62…789`."""
    return f"+{phone[:2]}…{phone[-3:]}" if len(phone) > 5 else "+…"


def log(event: str, /, **fields: object) -> None:
    """Write `event key=value …`; a field called `phone` is masked, None is left out."""
    shown = {
        key: mask(str(value)) if key == "phone" else value
        for key, value in fields.items()
        if value is not None
    }
    _logger.info("%s", " ".join([event, *(f"{key}={value}" for key, value in shown.items())]))
