"""A client as its session sees it: calls that await WhatsApp's answer, acknowledgements, and a clean stop.

Every call raises `CellError`s: `NotConnected`, `WhatsAppError`, or an `OutcomeUnknown` (`errors.py`); and
ValueError for what is no address.
`timeout` is in seconds. A call that is cancelled or times out goes on in the cell; its answer is dropped.
"""

import time
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Protocol

import trio
from attrs import define, field, frozen

from .control import encode_call
from .errors import CallTimedOut, WhatsAppError, error_from
from .events import Identified, ReceiptKind
from .groups import Group, Member, group_from, members_from
from .jid import device_text, to_proto, to_text
from .proto import neonize

__all__ = [
    "Client",
    "ClientLost",
    "ClientNotice",
    "MediaKind",
    "OnWhatsApp",
    "Port",
    "SendResult",
    "Uploaded",
]

CALL_TIMEOUT = 80.0  # the library itself gives up after 75 s


@frozen
class ClientNotice:
    """Cast to the session for everything its client delivers, in order of `seq`, without gaps.

    After a restart what was not acknowledged comes again with the same `seq`: ignore what is stored already.
    """

    client: "Client"
    seq: int
    at: float
    """When the library delivered it, Unix seconds."""
    event: Any
    """A `ClientEvent`."""


@frozen
class ClientLost:
    """Cast to the session once, after the last `ClientNotice`, when its client is gone without being stopped.

    `reason` is `retired` when the cell is being replaced and all is well, else why the process ended.
    """

    session_id: str
    client: "Client"
    reason: str


@frozen
class SendResult:
    """WhatsApp's server has taken the message."""

    message_id: str
    timestamp: float
    server_id: int | None
    """Of channel posts only."""


@frozen
class OnWhatsApp:
    """Whether a phone number, as asked for, has an account, and its addresses."""

    phone: str
    exists: bool
    jid: str | None
    lid: str | None
    verified_name: str | None


class MediaKind(IntEnum):
    """What is uploaded; stickers travel as images."""

    IMAGE = 0
    VIDEO = 1
    AUDIO = 2
    DOCUMENT = 3


@frozen
class Uploaded:
    """An encrypted file on WhatsApp's media host, as the fields of a media message."""

    url: str
    direct_path: str
    media_key: bytes = field(repr=False)
    file_enc_sha256: bytes = field(repr=False)
    file_sha256: bytes = field(repr=False)
    file_length: int


class Port(Protocol):
    """What a client needs of its cell."""

    id: str

    async def call(self, client: int, payload: bytes) -> bytes:
        """The raw answer to an encoded call. Raises CellErrors."""

    def acknowledge(self, client: int, seq: int) -> None: ...

    async def stop_client(self, client: int) -> None: ...


