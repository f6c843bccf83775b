"""Two devices that know of each other only what the directory tells."""

import attrs

from loopback.signal.peer import SignalPeer

ALICE = "1001@lid:0"
BOB = "1002@lid:3"


@attrs.define(eq=False)
class Talk:
    """Alice and Bob, with what one says carried to the other by hand."""

    alice: SignalPeer
    bob: SignalPeer

    def say(self, text: bytes) -> tuple[str, bytes]:
        """Alice writes, with Bob's bundle when she has no session yet."""
        bundle = None if self.alice.has_session(BOB) else self.bob.bundle(*self.bob.add_prekeys(1))
        return self.alice.encrypt(BOB, bundle, text)

    def answer(self, text: bytes) -> tuple[str, bytes]:
        """Bob writes within a session."""
        return self.bob.encrypt(ALICE, None, text)

    def hear(self, message: tuple[str, bytes]) -> bytes:
        """Bob reads."""
        return self.bob.decrypt(ALICE, *message)

    def hear_answer(self, message: tuple[str, bytes]) -> bytes:
        """Alice reads."""
        return self.alice.decrypt(BOB, *message)
