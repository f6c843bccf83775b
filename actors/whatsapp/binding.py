"""The client library's C interface: one table of its functions, and callbacks that hand over raw bytes.

Used in cells only. neonize's own binding is not used: importing it brings up logging, protobuf and media
helpers (40 MB, 0.3 s), and it takes what two void functions leave in a register for a string to be freed.
"""

import ctypes
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from attrs import frozen

from .control import Argument
from .kinds import SUBSCRIBED

__all__ = ["CALLS", "BadCall", "Callbacks", "Library", "library_path", "log_entry"]

Answer = Literal["bytes", "text", "bool", "nothing"]

# Arguments after the client's id: b = bytes (pointer and length), s = text, i = int, l = 64-bit int,
# f = float, ? = bool. Answers: `bytes` is a protobuf, `text` an error's text or empty.
CALLS: Final[dict[str, tuple[str, Answer]]] = {
    "AcceptTOSNotice": ("ss", "text"),
    "BuildPollVote": ("bb", "bytes"),
    "BuildPollVoteCreation": ("sbi", "bytes"),
    "BuildReaction": ("bbss", "bytes"),
    "BuildRevoke": ("bbs", "bytes"),
    "CreateGroup": ("b", "bytes"),
    "CreateNewsletter": ("b", "bytes"),
    "DecryptPollVote": ("b", "bytes"),
    "DownloadAny": ("b", "bytes"),
    "DownloadMediaWithPath": ("sbbbiis", "bytes"),
    "FollowNewsletter": ("b", "text"),
    "GenerateMessageID": ("", "text"),
    "GetAllContacts": ("", "bytes"),
    "GetBlocklist": ("", "bytes"),
    "GetChatSettings": ("b", "bytes"),
    "GetContact": ("b", "bytes"),
    "GetContactQRLink": ("?", "bytes"),
    "GetGroupInfo": ("b", "bytes"),
    "GetGroupInfoFromInvite": ("bbsi", "bytes"),
    "GetGroupInfoFromLink": ("s", "bytes"),
    "GetGroupInviteLink": ("b?", "bytes"),
    "GetGroupRequestParticipants": ("b", "bytes"),
    "GetJoinedGroups": ("", "bytes"),
    "GetLIDFromPN": ("b", "bytes"),
    "GetLinkedGroupsParticipants": ("b", "bytes"),
    "GetMe": ("", "bytes"),
    "GetMessageForRetry": ("bbs", "bytes"),
    "GetNewsletterInfo": ("b", "bytes"),
    "GetNewsletterInfoWithInvite": ("s", "bytes"),
    "GetNewsletterMessageUpdate": ("biii", "bytes"),
    "GetNewsletterMessages": ("bii", "bytes"),
    "GetPNFromLID": ("b", "bytes"),
    "GetPrivacySettings": ("", "bytes"),
    "GetProfilePicture": ("bb", "bytes"),
    "GetStatusPrivacy": ("", "bytes"),
    "GetSubGroups": ("b", "bytes"),
    "GetSubscribedNewsletters": ("", "bytes"),
    "GetUserDevices": ("b", "bytes"),
    "GetUserInfo": ("b", "bytes"),
    "IsConnected": ("", "bool"),
    "IsLoggedIn": ("", "bool"),
    "IsOnWhatsApp": ("s", "bytes"),
    "JoinGroupWithInvite": ("bbsi", "text"),
    "JoinGroupWithLink": ("s", "bytes"),
    "LeaveGroup": ("b", "text"),
    "LinkGroup": ("bb", "text"),
    "Logout": ("", "text"),
    "MarkRead": ("sibbs", "text"),
    "NewsletterMarkViewed": ("bb", "text"),
    "NewsletterSendReaction": ("biss", "text"),
    "NewsletterSubscribeLiveUpdates": ("b", "bytes"),
    "NewsletterToggleMute": ("b?", "text"),
    "PairPhone": ("b", "bytes"),
    "PinMessage": ("bbsi", "bytes"),
    "PutAllContactNames": ("b", "text"),
    "PutArchived": ("b?", "text"),
    "PutBusinessName": ("bs", "bytes"),
    "PutContactName": ("bss", "text"),
    "PutMutedUntil": ("bf", "text"),
    "PutPinned": ("b?", "text"),
    "PutPushName": ("bs", "bytes"),
    "RejectCall": ("bs", "text"),
    "ResolveBusinessMessageLink": ("s", "bytes"),
    "ResolveContactQRLink": ("s", "bytes"),
    "SendAppState": ("b", "text"),
    "SendChatPresence": ("bii", "text"),
    "SendFBMessage": ("bbbb", "bytes"),
    "SendMessage": ("bb", "bytes"),
    "SendPresence": ("s", "text"),
    "SetDefaultDisappearingTimer": ("l", "text"),
    "SetDisappearingTimer": ("bll", "text"),
    "SetForceActiveDeliveryReceipts": ("?", "nothing"),
    "SetGroupAnnounce": ("b?", "text"),
    "SetGroupLocked": ("b?", "text"),
    "SetGroupName": ("bs", "text"),
    "SetGroupPhoto": ("bb", "bytes"),
    "SetGroupTopic": ("bsss", "text"),
    "SetPassive": ("?", "text"),
    "SetPrivacySetting": ("ss", "bytes"),
    "SetProfilePhoto": ("b", "bytes"),
    "SetPushName": ("s", "text"),
    "SetStatusMessage": ("s", "text"),
    "SubscribePresence": ("b", "text"),
    "UnfollowNewsletter": ("b", "text"),
    "UnlinkGroup": ("bb", "text"),
    "UpdateBlocklist": ("bs", "bytes"),
    "UpdateGroupParticipants": ("bbs", "bytes"),
    "Upload": ("bi", "bytes"),
    "UploadNewsletter": ("bi", "bytes"),
}
_LIFE: Final[dict[str, tuple[str, Answer]]] = {"Disconnect": ("", "nothing"), "Stop": ("", "nothing")}

