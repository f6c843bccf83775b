"""Both addresses of whom an event is about, where WhatsApp named only one."""

from collections import OrderedDict

from attrs import define, evolve, field

from actors.whatsapp import events as wa
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError
from actors.whatsapp.jid import LID, PHONE

_PATIENCE = 1.0  # seconds for the client's look into its store: the session waits meanwhile


@define(eq=False)
class Addresses:
    """Which LID belongs to which number: asked of the client, and remembered of so many people."""

    capacity: int = 10_000
    _known: OrderedDict[str, str] = field(factory=OrderedDict, init=False, repr=False)

    async def completed(self, event: wa.ClientEvent, client: Client) -> wa.ClientEvent:
        """The event, with the other address of whom it is about where the client has learnt it."""
        try:
            return await self._completed(event, client)
        except CellError:  # of many people too: one that cannot answer is not asked again and again
            return event

    async def _completed(self, event: wa.ClientEvent, client: Client) -> wa.ClientEvent:
        match event:
            case (
                wa.PresenceChanged(jid=jid, jid_alt=None)
                | wa.PictureChanged(jid=jid, jid_alt=None)
                | wa.IdentityChanged(jid=jid, jid_alt=None)
            ):
                return evolve(event, jid_alt=await self.other(jid, client))
            case wa.OldCounter(sender=sender, chat=chat):
                sender_alt, chat_alt = await self.other(sender, client), await self.other(chat, client)
                return evolve(event, sender_alt=sender_alt, chat_alt=chat_alt)
            case wa.BlocklistChanged(blocked=blocked, unblocked=unblocked):
                alts = {jid: await self.other(jid, client) for jid in (*blocked, *unblocked)}
                return evolve(event, alts=alts)
            case wa.GroupChanged(sender=sender):
                members = (*event.join, *event.leave, *event.promote, *event.demote)
                named = dict.fromkeys((*members, *(() if sender is None else (sender,))))
                return evolve(event, alts={jid: await self.other(jid, client) for jid in named})
            case _:
                return event

    async def other(self, jid: str, client: Client) -> str | None:
        """The LID of a number's JID, or the number's of a LID; None where it is not known.

        Raises CellErrors.
        """
        if (known := self._known.get(jid)) is not None:
            return known
        ask = {PHONE: client.lid_of, LID: client.phone_of}.get(jid.rpartition("@")[2])
        if ask is None:
            return None
        found = await ask(jid, timeout=_PATIENCE)
        if found is not None:
            self._known[jid] = found
            while len(self._known) > self.capacity:
                self._known.popitem(last=False)
        return found
