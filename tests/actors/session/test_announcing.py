"""What the log tells of people, of the account and of channels."""

from typing import Any

from attrs import define, field

from actors.session.addresses import Addresses
from actors.session.inbound import writes_for
from actors.whatsapp.errors import NotConnected
from actors.whatsapp.events import (
    BlocklistChanged,
    ChannelUpdated,
    ClientEvent,
    IdentityChanged,
    PictureChanged,
    PresenceChanged,
    PrivacyChanged,
)
from actors.whatsapp.newsletter import Post
from storage.writes import Append

BEN, BEN_LID = "6281200000002@s.whatsapp.net", "200000000000002@lid"
CHANNEL = "120363000000000002@newsletter"


@define
class Store:
    """What a client knows of addresses."""

    lids: dict[str, str]
    asked: list[str] = field(factory=list)

    async def lid_of(self, jid: str, timeout: float) -> str | None:
        self.asked.append(jid)
        return self.lids.get(jid)

    async def phone_of(self, lid: str, timeout: float) -> str | None:
        self.asked.append(lid)
        return {lid: jid for jid, lid in self.lids.items()}.get(lid)


class DeadStore:
    """Of a client that has ended."""

    async def lid_of(self, jid: str, timeout: float) -> str | None:
        raise NotConnected("gone")

    phone_of = lid_of


def told(event: ClientEvent) -> list[tuple[str, Any]]:
    """The log's entries for an event, which take the journal on with them."""
    (write,) = writes_for("ana", event, 7)
    assert isinstance(write, Append)
    assert write.journal_seq == 7
    return [(each.event, each.data) for each in write.events]


async def test_whom_an_event_is_about_is_told_in_both_forms() -> None:
    addresses, store = Addresses(), Store({BEN: BEN_LID})
    both: dict[str, object] = {"jid": BEN, "jidAlt": BEN_LID}
    cases: list[tuple[ClientEvent, str, dict[str, object]]] = [
        (
            PresenceChanged(BEN_LID, online=False, last_seen=1790000000.0),
            "presence.update",
            {"online": False},
        ),
        (PictureChanged(BEN, None, 1.0, removed=True), "contacts.update", {"picture": "removed"}),
        (IdentityChanged(BEN_LID, 1.0, implicit=False), "contacts.update", {"identity": "changed"}),
    ]
    for event, name, rest in cases:
        completed = await addresses.completed(event, store)  # type: ignore[arg-type]
        ((told_name, data),) = told(completed)
        assert told_name == name
        assert (both | rest).items() <= data.items()
    assert store.asked == [BEN_LID, BEN]  # each once


async def test_an_address_that_is_not_known_is_null_and_asked_for_again() -> None:
    addresses, store = Addresses(), Store({})
    for _ in range(2):
        event = await addresses.completed(PresenceChanged(BEN_LID, online=True, last_seen=None), store)  # type: ignore[arg-type]
        ((_, data),) = told(event)
        assert data == {"jid": BEN_LID, "jidAlt": None, "online": True, "lastSeen": None}
    assert len(store.asked) == 2


async def test_a_client_that_cannot_answer_keeps_no_event_back() -> None:
    blocked = BlocklistChanged((BEN_LID, "3@lid"), ())
    assert await Addresses().completed(blocked, DeadStore()) == blocked  # type: ignore[arg-type]


async def test_each_person_who_is_blocked_or_not_any_more_is_an_event() -> None:
    blocked = BlocklistChanged((BEN_LID,), ("3@lid",))
    completed = await Addresses().completed(blocked, Store({BEN: BEN_LID}))  # type: ignore[arg-type]
    assert told(completed) == [
        ("contacts.update", {"jid": BEN, "jidAlt": BEN_LID, "blocked": True}),
        ("contacts.update", {"jid": "3@lid", "jidAlt": None, "blocked": False}),
    ]
    assert told(BlocklistChanged((), ())) == []


def test_what_else_happens_to_the_account_is_told() -> None:
    assert told(PrivacyChanged(("lastSeen", "online"))) == [
        ("account.update", {"privacy": ["lastSeen", "online"]})
    ]
    posts = (Post(100, 7, {"🥭": 2}, None),)
    assert told(ChannelUpdated(CHANNEL, 1.0, posts)) == [
        (
            "newsletter.update",
            {"jid": CHANNEL, "messages": [{"serverId": 100, "views": 7, "reactions": {"🥭": 2}}]},
        )
    ]
