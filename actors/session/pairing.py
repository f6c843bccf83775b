"""What a phone is shown while a session pairs: the current QR code, or a code to type in."""

from datetime import UTC, datetime, timedelta

from attrs import define, field

from actors.errors import PairingRefused
from actors.session.messages import Qr
from runtime import Reply

# WhatsApp gives six codes in a round: the first is good for 60 s, the others for 20 s.
_FIRST_LIFETIME = timedelta(seconds=60)
_NEXT_LIFETIME = timedelta(seconds=20)


@define(eq=False)
class Pairing:
    """One session's pairing, round by round."""

    session_id: str
    qr: Qr | None = field(default=None, init=False)
    _asked: tuple[str, Reply] | None = field(default=None, init=False, repr=False)

    def show(self, code: str, at: float) -> Qr:
        """Take WhatsApp's next QR code, which it gave at `at` (Unix seconds)."""
        lifetime = _FIRST_LIFETIME if self.qr is None else _NEXT_LIFETIME
        self.qr = Qr(code, datetime.fromtimestamp(at, UTC) + lifetime)
        return self.qr

    def ask(self, phone: str, reply: Reply) -> None:
        """Remember who wants a pairing code until WhatsApp can be asked for one, after its first QR code."""
        earlier, self._asked = self._asked, (phone, reply)
        if earlier is not None:
            earlier[1].fail(
                PairingRefused(session_id=self.session_id, reason="a later request took its place")
            )

    def take_asked(self) -> tuple[str, Reply] | None:
        """Who wants a pairing code, once."""
        asked, self._asked = self._asked, None
        return asked

    def end(self) -> None:
        """The round is over: its codes are void."""
        self.qr = None
