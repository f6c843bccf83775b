"""The gate every connection passes: where a test or an operator makes the network fail on purpose.

A gate is asked at each stage of each connection and answers what befalls it there, None for nothing.
"""

from collections.abc import Callable
from enum import StrEnum

from attrs import field, frozen, validators

__all__ = ["Delay", "Fault", "Gate", "Hangup", "Refuse", "Stage", "Stall"]


class Stage(StrEnum):
    """How far a connection is: what the client waits for when the gate is asked."""

    CONNECT = "connect"  # the proxy's answer to CONNECT
    TLS = "tls"  # the TLS handshake
    UPGRADE = "upgrade"  # the WebSocket (web.whatsapp.com only)
    HANDSHAKE = "handshake"  # the Noise handshake (web.whatsapp.com only)


@frozen
class Delay:
    """The client waits so many seconds, then goes on."""

    seconds: float


@frozen
class Refuse:
    """Answer with this HTTP status; at the stages that are not HTTP (TLS, handshake) hang up instead."""

    status: int = field(default=503, validator=[validators.ge(400), validators.le(599)])


@frozen
class Hangup:
    """Close the connection without an answer."""


@frozen
class Stall:
    """Never answer: hold the connection until the client gives up."""


Fault = Delay | Refuse | Hangup | Stall
Gate = Callable[[str, Stage], Fault | None]  # the host asked for, the stage
