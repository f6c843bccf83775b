"""The network's parts by themselves: what is remembered, what waits, what goes wrong for how long."""

import sqlite3
from pathlib import Path

import pytest
import trio
import trio.testing

from loopback.accounts import Account, Accounts, Business, Device
from loopback.addresses import Attrs, device_list_hash
from loopback.answers import Refused
from loopback.businesses import Businesses, certificate
from loopback.deliveries import Deliveries
from loopback.faults import Faults, Kind
from loopback.keyring import Keyring
from loopback.log import mask
from loopback.media import Media
from loopback.prekeys import Prekeys
from loopback.settings import Settings
from loopback.signal import KeyPair, SignalPeer
from loopback.signal.appstate import Collection, apply, encode
from loopback.signal.errors import UndecryptableError
from loopback.signal.keyshare import AppStateKey
from loopback.store import Store
from loopback.synced import Synced
from loopback.wire.node import JID, Node

ANNA, BERT = JID("111", "lid", 1), JID("222", "lid", 1)


def message(stanza_id: str) -> Node:
    return Node("message", {"id": stanza_id, "from": BERT}, Node("enc", {"v": 2}, b"secret"))


def test_store_keeps_what_was_committed_and_a_second_process_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    accounts = Accounts(store)
    anna = accounts.register("628111111111", "Anna")
    anna.watchers.add("222")
    accounts.save(anna)
    store.commit()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Store(tmp_path)
    store.close()
    again = Accounts(Store(tmp_path)).resolve(JID("628111111111", "s.whatsapp.net"))
    assert again is not None
    assert (again.lid, again.name, again.watchers) == (anna.lid, "Anna", {"222"})


def test_number_is_registered_once() -> None:
    accounts = Accounts(Store())
    accounts.register("628111111111", "Anna")
    with pytest.raises(ValueError, match="already"):
        accounts.register("628111111111", "Other")


def test_deliveries_wait_in_order_over_a_restart_and_are_marked_offline(tmp_path: Path) -> None:
    store = Store(tmp_path)
    deliveries = Deliveries(store)
    for stanza_id in ("one", "two", "three"):
        deliveries.put(ANNA, message(stanza_id))
    deliveries.settle(ANNA, "message", "two", str(BERT))
    store.close()
    got: list[Node] = []
    revived = Deliveries(Store(tmp_path))
    assert revived.attach(ANNA, got.append) == 2
    assert [(n.attr("id"), n.attr("offline")) for n in got] == [("one", "0"), ("three", "1")]
    assert got[0].child("enc") is not None
    revived.put(ANNA, message("four"))
    assert (got[-1].attr("id"), got[-1].attr("offline")) == ("four", None)


def test_delivery_is_handed_over_until_it_is_settled_by_its_own_sender_and_id() -> None:
    deliveries = Deliveries(Store())
    deliveries.put(ANNA, message("one"))
    assert not deliveries.settle(ANNA, "message", "one", "somebody@lid")
    assert not deliveries.settle(ANNA, "receipt", "one", str(BERT))
    assert len(deliveries.waiting(ANNA)) == 1
    assert deliveries.settle(ANNA, "message", "one", str(BERT))
    assert deliveries.waiting(ANNA) == []
    assert deliveries.ledgers()[ANNA].messages_settled[0] == "one"


def test_receipts_for_one_message_are_settled_each_by_its_type() -> None:
    deliveries = Deliveries(Store())
    for kind in (None, "read"):
        deliveries.put(ANNA, Node("receipt", {"id": "one", "from": BERT, "type": kind}))
    deliveries.settle(ANNA, "receipt", "one", str(BERT), "read")
    assert [node.attr("type") for node in deliveries.waiting(ANNA)] == [None]


async def test_fault_strikes_as_often_and_as_long_as_asked(autojump_clock: trio.testing.MockClock) -> None:
    faults = Faults()
    faults.add(Kind.NO_ACK, phone="628111111111", count=2)
    assert faults.strike(Kind.NO_ACK, "628222222222") is None
    assert faults.strike(Kind.NO_ACK, "628111111111") is not None
    assert faults.strike(Kind.NO_ACK, "628111111111") is not None
    assert faults.strike(Kind.NO_ACK, "628111111111") is None
    faults.add(Kind.STALL, duration=5)
    assert faults.peek(Kind.STALL, "628222222222") is not None
    begin = trio.current_time()
    await faults.released("628222222222")
    assert trio.current_time() - begin == 5
    assert faults.in_force() == []


