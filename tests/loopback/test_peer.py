"""What a companion may ask its own phone for, and the client library at hand cannot."""

import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback import proto
from loopback.accounts import Account, Device
from loopback.addresses import Attrs
from loopback.attachments import Attachment, file_in, message_with
from loopback.network import Network
from loopback.signal import SignalPeer
from loopback.signal.cipher import hkdf
from loopback.signal.media import MediaKind, decrypt
from loopback.signal.padding import pad, unpad
from loopback.wire.node import JID, Node


class Companion:
    """A device of an account, made of its keys, and what waits for it."""

    def __init__(self, network: Network, account: Account) -> None:
        self.network, self.account = network, account
        self.keys = SignalPeer.generate()
        self.jid = account.lid_jid.with_device(1)
        device = Device(1, b"", self.keys.identity.public, self.keys.registration_id, b"signed")
        account.devices[1] = device
        network.prekeys.deposit(self.jid, self.keys.bundle())

    async def ask_phone(self, message: Any) -> None:
        phone = self.account.lid_jid
        bundle = self.network.prekeys.take(phone)
        kind, data = self.keys.encrypt(str(phone), bundle, pad(message.SerializeToString()))
        enc = Node("enc", {"v": 2, "type": kind}, data)
        attrs: Attrs = {"id": "asked", "to": phone, "type": "text", "category": "peer"}
        self.network.messages.accept(self.account, 1, Node("message", attrs, enc))
        await trio.testing.wait_all_tasks_blocked()

    def waiting(self, tag: str) -> list[Node]:
        return [node for node in self.network.deliveries.waiting(self.jid) if node.tag == tag]

    def read(self, stanza: Node) -> Any:
        enc = stanza.child("enc")
        assert enc is not None
        sender = str(stanza.jid("participant") or stanza.jid("from"))
        plaintext = self.keys.decrypt(sender, enc.attr("type") or "", enc.data)
        return proto.e2e.Message.FromString(unpad(plaintext))


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    made = Network()
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        yield made
        nursery.cancel_scope.cancel()
    made.close()


async def test_companion_asks_for_older_messages_and_gets_those_before(network: Network) -> None:
    anna, bert = network.register("628111111111", "Anna"), network.register("628222222222", "Bert")
    sent = [
        bert.write(anna.account.lid_jid, proto.e2e.Message(conversation=f"message {n}")) for n in range(9)
    ]
    await trio.testing.wait_all_tasks_blocked()
    companion = Companion(network, anna.account)
    e2e = proto.e2e
    wanted = e2e.PeerDataOperationRequestMessage(
        peerDataOperationRequestType=e2e.HISTORY_SYNC_ON_DEMAND,
        historySyncOnDemandRequest=e2e.PeerDataOperationRequestMessage.HistorySyncOnDemandRequest(
            chatJID=str(bert.account.pn_jid), oldestMsgID=sent[6].id, onDemandMsgCount=3
        ),
    )
    kind = e2e.ProtocolMessage.PEER_DATA_OPERATION_REQUEST_MESSAGE
    request = e2e.ProtocolMessage(type=kind, peerDataOperationRequestMessage=wanted)
    await companion.ask_phone(e2e.Message(protocolMessage=request))
    (answer,) = companion.waiting("message")
    notice = companion.read(answer).protocolMessage.historySyncNotification
    assert notice.peerDataRequestSessionID == "asked"
    file = network.media.at(notice.directPath)
    assert file is not None
    plain = zlib.decompress(decrypt(file, notice.mediaKey, MediaKind.HISTORY))
    history = proto.history.HistorySync.FromString(plain)
    assert history.syncType == proto.history.HistorySync.ON_DEMAND
    (chat,) = history.conversations
    told = [message.message.message.conversation for message in chat.messages]
    assert told == ["message 3", "message 4", "message 5"]


async def test_file_that_a_companion_did_not_find_is_uploaded_again_or_said_to_be_gone(
    network: Network,
) -> None:
    anna, bert = network.register("628111111111", "Anna"), network.register("628222222222", "Bert")
    companion = Companion(network, anna.account)
    picture = message_with(Attachment("image", b"a picture", "image/png"), network.media)
    sent = bert.write(anna.account.lid_jid, picture)
    await trio.testing.wait_all_tasks_blocked()
    answer = await uploaded_again(network, companion, sent.id)
    payload, iv = answer.child("encrypt", "enc_p"), answer.child("encrypt", "enc_iv")
    assert payload is not None
    assert iv is not None
    file = file_in(picture)
    assert file is not None
    key = hkdf(file.part.mediaKey, salt=b"", info=b"WhatsApp Media Retry Notification", length=32)
    result = AESGCM(key).decrypt(iv.data, payload.data, sent.id.encode())
    told = proto.mmsretry.MediaRetryNotification.FromString(result)
    assert told.result == told.SUCCESS
    stored = network.media.at(told.directPath)
    assert stored is not None
    assert decrypt(stored, file.part.mediaKey, MediaKind.IMAGE) == b"a picture"

    gone = await uploaded_again(network, companion, "never sent")
    error = gone.child("error")
    assert error is not None
    assert error.attr("code") == "2"


async def uploaded_again(network: Network, companion: Companion, message_id: str) -> Node:
    """The answer to a receipt that says that a message's file is missing."""
    rmr = Node("rmr", {"jid": JID("222", "lid"), "from_me": "false"})
    attrs: Attrs = {"id": message_id, "to": companion.account.pn_jid, "type": "server-error"}
    network.receipts.accept(companion.account, 1, Node("receipt", attrs, rmr))
    await trio.testing.wait_all_tasks_blocked()
    answers = [node for node in companion.waiting("notification") if node.attr("id") == message_id]
    assert [node.attr("type") for node in answers] == ["mediaretry"]
    return answers[0]
