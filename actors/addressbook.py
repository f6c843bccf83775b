"""The address book: what sessions' clients know of people and groups, taken over into the database.

It is what names the chats and lists the contacts, also while a session is not connected. A client tells
nobody when it has learnt a name, so it is asked when somebody wants to see names, and not too often.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import trio
from attrs import define, evolve, field

from actors.directory import Sessions
from actors.errors import SessionError
from actors.session.content import storable
from actors.session.keys import phone_first
from actors.session.messages import Perform
from actors.whatsapp import administration, people
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError
from actors.whatsapp.jid import LID
from runtime import Ref, SupervisionError
from storage.chats import Address
from storage.errors import StorageError
from storage.reads import Reads
from storage.writes import StoreAddresses

__all__ = ["AddressBook", "named"]

log = logging.getLogger("session")

PEOPLE_AGE = 30.0
GROUPS_AGE = 600.0
"""Seconds for which the names of people and groups are good: to list the groups is a request to WhatsApp."""

_PATIENCE = 10.0  # seconds that somebody waits for names; those that come later are there the next time
_LOOKUPS = 500  # people at once whose number is asked of the client
_AT_ONCE = 16


@define(eq=False)
class AddressBook:
    """The names of all sessions. Any number of tasks may share it."""

    sessions: Sessions
    writer: Ref
    reads: Reads
    clock: Callable[[], float] = time.monotonic
    _people_at: dict[str, float] = field(factory=dict, init=False, repr=False)
    _groups_at: dict[str, float] = field(factory=dict, init=False, repr=False)

    async def refresh(self, session_id: str) -> None:
        """Have what the session's client knows in the database. No harm done where it is not connected.

        Raises SessionNotFound.
        """
        now = self.clock()
        session = self.sessions.ref(session_id)
        if now - self._people_at.get(session_id, -PEOPLE_AGE) < PEOPLE_AGE:
            return
        with_groups = now - self._groups_at.get(session_id, -GROUPS_AGE) >= GROUPS_AGE
        self._people_at[session_id] = now
        if with_groups:
            self._groups_at[session_id] = now
        try:
            pairs = {each.alt: each.jid for each in await self.reads.chats.paired(session_id) if each.alt}

            async def act(client: Client) -> tuple[Address, ...]:
                groups = await _groups(client) if with_groups else ()
                return (*await _people(client, pairs), *groups)

            found = await session.call(Perform("addresses.refresh", act), timeout=_PATIENCE)
            await self.writer.call(StoreAddresses(session_id, found), timeout=_PATIENCE)
        except SessionError:  # it is not connected: as soon as it is
            self._people_at.pop(session_id, None)
            if with_groups:
                self._groups_at.pop(session_id, None)
        except (SupervisionError, StorageError) as error:  # another time: what is stored is shown meanwhile
            log.warning("names_not_refreshed session=%s error=%s", session_id, type(error).__name__)

    def forget(self, session_id: str) -> None:
        """A session was deleted: another that is given its id is asked anew."""
        self._people_at.pop(session_id, None)
        self._groups_at.pop(session_id, None)


def named(address: Address, contact: people.Contact) -> Address:
    """The address with those of a contact's names that it has not yet."""
    return evolve(
        address,
        name=address.name or _text(contact.full_name or contact.first_name),
        push_name=address.push_name or _text(contact.push_name),
        business_name=address.business_name or _text(contact.business_name),
    )


async def _people(client: Client, pairs: dict[str, str]) -> tuple[Address, ...]:
    """Everybody in the client's store, each once; `pairs` gives the number's JID of LIDs that is known."""
    contacts = await people.contacts(client)
    unknown = [each.jid for each in contacts if each.jid.endswith(f"@{LID}") and each.jid not in pairs]
    pairs |= await _numbers(client, unknown[:_LOOKUPS])
    found: dict[str, Address] = {}
    for contact in contacts:
        jid, alt = phone_first(contact.jid, pairs.get(contact.jid))
        known = found.get(jid) or Address(jid=jid)
        found[jid] = named(evolve(known, alt=known.alt or alt), contact)
    return tuple(found.values())


async def _groups(client: Client) -> Iterable[Address]:
    try:
        groups = await administration.joined_groups(client)
    except CellError:  # WhatsApp answers this one only so often
        return ()
    return [Address(jid=group.jid, name=_text(group.subject)) for group in groups]


async def _numbers(client: Client, lids: list[str]) -> dict[str, str]:
    """The number's JID of those LIDs of which the client knows it, as far as they are told in time."""
    found: dict[str, str] = {}
    limit = trio.CapacityLimiter(_AT_ONCE)

    async def ask(lid: str) -> None:
        async with limit:
            with suppress(CellError):
                if (jid := await client.phone_of(lid)) is not None:
                    found[lid] = jid

    with trio.move_on_after(_PATIENCE / 2):
        async with trio.open_nursery() as nursery:
            for lid in lids:
                nursery.start_soon(ask, lid)
    return found


def _text(text: str | None) -> str | None:
    return storable(text) if text else None