# WhatsApp's root key, under which its servers prove who they are (whatsmeow's handshake.go, WACertPubKey).
ROOT_KEY: Final = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


class BadCall(Exception):
    """No such function, or not its arguments."""


class _Bytes(ctypes.Structure):
    _fields_ = (("ptr", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Proxy(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_char_p),
        ("no_websocket", ctypes.c_bool),
        ("only_login", ctypes.c_bool),
        ("no_media", ctypes.c_bool),
    )


_TextCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p)
_EventCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)

_ARGUMENTS: Final[dict[str, list[Any]]] = {
    "b": [ctypes.c_char_p, ctypes.c_int],
    "s": [ctypes.c_char_p],
    "i": [ctypes.c_int],
    "l": [ctypes.c_int64],
    "f": [ctypes.c_float],
    "?": [ctypes.c_bool],
}
_ANSWERS: Final[dict[Answer, Any]] = {
    "bytes": ctypes.POINTER(_Bytes),
    "text": ctypes.c_void_p,
    "bool": ctypes.c_bool,
    "nothing": None,
}
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "b": bytes,
    "s": str,
    "i": int,
    "l": int,
    "f": (int, float),
    "?": bool,
}

# Go goes on logging through a client's callbacks after it was stopped: they must live as long as the process.
_KEPT: list[Any] = []


@frozen
class Callbacks:
    """What the library calls while a client runs; all from the client's own thread except `log`, from any."""

    qr: Callable[[bytes], None]
    pairing: Callable[[bytes], None]
    event: Callable[[int, bytes], None]
    log: Callable[[bytes], None]
    """Takes the raw `LogEntry`; see `log_entry`."""


