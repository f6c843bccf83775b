"""What becomes of the messages that others write to sessions: delivered, stored, told as lost, or gone."""

from collections.abc import Set as AbstractSet

import trio
from attrs import define

from tests.whole.processes import Gateway, Network, Session


@define(eq=False)
class Inbound:
    """What became of the messages that were written to a session."""

    delivered: set[str]
    """Acknowledged to WhatsApp."""
    stored: set[str]
    told: set[str]
    """By messages.lost."""

    @property
    def silent(self) -> set[str]:
        """Acknowledged to WhatsApp, not stored, and not told."""
        return self.delivered - self.stored - self.told


async def settled_ids(wa: Network, session: Session) -> set[str]:
    """The messages that the session's client has acknowledged to WhatsApp."""
    found = (await wa.control.get("/deliveries", params={"phone": session.phone})).raise_for_status()
    ledgers = [each for each in found.json()["devices"] if each["device"] != 0]
    return {message_id for each in ledgers for message_id in each["messagesSettled"]}


async def what_became(gw: Gateway, wa: Network, session: Session, written: AbstractSet[str]) -> Inbound:
    """Of what was written to a session, once nothing more comes of it for a while."""
    delivered = await settled_ids(wa, session) & written
    patience = trio.current_time() + 6
    while True:
        lost = await gw.call("GET", f"/api/events?sessions={session.id}&events=messages.lost&limit=500")
        told = {event["data"]["key"]["id"] for event in lost["events"]}
        inbound = Inbound(delivered, await _stored_ids(gw, session), told)
        if not inbound.silent or trio.current_time() > patience:
            return inbound
        await trio.sleep(0.2)


async def _stored_ids(gw: Gateway, session: Session) -> set[str]:
    found: set[str] = set()
    query = "limit=200&fromMe=false"
    while True:
        page = await gw.call("GET", f"/api/messages?{query}", session=session)
        found |= {message["messageId"] for message in page["messages"]}
        if page.get("cursor") is None:
            return found
        query = f"limit=200&fromMe=false&cursor={page['cursor']}"
