"""The record of logins: which device was there from when to when and from where, and whether twice at once.

A device has one link. A login ends the link that the device had before; what comes over that one from then on
is heard by nobody. It is pinged once more, which clients that live answer; one that has ended, stands still
or is cut off sends nothing. So a link over which data arrived after the next login of its device was that of
a client that lived beside another: `overlap` is how many bytes there were. The kernel counts them as they
arrive, so a network that is slow to read is not taken for a client that was slow to end. The packet that ends
a connection is none of them: a killed process sends it too.

Times are Unix times in seconds. The record is of this process, and of the last 20,000 logins.
"""

import time
from collections import deque

from attrs import Factory, define, field

from loopback.wire.peer import Heard, Peer

__all__ = ["Login", "Logins"]

REMEMBERED = 20_000


@define(eq=False)
class Login:
    """One link of a device, from its login on."""

    number: int
    phone: str
    device: int
    peer: Peer
    at: float = Factory(time.time)
    replaced_by: int | None = None
    """The number of the login that ended it."""
    ended: float | None = None
    """When the link was gone; None while it is not."""
    _when_replaced: Heard | None = field(default=None, init=False)

    @property
    def heard(self) -> float:
        """When something last came over it."""
        return self.peer.heard().at

    @property
    def overlap(self) -> int:
        """Bytes that came after it was replaced."""
        before = self._when_replaced
        return 0 if before is None else max(0, self.peer.heard().size - before.size - 1)

    def replace(self, by: "Login") -> None:
        self._when_replaced, self.replaced_by = self.peer.heard(), by.number

    def end(self) -> None:
        self.ended = time.time()


class Logins:
    """All of them, oldest first."""

    def __init__(self) -> None:
        self._logins: deque[Login] = deque(maxlen=REMEMBERED)
        self._count = 0

    def add(self, phone: str, device: int, peer: Peer) -> Login:
        self._count += 1
        login = Login(self._count, phone, device, peer)
        self._logins.append(login)
        return login

    def since(self, number: int = 0, phone: str | None = None) -> list[Login]:
        """Those after this number, of all phones or one."""
        return [each for each in self._logins if each.number > number and phone in {None, each.phone}]