@define(eq=False)
class Client:
    """One session's client in one cell, good from `CellPool.attach` until `stop` or `ClientLost`."""

    session_id: str
    number: int
    """Its handle in the cell."""
    _port: Port = field(repr=False)
    available: bool = field(default=False, init=False)
    """Whether the account was last shown as online."""

    @property
    def cell_id(self) -> str:
        return self._port.id

    # --- life ----------------------------------------------------------------------------------------------

    def acknowledge(self, seq: int) -> None:
        """Everything up to `seq` is stored and will not be asked for again. Never blocks; may go back."""
        self._port.acknowledge(self.number, seq)

    async def stop(self) -> None:
        """Disconnect and stop. No notice comes after this returns.

        Nothing is lost: what was received and not acknowledged comes again from the next client. Takes about
        50 ms and at most 2 s; a client that hangs is left to its cell, which is then replaced. Raises
        nothing; stopping a client that is gone does nothing.
        """
        await self._port.stop_client(self.number)

    # --- the account ---------------------------------------------------------------------------------------

    async def get_me(self, timeout: float = 5.0) -> Identified | None:
        """Who this client is; None while it is not paired."""
        device = neonize.Device.FromString(await self._call("GetMe", timeout=timeout))
        jid = device_text(device.JID)
        if jid is None:
            return None
        return Identified(
            jid=jid,
            lid=to_text(device.LID),
            push_name=device.PushName,
            business_name=device.BussinessName,
            platform=device.Platform,
        )

    async def pair_phone(self, phone: str, timeout: float = CALL_TIMEOUT) -> str:
        """Ask for a code to be typed on the phone with this number; allowed after the first QrCode."""
        asked = neonize.PairPhoneParams(
            phone=phone.removeprefix("+"),
            showPushNotification=True,
            clientType=1,
            clientDisplayName="Chrome (Linux)",
        )
        answer = await self._proto(neonize.PairPhoneReturnFunction, "PairPhone", asked, timeout=timeout)
        return str(answer.Code)

    async def logout(self, timeout: float = CALL_TIMEOUT) -> None:
        """Unlink this device and delete its keys. No event follows: stop the client afterwards."""
        await self._text("Logout", timeout=timeout)

    async def set_push_name(self, name: str, timeout: float = CALL_TIMEOUT) -> None:
        """Set the name others see. Possible once the phone has shared its keys, shortly after Connected."""
        await self._text("SetPushName", name, timeout=timeout)

    async def send_presence(self, available: bool, timeout: float = CALL_TIMEOUT) -> None:
        """Show the account as online or not; needs a push name."""
        await self._text("SendPresence", "available" if available else "unavailable", timeout=timeout)
        self.available = available

    async def set_force_active_receipts(self, active: bool, timeout: float = 5.0) -> None:
        """Send delivery receipts as an active client does even while the account is not shown as online."""
        await self._call("SetForceActiveDeliveryReceipts", active, timeout=timeout)

    # --- messages ------------------------------------------------------------------------------------------

    async def send(self, to: str, message: Any, timeout: float = CALL_TIMEOUT) -> SendResult:
        """Send a `waE2E.Message` to a user, group, channel or `status@broadcast`, and await the server's ack.

        Its id is chosen by the library and known only now: after an OutcomeUnknown nobody can tell it.
        When a receiver's keys cannot be fetched, WhatsApp takes the message and nobody can read it.
        """
        answer = await self._proto(
            neonize.SendMessageReturnFunction, "SendMessage", to_proto(to), message, timeout=timeout
        )
        sent = answer.SendResponse
        return SendResult(
            message_id=sent.ID, timestamp=float(sent.Timestamp), server_id=sent.ServerID or None
        )

    async def mark_read(
        self,
        ids: Sequence[str],
        *,
        chat: str,
        sender: str | None = None,
        kind: ReceiptKind = ReceiptKind.READ,
        at: float | None = None,
        timeout: float = CALL_TIMEOUT,
    ) -> None:
        """Tell the sender of these messages (of one sender and chat) that they were read or played.

        `sender` is needed in groups. WhatsApp gives no answer: returning means that it was written out.
        """
        await self._text(
            "MarkRead",
            " ".join(ids),
            int(time.time() if at is None else at),
            to_proto(chat),
            to_proto(sender or chat),
            kind.value,
            timeout=timeout,
        )

    async def send_chat_presence(
        self, chat: str, *, composing: bool, audio: bool = False, timeout: float = CALL_TIMEOUT
    ) -> None:
        """Show that one is typing (or recording) in a chat, or has stopped."""
        await self._text(
            "SendChatPresence", to_proto(chat), 0 if composing else 1, int(audio), timeout=timeout
        )

    async def subscribe_presence(self, jid: str, timeout: float = CALL_TIMEOUT) -> None:
        """Ask for PresenceChanged events about someone."""
        await self._text("SubscribePresence", to_proto(jid), timeout=timeout)

    async def reject_call(self, creator: str, call_id: str, timeout: float = CALL_TIMEOUT) -> None:
        """Decline an offered call."""
        await self._text("RejectCall", to_proto(creator), call_id, timeout=timeout)

    # --- people --------------------------------------------------------------------------------------------

    async def is_on_whatsapp(self, phones: Sequence[str], timeout: float = CALL_TIMEOUT) -> list[OnWhatsApp]:
        """For each phone number (digits), in the order given, whether it has an account."""
        if not phones:
            return []
        digits = [phone.removeprefix("+") for phone in phones]
        try:
            answer = await self._proto(
                neonize.IsOnWhatsAppReturnFunction,
                "IsOnWhatsApp",
                " ".join(f"+{each}" for each in digits),
                timeout=timeout,
            )
        except WhatsAppError as error:
            if error.text != "Function returned nothing.":  # what it says for an empty list
                raise
            found = {}
        else:
            found = {each.Query.lstrip("+").partition("@")[0]: each for each in answer.IsOnWhatsAppResponse}
        result = []
        for phone, key in zip(phones, digits, strict=True):
            each = found.get(key)
            if each is None or not each.IsIn:
                result.append(OnWhatsApp(phone, exists=False, jid=None, lid=None, verified_name=None))
                continue
            jid = to_text(each.JID)
            hidden = jid is not None and jid.endswith("@lid")
            lid = jid if hidden else await self.lid_of(jid, timeout) if jid else None
            result.append(
                OnWhatsApp(
                    phone,
                    exists=True,
                    jid=f"{key}@s.whatsapp.net" if hidden else jid,
                    lid=lid,
                    verified_name=each.VerifiedName.Details.verifiedName or None,
                )
            )
        return result

    async def lid_of(self, jid: str, timeout: float = 5.0) -> str | None:
        """The LID of a phone number's JID, if this client has learnt it."""
        return await self._mapped("GetLIDFromPN", jid, timeout)

    async def phone_of(self, lid: str, timeout: float = 5.0) -> str | None:
        """The phone number's JID of a LID, if this client has learnt it."""
        return await self._mapped("GetPNFromLID", lid, timeout)

    # --- groups --------------------------------------------------------------------------------------------

    async def create_group(
        self, subject: str, members: Iterable[str], timeout: float = CALL_TIMEOUT
    ) -> Group:
        """Create a group; a member that could not be added has `error` set."""
        asked = neonize.ReqCreateGroup(
            name=subject, Participants=[to_proto(each) for each in members], CreateKey=""
        )
        answer = await self._proto(neonize.GetGroupInfoReturnFunction, "CreateGroup", asked, timeout=timeout)
        return group_from(answer.GroupInfo)

    async def group_info(self, jid: str, timeout: float = CALL_TIMEOUT) -> Group:
        """A group this account is in; WhatsAppError 404 or 403 otherwise."""
        answer = await self._proto(
            neonize.GetGroupInfoReturnFunction, "GetGroupInfo", to_proto(jid), timeout=timeout
        )
        return group_from(answer.GroupInfo)

    async def change_members(
        self, jid: str, members: Iterable[str], change: str, timeout: float = CALL_TIMEOUT
    ) -> tuple[Member, ...]:
        """`add`, `remove`, `promote` or `demote` members; each has `error` set if it failed for them alone.

        Newcomers miss what is sent before the group's own GroupChanged event arrives.
        """
        listed = neonize.JIDArray(JIDS=[to_proto(each) for each in members])
        answer = await self._proto(
            neonize.UpdateGroupParticipantsReturnFunction,
            "UpdateGroupParticipants",
            to_proto(jid),
            listed,
            change,
            timeout=timeout,
        )
        return members_from(answer.participants)

    # --- media ---------------------------------------------------------------------------------------------

    async def upload(self, data: bytes, kind: MediaKind, timeout: float = CALL_TIMEOUT) -> Uploaded:
        """Encrypt a file and put it on WhatsApp's media host."""
        answer = await self._proto(neonize.UploadReturnFunction, "Upload", data, int(kind), timeout=timeout)
        put = answer.UploadResponse
        return Uploaded(
            url=put.url,
            direct_path=put.DirectPath,
            media_key=put.MediaKey,
            file_enc_sha256=put.FileEncSHA256,
            file_sha256=put.FileSHA256,
            file_length=put.FileLength,
        )

    async def download(self, message: Any, timeout: float = CALL_TIMEOUT) -> bytes:
        """The decrypted file that a media `waE2E.Message` names; WhatsAppError 404 or 410 when it is gone."""
        answer = await self._proto(neonize.DownloadReturnFunction, "DownloadAny", message, timeout=timeout)
        return bytes(answer.Binary)

    # --- any other function of the library -----------------------------------------------------------------

    async def call(self, function: str, *arguments: Any, timeout: float = CALL_TIMEOUT) -> bytes:
        """Call a function of the library's binding (`binding.py` lists them) and return its raw answer.

        Protobuf messages are sent as bytes. Functions that answer with a text raise it if not empty.
        """
        return await self._call(function, *arguments, timeout=timeout)

    async def ask(
        self, answer_type: Any, function: str, *arguments: Any, timeout: float = CALL_TIMEOUT
    ) -> Any:
        """The same for a function that answers with a protobuf which carries a result or an `Error`."""
        return await self._proto(answer_type, function, *arguments, timeout=timeout)

    async def tell(self, function: str, *arguments: Any, timeout: float = CALL_TIMEOUT) -> None:
        """The same for a function that answers with an error's text, or nothing."""
        await self._text(function, *arguments, timeout=timeout)

    async def _mapped(self, function: str, jid: str, timeout: float) -> str | None:
        try:
            answer = await self._proto(
                neonize.GetJIDFromStoreReturnFunction, function, to_proto(jid), timeout=timeout
            )
        except WhatsAppError:
            return None
        return to_text(answer.Jid)

    async def _proto(self, answer_type: Any, function: str, *arguments: Any, timeout: float) -> Any:
        """Call a function that answers with a protobuf carrying either a result or `Error`."""
        answer = answer_type.FromString(await self._call(function, *arguments, timeout=timeout))
        if answer.Error:
            raise error_from(function, answer.Error)
        return answer

    async def _text(self, function: str, *arguments: Any, timeout: float) -> None:
        """Call a function that answers with an error's text, empty on success."""
        text = await self._call(function, *arguments, timeout=timeout)
        if text:
            raise error_from(function, text.decode(errors="replace"))

    async def _call(self, function: str, *arguments: Any, timeout: float) -> bytes:
        raw = [
            each if isinstance(each, bytes | str | bool | int | float) else each.SerializeToString()
            for each in arguments
        ]
        with trio.move_on_after(timeout):
            return await self._port.call(self.number, encode_call(function, raw))
        raise CallTimedOut(function, timeout)