def library_path(package: Path) -> Path:
    """The shared object for this machine in neonize's directory."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    return package / f"neonize-linux-{machine}.so"


class Library:
    """The loaded library.

    Raises OSError when it cannot be loaded, RuntimeError when the root key cannot be replaced.
    """

    def __init__(self, path: Path, root_key: bytes | None = None) -> None:
        self._go = ctypes.CDLL(str(path))
        self._go.Neonize.argtypes = [
            *(ctypes.c_char_p, ctypes.c_char_p),  # store, id
            *(ctypes.c_char_p, ctypes.c_int),  # jid; none: the store's first device
            ctypes.c_int,  # a new device even so
            ctypes.c_char_p,  # log level
            *(_TextCallback, _TextCallback, _EventCallback, _LogCallback),
            *(ctypes.c_char_p, ctypes.c_int),  # event codes
            *(ctypes.c_char_p, ctypes.c_int),  # device properties
            *(ctypes.c_char_p, ctypes.c_int),  # phone to pair by code
            ctypes.POINTER(_Proxy),
        ]
        self._go.Neonize.restype = ctypes.c_void_p
        for name, (arguments, answer) in (CALLS | _LIFE).items():
            function = getattr(self._go, name)
            function.argtypes = [ctypes.c_char_p, *(each for kind in arguments for each in _ARGUMENTS[kind])]
            function.restype = _ANSWERS[answer]
        self._go.GetAllDevices.argtypes = [ctypes.c_char_p, _LogCallback]
        self._go.GetAllDevices.restype = ctypes.c_void_p
        self._go.FreeString.argtypes = [ctypes.c_void_p]
        self._go.FreeString.restype = None
        self._go.FreeBytesStruct.argtypes = [ctypes.POINTER(_Bytes)]
        self._go.FreeBytesStruct.restype = None
        if root_key is not None:
            _replace(path, ROOT_KEY, root_key)

    def run(
        self,
        client: bytes,
        store: bytes,
        device_props: bytes,
        proxy: bytes | None,
        callbacks: Callbacks,
        *,
        device: bytes = b"",
        new: bool = False,
    ) -> str:
        """Connect a client and deliver its events until it is stopped or its loop ends; Go's error or empty.

        The store is a SQLite path with options riding along, or a `postgres…` URL. `device` is a
        `neonize.JID`: that device is used, and must be there or the process crashes. Without one it is the
        store's first, and with none in the store, or `new`, another is made that shows QR codes.
        """
        functions = (
            _TextCallback(lambda _id, text: callbacks.qr(text)),
            _TextCallback(lambda _id, text: callbacks.pairing(text)),
            _EventCallback(lambda _id, data, size, code: callbacks.event(code, ctypes.string_at(data, size))),
            _LogCallback(lambda data, size: callbacks.log(ctypes.string_at(data, size))),
        )
        settings = None if proxy is None else _Proxy(proxy, False, False, False)
        _KEPT.append((functions, settings, callbacks))
        answer = self._go.Neonize(
            store,
            client,
            device,
            len(device),
            new,
            b"WARN",
            *functions,
            SUBSCRIBED,
            len(SUBSCRIBED),
            device_props,
            len(device_props),
            b"",
            0,
            None if settings is None else ctypes.byref(settings),
        )
        return self._take_text(answer).decode(errors="replace")

    def open(self, store: bytes) -> str:
        """Open a store once, which makes or upgrades the library's tables; Go's error or empty."""
        silent = _LogCallback(lambda _data, _size: None)
        _KEPT.append(silent)
        answer = self._take_text(self._go.GetAllDevices(store, silent)).decode(errors="replace")
        return answer.removeprefix("error: ") if answer.startswith("error: ") else ""

    def disconnect(self, client: bytes) -> None:
        """Close the link; what is queued still comes. Waits for a dial under way."""
        self._go.Disconnect(client)

    def stop(self, client: bytes) -> None:
        """Close the link and forget the client; `run` returns unless it is waiting to be paired."""
        self._go.Stop(client)

    def call(self, client: bytes, function: str, arguments: Sequence[Argument]) -> bytes:
        """Call a function of the table and return its raw answer; a bool as one byte.

        The client must be running: most functions take an unknown one for granted and crash the process.
        Raises BadCall.
        """
        kinds, answer = CALLS.get(function, (None, None))
        if kinds is None:
            raise BadCall(f"there is no function {function!r}")
        if len(kinds) != len(arguments) or not all(map(_fits, kinds, arguments)):
            raise BadCall(f"{function} takes {kinds!r}, not {[type(each).__name__ for each in arguments]}")
        flat = [each for argument in arguments for each in _flat(argument)]
        result = getattr(self._go, function)(client, *flat)
        match answer:
            case "bytes":
                return self._take_bytes(result)
            case "text":
                return self._take_text(result)
            case "bool":
                return b"\x01" if result else b"\x00"
            case _:
                return b""

    def _take_text(self, pointer: int | None) -> bytes:
        if not pointer:
            return b""
        try:
            return ctypes.string_at(pointer)
        finally:
            self._go.FreeString(pointer)

    def _take_bytes(self, pointer: Any) -> bytes:
        if not pointer:
            return b""
        try:
            found = pointer.contents
            return ctypes.string_at(found.ptr, found.size) if found.ptr and found.size else b""
        finally:
            self._go.FreeBytesStruct(pointer)


def log_entry(raw: bytes) -> tuple[str, str, str]:
    """Message, level and module of a raw `LogEntry`: three strings, read without the protobuf library."""
    found = {1: "", 2: "", 3: ""}
    offset = 0
    while offset < len(raw):
        tag, offset = _varint(raw, offset)
        length, offset = _varint(raw, offset)
        if tag & 7 != 2:
            break
        found[tag >> 3] = raw[offset : offset + length].decode(errors="replace")
        offset += length
    return found[1], found[2], found[3]


def _varint(raw: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while offset < len(raw):
        byte = raw[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, offset


def _fits(kind: str, argument: Argument) -> bool:
    if kind != "?" and isinstance(argument, bool):
        return False
    if kind == "s" and isinstance(argument, str) and "\0" in argument:
        return False
    return isinstance(argument, _TYPES[kind])


def _flat(argument: Argument) -> tuple[Any, ...]:
    match argument:
        case bytes():
            return argument, len(argument)
        case str():
            return (argument.encode(),)
        case _:
            return (argument,)


def _replace(path: Path, old: bytes, new: bytes) -> None:
    """Overwrite bytes in the library's writable memory, where they must be found exactly once."""
    found = []
    name = path.name.encode()
    for line in Path("/proc/self/maps").read_bytes().splitlines():
        columns = line.split(maxsplit=5)
        if columns[1].startswith(b"rw") and len(columns) == 6 and columns[5].endswith(name):
            start, end = (int(each, 16) for each in columns[0].split(b"-"))
            memory = ctypes.string_at(start, end - start)
            offset = memory.find(old)
            while offset >= 0:
                found.append(start + offset)
                offset = memory.find(old, offset + 1)
    if len(found) != 1 or len(new) != len(old):
        raise RuntimeError(f"the root key was found {len(found)} times in the library, not once")
    ctypes.memmove(found[0], new, len(new))
