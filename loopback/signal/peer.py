"""A Signal peer: one device's identity, its prekeys, its sessions and its groups.

Addresses ("user@lid:device") and groups are opaque strings here. Plaintexts are the bytes that travel:
WhatsApp's random padding is put on and taken off by the caller (`padding`).
"""

import secrets
from typing import Literal, Self

import attrs

from loopback.signal import ratchet, senderkey, snapshot
from loopback.signal.errors import (
    MalformedError,
    NoSenderKeyError,
    NoSessionError,
    TooFarAheadError,
    UndecryptableError,
    UnknownPreKeyError,
)
from loopback.signal.keys import KeyPair
from loopback.signal.messages import PreKeySignalMessage, SenderKeyMessage
from loopback.signal.ratchet import Session
from loopback.signal.senderkey import ReceivedSenderKey, SenderKey
from loopback.signal.x3dh import PreKey, PreKeyBundle, SignedPreKey

MAX_SESSIONS = 40
"""How many sessions with one address stay readable; libsignal's limit."""

EncryptedType = Literal["pkmsg", "msg"]


@attrs.define(eq=False)
class SignalPeer:
    """Everything a device needs to talk; a failed call leaves it as it was."""

    identity: KeyPair
    registration_id: int
    signed_prekey: SignedPreKey
    prekeys: dict[int, KeyPair] = attrs.field(factory=dict)
    """One-time prekeys not yet used."""
    next_prekey_id: int = 1
    sessions: dict[str, list[Session]] = attrs.field(factory=dict)
    """By address; the first is the one to write with."""
    sender_keys: dict[str, SenderKey] = attrs.field(factory=dict)
    """Our own, by group."""
    received_sender_keys: dict[str, dict[str, list[ReceivedSenderKey]]] = attrs.field(factory=dict)
    """Those of others, by group and address, newest first."""

    @classmethod
    def generate(cls) -> Self:
        """A new device without one-time prekeys, which it can do without."""
        identity = KeyPair.generate()
        # 14 bits and not 0, as the clients choose it.
        return cls(identity, 1 + secrets.randbelow(0x3FFF), SignedPreKey.generate(identity, 1))

    def add_prekeys(self, count: int) -> list[PreKey]:
        """Make that many one-time prekeys and return their public halves."""
        made: list[PreKey] = []
        for prekey_id in range(self.next_prekey_id, self.next_prekey_id + count):
            self.prekeys[prekey_id] = KeyPair.generate()
            made.append(PreKey(prekey_id, self.prekeys[prekey_id].public))
        self.next_prekey_id += count
        return made

    def bundle(self, prekey: PreKey | None = None) -> PreKeyBundle:
        """What others need to write to this device, with a one-time prekey for one of them."""
        return PreKeyBundle(
            registration_id=self.registration_id,
            identity_key=self.identity.public,
            signed_prekey_id=self.signed_prekey.id,
            signed_prekey=self.signed_prekey.pair.public,
            signed_prekey_signature=self.signed_prekey.signature,
            prekey=prekey,
        )

    def has_session(self, address: str) -> bool:
        return address in self.sessions

    def drop_session(self, address: str) -> None:
        """Forget all sessions with this address; not an error when there is none."""
        self.sessions.pop(address, None)

    def encrypt(
        self, address: str, bundle: PreKeyBundle | None, plaintext: bytes
    ) -> tuple[EncryptedType, bytes]:
        """Encrypt for one device; "pkmsg" until it has answered.

        A bundle always starts a new session, which is what a receiver that asks to retry wants; the old ones
        stay readable.

        Raises NoSessionError without a session and without a bundle; for a bundle BadSignatureError or
        MalformedError.
        """
        older = self.sessions.get(address, [])
        if bundle is not None:
            session = ratchet.initiate(self.identity, self.registration_id, bundle)
        elif older:
            session, *older = older
        else:
            raise NoSessionError(address)
        advanced, data = ratchet.encrypt(session, self.identity, plaintext)
        self._keep(address, advanced, older)
        return ("msg" if advanced.pending is None else "pkmsg"), data

    def decrypt(self, address: str, kind: str, data: bytes) -> bytes:
        """Decrypt what one device has sent, `kind` being "pkmsg" or "msg".

        Raises MalformedError, UndecryptableError, DuplicateError, TooFarAheadError, NoSessionError for "msg",
        UnknownPreKeyError for "pkmsg".
        """
        match kind:
            case "pkmsg":
                return self._decrypt_first(address, PreKeySignalMessage.parse(data))
            case "msg":
                return self._decrypt_following(address, data)
            case _:
                raise MalformedError(f"unknown type of ciphertext {kind!r}")

    def _decrypt_first(self, address: str, message: PreKeySignalMessage) -> bytes:
        """The sender repeats the preamble until it is answered: the base key tells which session is meant."""
        older = self.sessions.get(address, [])
        known = next((session for session in older if session.base_key == message.base_key), None)
        session = known or self._respond(message)
        advanced, plaintext = ratchet.decrypt(session, self.identity, message.message)
        self._keep(address, advanced, [other for other in older if other is not session])
        if known is None and message.prekey_id is not None:  # only then is the number proven
            del self.prekeys[message.prekey_id]
        return plaintext

    def _respond(self, message: PreKeySignalMessage) -> Session:
        if message.signed_prekey_id != self.signed_prekey.id:
            raise UnknownPreKeyError(message.signed_prekey_id)
        prekey = None
        if message.prekey_id is not None:
            prekey = self.prekeys.get(message.prekey_id)
            if prekey is None:
                raise UnknownPreKeyError(message.prekey_id)
        return ratchet.respond(self.identity, self.signed_prekey.pair, prekey, message)

    def _decrypt_following(self, address: str, data: bytes) -> bytes:
        """Nothing tells which session is meant: try them, and write with the right one from now on."""
        known = self.sessions.get(address)
        if known is None:
            raise NoSessionError(address)
        for session in known:
            try:
                advanced, plaintext = ratchet.decrypt(session, self.identity, data)
            except (UndecryptableError, TooFarAheadError):
                continue
            self._keep(address, advanced, [other for other in known if other is not session])
            return plaintext
        raise UndecryptableError(f"no session with {address} reads this message ({len(known)} tried)")

    def _keep(self, address: str, current: Session, older: list[Session]) -> None:
        self.sessions[address] = [current, *older][:MAX_SESSIONS]

    def group_encrypt(self, group: str, plaintext: bytes) -> tuple[bytes, bytes]:
        """The distribution of the sender key, made when there is none, and the message it lets one read.

        The distribution is good for this message and the later ones, so it may be sent to newcomers only, or
        to everybody every time.
        """
        key = self.sender_keys.get(group) or SenderKey.generate()
        self.sender_keys[group], data = senderkey.encrypt(key, plaintext)
        return key.distribution(), data

    def drop_sender_key(self, group: str) -> None:
        """Write with a new key from now on, because somebody who has the old one has left."""
        self.sender_keys.pop(group, None)

    def process_distribution(self, group: str, address: str, distribution: bytes) -> None:
        """Learn a member's sender key.

        Raises MalformedError.
        """
        members = self.received_sender_keys.setdefault(group, {})
        members[address] = senderkey.learn(members.get(address, []), distribution)

    def group_decrypt(self, group: str, address: str, data: bytes) -> bytes:
        """Decrypt what a member has sent to the group.

        Raises MalformedError, NoSenderKeyError, BadSignatureError, UndecryptableError, DuplicateError,
        TooFarAheadError.
        """
        key_id = SenderKeyMessage.parse(data)[0].key_id
        keys = self.received_sender_keys.get(group, {}).get(address, [])
        for at, key in enumerate(keys):
            if key.id == key_id:
                keys[at], plaintext = senderkey.decrypt(key, data)
                return plaintext
        raise NoSenderKeyError(group, address, key_id)

    def to_json(self) -> str:
        """The whole state, private keys included."""
        return snapshot.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A peer that goes on where the one that wrote this stopped."""
        return snapshot.from_json(text, cls)
