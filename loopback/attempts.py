"""What clients tried: connections to the chat servers, and logins with what became of them.

Kept since the process started, the latest `MOST` of each.
"""

import time
from collections import deque
from typing import Final

from attrs import define, field, frozen

from loopback.wire.authority import CHAT_HOST

__all__ = ["Attempts", "Login"]

MOST: Final = 20_000


@frozen
class Login:
    """A device's login; `at` in Unix seconds."""

    at: float
    phone: str
    device: int
    accepted: bool


@define(eq=False)
class Attempts:
    """The connections and logins tried, oldest first."""

    connections: deque[float] = field(factory=lambda: deque(maxlen=MOST), init=False)
    """When each was asked for, in Unix seconds."""
    logins: deque[Login] = field(factory=lambda: deque(maxlen=MOST), init=False)

    def connecting(self, host: str) -> None:
        """Somebody asks to be connected to a host."""
        if host == CHAT_HOST:
            self.connections.append(time.time())

    def login(self, phone: str, device: int, *, accepted: bool) -> None:
        """A client said which device it is."""
        self.logins.append(Login(time.time(), phone, device, accepted))
