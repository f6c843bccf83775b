"""A phone's hand in the synced settings: chats archived, pinned, muted; the address book; the own name."""

import time
from typing import Any

from attrs import frozen

from loopback import proto
from loopback.accounts import Account
from loopback.settings import Settings
from loopback.signal.appstate import Collection, Mutation, apply, encode
from loopback.signal.keyshare import AppStateKey
from loopback.wire.node import JID

__all__ = ["ChatSettings", "Synced"]

CRITICAL = "critical_block"
CONTACTS = "critical_unblock_low"
REGULAR_LOW = "regular_low"
REGULAR_HIGH = "regular_high"
COLLECTIONS = (CRITICAL, CONTACTS, REGULAR_LOW, REGULAR_HIGH, "regular")
FOREVER = -1

Value = Any  # SyncActionValue


@frozen
class ChatSettings:
    """What is set for one chat. `muted_until` in Unix seconds, -1 for ever, 0 not muted."""

    archived: bool = False
    pinned: bool = False
    muted_until: int = 0


class Synced:
    """One account's settings as its phone reads and writes them."""

    def __init__(self, account: Account, settings: Settings, key: AppStateKey) -> None:
        self._account = account
        self._settings = settings
        self._key = key
        self._known = {name: Collection(name) for name in COLLECTIONS}
        self._values: dict[tuple[str, ...], Value] = {}

    # --- Writing ------------------------------------------------------------------------------------------

    def archive(self, chat: JID, *, archived: bool) -> None:
        value = self._value()
        value.archiveChatAction.archived = archived
        value.archiveChatAction.messageRange.lastMessageTimestamp = int(time.time())
        self._write(REGULAR_LOW, Mutation(("archive", str(chat)), 3, value))

    def pin(self, chat: JID, *, pinned: bool) -> None:
        value = self._value()
        value.pinAction.pinned = pinned
        self._write(REGULAR_LOW, Mutation(("pin_v1", str(chat)), 5, value))

    def mute(self, chat: JID, *, until: int) -> None:
        """Until a Unix second; -1 for ever, 0 no longer."""
        value = self._value()
        value.muteAction.muted = until != 0
        if until:
            value.muteAction.muteEndTimestamp = until * 1000 if until > 0 else FOREVER
        self._write(REGULAR_HIGH, Mutation(("mute", str(chat)), 2, value))

    def star(self, chat: JID, message_id: str, *, from_me: bool, sender: JID, starred: bool) -> None:
        value = self._value()
        value.starAction.starred = starred
        who = "0" if sender.user == chat.user or from_me else str(sender)
        index = ("star", str(chat), message_id, "1" if from_me else "0", who)
        self._write(REGULAR_HIGH, Mutation(index, 2, value))

    def name_contact(self, person: Account, full_name: str, first_name: str) -> None:
        value = self._value()
        value.contactAction.fullName = full_name
        value.contactAction.firstName = first_name
        value.contactAction.lidJID = str(person.lid_jid)
        value.contactAction.saveOnPrimaryAddressbook = True
        self._write(CONTACTS, Mutation(("contact", str(person.pn_jid)), 2, value))

    def name_self(self, name: str) -> None:
        value = self._value()
        value.pushNameSetting.name = name
        self._write(CRITICAL, Mutation(("setting_pushName",), 1, value))

    # --- Reading ------------------------------------------------------------------------------------------

    def own_name(self) -> str:
        """The push name that a companion or the phone set last; "" for none."""
        self._catch_up()
        value = self._values.get(("setting_pushName",))
        return str(value.pushNameSetting.name) if value is not None else ""

    def chats(self) -> dict[str, ChatSettings]:
        """What is set, by the chat's address."""
        self._catch_up()
        found: dict[str, ChatSettings] = {}
        for index in self._values:
            if index[0] in {"archive", "pin_v1", "mute"} and index[1] not in found:
                found[index[1]] = self._chat(index[1])
        return found

    def _chat(self, chat: str) -> ChatSettings:
        archive, pin, mute = (self._values.get((kind, chat)) for kind in ("archive", "pin_v1", "mute"))
        until = 0
        if mute is not None and mute.muteAction.muted:
            end = mute.muteAction.muteEndTimestamp
            until = end // 1000 if end > 0 else FOREVER
        return ChatSettings(
            archived=archive is not None and archive.archiveChatAction.archived,
            pinned=pin is not None and pin.pinAction.pinned,
            muted_until=until,
        )

    # --- Patches ------------------------------------------------------------------------------------------

    def _write(self, name: str, *mutations: Mutation) -> None:
        self._catch_up()
        known = self._known[name]
        # Nobody else writes meanwhile: the phone lives in the network's own process.
        if not self._settings.accept(self._account, name, known.version, encode(self._key, known, mutations)):
            raise RuntimeError(f"the phone is not at the newest version of {name}")

    def _catch_up(self) -> None:
        """Read what is new. Raises UndecryptableError when a companion wrote nonsense."""
        for name in COLLECTIONS:
            for patch in self._settings.since(self._account, name, self._known[name].version):
                self._known[name], mutations = apply(self._key, self._known[name], patch)
                for mutation in mutations:
                    if mutation.value is None:
                        self._values.pop(mutation.index, None)
                    else:
                        self._values[mutation.index] = mutation.value

    @staticmethod
    def _value() -> Value:
        return proto.syncaction.SyncActionValue(timestamp=int(time.time() * 1000))
