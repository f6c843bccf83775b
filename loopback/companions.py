"""What a phone does for its companions: shares keys, hands history over, uploads lost files again."""

from collections.abc import Callable
from typing import Any

from loopback import transfer
from loopback.accounts import Account, Accounts, Device
from loopback.groups import Groups
from loopback.media import Media
from loopback.memory import Memory
from loopback.reupload import answer_request
from loopback.signal.keyshare import AppStateKey, key_share
from loopback.synced import Synced
from loopback.wire.node import JID, Node

__all__ = ["Companions"]

Tell = Callable[[int, Any], None]  # a companion's number, a waE2E.Message for it alone


class Companions:
    """One phone's."""

    def __init__(
        self,
        account: Account,
        memory: Memory,
        synced: Synced,
        state_key: AppStateKey,
        *,
        accounts: Accounts,
        groups: Groups,
        media: Media,
        tell: Tell,
    ) -> None:
        self._account = account
        self._memory = memory
        self._synced = synced
        self._state_key = state_key
        self._accounts = accounts
        self._groups = groups
        self._media = media
        self._tell = tell

    def greet(self, device: Device) -> None:
        """Tell a new companion the keys of the synced settings, and of the chats so far if there are any."""
        self._share_keys(device)
        known = self._memory.all()
        if not known:
            return
        chats = transfer.conversations(known, self._synced.chats(), self._accounts, self._groups)
        self._tell(device.number, transfer.notice(chats, self._media))
        authors = {message.author for message in known if not message.from_me}
        people = [person for jid in authors if (person := self._accounts.resolve(jid)) is not None]
        self._tell(device.number, transfer.notice(transfer.names(people), self._media))

    def serve(self, device: Device, request: str, asked: Any) -> None:
        """Give a companion what its peer message (a ProtocolMessage) asks for: keys, or older messages."""
        if asked.HasField("appStateSyncKeyRequest"):
            self._share_keys(device)
        wanted = asked.peerDataOperationRequestMessage.historySyncOnDemandRequest
        if not wanted.chatJID:
            return
        chat = JID.parse(wanted.chatJID)
        person = self._accounts.resolve(chat)
        if person is not None:
            chat = person.lid_jid
        messages = [known for known in self._memory.all() if known.chat == chat]
        ids = [known.id for known in messages]
        end = ids.index(wanted.oldestMsgID) if wanted.oldestMsgID in ids else len(ids)
        older = messages[max(0, end - (wanted.onDemandMsgCount or transfer.FIRST)) : end]
        part = transfer.on_demand(chat, older, self._accounts, self._groups)
        self._tell(device.number, transfer.notice(part, self._media, request=request))

    def upload_again(self, receipt: Node) -> Node:
        """The answer for a companion that did not find a message's file on the media host."""
        try:
            message = self._memory.known(receipt.attr("id") or "").message
        except LookupError:
            message = None
        return answer_request(receipt, message, self._media, self._account.pn_jid)

    def _share_keys(self, device: Device) -> None:
        self._tell(device.number, key_share([self._state_key]))
