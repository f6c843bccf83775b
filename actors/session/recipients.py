"""Where a message goes: phone numbers looked up at WhatsApp, once a day at most."""

from collections.abc import Callable

import trio
from attrs import define, field

from actors.errors import RecipientNotOnWhatsApp
from actors.session.contacts import KnownContacts
from actors.session.keys import PHONE_SERVER, phone_first
from actors.session.messages import ContactCheck
from actors.whatsapp.client import Client, OnWhatsApp


@define(eq=False)
class Recipients:
    """The recipients of one session. Its calls raise CellErrors."""

    timeout: float
    clock: Callable[[], float] = trio.current_time
    contacts: KnownContacts = field(factory=KnownContacts)

    async def find(self, client: Client, to: str) -> tuple[str, str | None]:
        """The chat of a JID or phone number, and its other address. Raises RecipientNotOnWhatsApp."""
        if to.endswith(PHONE_SERVER):
            to = to.removesuffix(PHONE_SERVER)
        if "@" in to:
            return to, None
        known = self.contacts.get(to, self.clock()) or (await self._ask(client, [to]))[0]
        if not known.exists or known.jid is None:
            raise RecipientNotOnWhatsApp(recipient=to)
        return phone_first(known.jid, known.lid)

    async def check(self, client: Client, phones: tuple[str, ...]) -> tuple[ContactCheck, ...]:
        """Which of these numbers have an account, in their order."""
        answers = await self._ask(client, list(dict.fromkeys(phones)))
        found = {answer.phone: answer for answer in answers}
        return tuple(
            ContactCheck(phone=phone, exists=found[phone].exists, jid=found[phone].jid, lid=found[phone].lid)
            for phone in phones
        )

    async def _ask(self, client: Client, phones: list[str]) -> list[OnWhatsApp]:
        answers = await client.is_on_whatsapp(phones, timeout=self.timeout)
        self.contacts.remember(answers, self.clock())
        return answers