async def test_lifting_a_stall_releases_those_who_wait(autojump_clock: trio.testing.MockClock) -> None:
    faults = Faults()
    stall = faults.add(Kind.STALL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(faults.released, "628111111111")
        await trio.testing.wait_all_tasks_blocked()
        assert faults.lift(stall.id) == 1
    assert trio.current_time() == 0


def test_keyring_makes_a_new_sender_key_when_a_member_left() -> None:
    keyring = Keyring(Store(), "628111111111")
    first, lacking, _ = keyring.group_encrypt("g", b"one", {"a", "b"})
    assert lacking == {"a", "b"}
    _, lacking, _ = keyring.group_encrypt("g", b"two", {"a", "b", "c"})
    assert lacking == {"c"}
    fresh, lacking, _ = keyring.group_encrypt("g", b"three", {"a", "c"})
    assert lacking == {"a", "c"}
    assert fresh != first


def test_device_list_hash_does_not_depend_on_the_order() -> None:
    assert device_list_hash([ANNA, BERT]) == device_list_hash([BERT, ANNA])
    assert device_list_hash([ANNA]) != device_list_hash([ANNA.bare])
    assert device_list_hash([ANNA]).startswith("2:")


def test_masked_number_shows_its_ends_only() -> None:
    assert mask("628123456789") == "+62…789"
    assert "123" not in mask("12345")


def synchronise(settings: Settings, account: Account, version: int, patch: bytes | None = None) -> Node:
    """The answer to one device's synchronisation of one collection."""
    device = Device(1, b"", b"", 0)
    content = Node("patch", {}, patch) if patch is not None else None
    attrs: Attrs = {"name": "regular_low", "version": version, "return_snapshot": "true"}
    iq = Node("iq", {}, Node("sync", {}, Node("collection", attrs, content)))
    answer = settings.answer(account, device, iq).child("collection")
    assert answer is not None
    return answer


@pytest.fixture
def settings() -> Settings:
    store = Store()
    return Settings(store, Deliveries(store), Media(None, Faults()))


def test_settings_on_an_old_version_are_refused_with_what_was_missed(settings: Settings) -> None:
    account = Account("628111111111", "111", "Anna", 0)
    key = AppStateKey.generate(0)
    Synced(account, settings, key).archive(BERT, archived=True)
    stale = encode(key, Collection("regular_low"), [])
    refused = synchronise(settings, account, 0, stale)
    error, patches = refused.child("error"), refused.child("patches")
    assert error is not None
    assert patches is not None
    assert (refused.attr("type"), error.attr("code"), len(patches.children())) == ("error", "409", 1)
    read, _ = apply(key, Collection("regular_low"), patches.children()[0].data)
    accepted = synchronise(settings, account, 1, encode(key, read, []))
    assert (accepted.attr("type"), accepted.attr("version")) == ("result", "2")


def test_settings_forged_with_another_key_are_not_read(settings: Settings) -> None:
    account = Account("628111111111", "111", "Anna", 0)
    Synced(account, settings, AppStateKey.generate(0)).archive(BERT, archived=True)
    with pytest.raises(UndecryptableError):
        Synced(account, settings, AppStateKey.generate(0)).chats()


def test_many_settings_are_handed_over_as_a_snapshot_of_the_newest_values(settings: Settings) -> None:
    account = Account("628111111111", "111", "Anna", 0)
    synced = Synced(account, settings, AppStateKey.generate(0))
    for n in range(30):
        synced.archive(BERT, archived=n % 2 == 1)
    answer = synchronise(settings, account, 0)
    snapshot, patches = answer.child("snapshot"), answer.child("patches")
    assert snapshot is not None
    assert patches is not None
    assert (answer.attr("version"), patches.children()) == ("30", ())
    assert synced.chats()[str(BERT)].archived


def test_privacy_setting_shows_to_contacts_what_it_hides_from_strangers() -> None:
    anna, bert = Account("628111111111", "111", "Anna", 0), Account("628222222222", "222", "Bert", 0)
    anna.privacy |= {"profile": "contacts", "status": "none"}
    assert not anna.shows("profile", bert)
    anna.contacts["222"] = "Bert"
    assert anna.shows("profile", bert)
    assert not anna.shows("status", bert)
    assert anna.shows("status", anna)
    anna.blocked.add("222")
    assert not anna.shows("last", bert)


def test_business_profile_is_shown_of_businesses_only() -> None:
    accounts = Accounts(Store())
    anna, bert = accounts.register("628111111111", "Anna"), accounts.register("628222222222", "Bert")
    asked = Node("business_profile", {"v": 244}, Node("profile", {"jid": bert.pn_jid}))
    device = Device(1, b"", b"", 0)
    with pytest.raises(Refused, match="404"):
        Businesses(accounts).answer(anna, device, Node("iq", {}, asked))
    bert.business = Business(
        "Bert & Sons", certificate("Bert & Sons", KeyPair.generate()), email="b@b.example"
    )
    profile = Businesses(accounts).answer(anna, device, Node("iq", {}, asked)).child("profile")
    assert profile is not None
    email = profile.child("email")
    assert email is not None
    assert (profile.jid("jid"), email.text) == (bert.pn_jid, "b@b.example")


def test_device_is_told_which_of_its_keys_the_network_has() -> None:
    store = Store()
    accounts = Accounts(store)
    deliveries = Deliveries(store)
    prekeys = Prekeys(store, accounts, deliveries, Faults())
    anna = accounts.register("628111111111", "Anna")
    device, asked = Device(1, b"", b"", 0), Node("iq", {"type": "get"}, Node("digest"))
    with pytest.raises(Refused, match="404"):
        prekeys.answer(anna, device, asked)
    keys = SignalPeer.generate()
    prekeys.deposit(anna.lid_jid.with_device(1), keys.bundle())
    digest = prekeys.answer(anna, device, asked)
    assert digest is not None
    registration = digest.child("registration")
    assert registration is not None
    assert registration.data == keys.registration_id.to_bytes(4, "big")
