"""What WhatsApp said about phone numbers, remembered for a while so that a send need not ask again."""

from collections import OrderedDict
from collections.abc import Iterable

from attrs import define, field

from actors.whatsapp.client import OnWhatsApp


@define(eq=False)
class KnownContacts:
    """Answers to number checks, at most `capacity` of them and none older than `lifetime` seconds.

    A number without an account is not remembered: it may get one any minute.
    """

    capacity: int = 10_000
    lifetime: float = 24 * 3600.0
    _known: OrderedDict[str, tuple[float, OnWhatsApp]] = field(factory=OrderedDict, init=False, repr=False)

    def get(self, phone: str, now: float) -> OnWhatsApp | None:
        found = self._known.get(phone)
        if found is None or now - found[0] > self.lifetime:
            return None
        return found[1]

    def remember(self, answers: Iterable[OnWhatsApp], now: float) -> None:
        for answer in answers:
            self._known.pop(answer.phone, None)
            if answer.exists:
                self._known[answer.phone] = (now, answer)
        while len(self._known) > self.capacity:
            self._known.popitem(last=False)
