"""A phone's Signal state in the store: what a call changed is written before anybody hears of its result."""

from attrs import frozen

from loopback.signal import KeyPair, PreKeyBundle, SignalPeer
from loopback.signal.ratchet import Session
from loopback.signal.senderkey import ReceivedSenderKey, SenderKey
from loopback.signal.x3dh import SignedPreKey
from loopback.store import Store

__all__ = ["Keyring"]


@frozen
class Identity:
    """What of a phone's keys never changes. It hands out no one-time prekeys."""

    pair: KeyPair
    registration_id: int
    signed_prekey: SignedPreKey


@frozen
class Sessions:
    """The sessions with one address."""

    known: list[Session]


@frozen
class OwnSenderKey:
    """The phone's key in one group, and the addresses that have it."""

    key: SenderKey
    told: set[str]


@frozen
class SenderKeys:
    """The keys of one member in one group."""

    known: list[ReceivedSenderKey]


class Keyring:
    """One phone's keys. Raises what `SignalPeer` raises, and then nothing has changed."""

    def __init__(self, store: Store, phone: str) -> None:
        self._store = store
        self._phone = phone
        identity = store.get("identity", phone, Identity)
        if identity is None:
            self._peer = SignalPeer.generate()
            identity = Identity(self._peer.identity, self._peer.registration_id, self._peer.signed_prekey)
            store.put("identity", phone, identity)
        else:
            self._peer = SignalPeer(identity.pair, identity.registration_id, identity.signed_prekey)

    @property
    def identity(self) -> KeyPair:
        return self._peer.identity

    def bundle(self) -> PreKeyBundle:
        return self._peer.bundle()

    def has_session(self, address: str) -> bool:
        self._fetch(address)
        return self._peer.has_session(address)

    def encrypt(self, address: str, bundle: PreKeyBundle | None, plaintext: bytes) -> tuple[str, bytes]:
        """Type and ciphertext for one device; a bundle begins a new session."""
        self._fetch(address)
        encrypted = self._peer.encrypt(address, bundle, plaintext)
        self._keep(address)
        return encrypted

    def decrypt(self, address: str, kind: str, data: bytes) -> bytes:
        self._fetch(address)
        plaintext = self._peer.decrypt(address, kind, data)
        self._keep(address)
        return plaintext

    def group_encrypt(
        self, group: str, plaintext: bytes, audience: set[str]
    ) -> tuple[bytes, set[str], bytes]:
        """The distribution of the sender key, who of the audience lacks it, and the message.

        When somebody who has the key is no longer in the audience, a new key is made.
        """
        own = self._store.get("senderkey", f"{self._phone}/{group}", OwnSenderKey)
        told: set[str] = own.told if own is not None else set()
        if own is not None and told <= audience:
            self._peer.sender_keys[group] = own.key
        else:
            self._peer.drop_sender_key(group)
            told = set()
        distribution, message = self._peer.group_encrypt(group, plaintext)
        key = self._peer.sender_keys.pop(group)
        self._store.put("senderkey", f"{self._phone}/{group}", OwnSenderKey(key, audience))
        return distribution, audience - told, message

    def distribution(self, group: str) -> bytes | None:
        """What somebody needs who could not read a message to the group; None before the first message."""
        own = self._store.get("senderkey", f"{self._phone}/{group}", OwnSenderKey)
        return own.key.distribution() if own is not None else None

    def process_distribution(self, group: str, address: str, distribution: bytes) -> None:
        self._fetch_member(group, address)
        self._peer.process_distribution(group, address, distribution)
        self._keep_member(group, address)

    def group_decrypt(self, group: str, address: str, data: bytes) -> bytes:
        self._fetch_member(group, address)
        plaintext = self._peer.group_decrypt(group, address, data)
        self._keep_member(group, address)
        return plaintext

    # The peer holds only what the call at hand needs: the state of 200 phones in a group of 200 would be
    # large, and reading a row takes less than the cryptography does.

    def _fetch(self, address: str) -> None:
        self._peer.sessions.clear()
        stored = self._store.get("session", f"{self._phone}/{address}", Sessions)
        if stored is not None:
            self._peer.sessions[address] = stored.known

    def _keep(self, address: str) -> None:
        self._store.put("session", f"{self._phone}/{address}", Sessions(self._peer.sessions[address]))

    def _fetch_member(self, group: str, address: str) -> None:
        stored = self._store.get("memberkey", f"{self._phone}/{group}/{address}", SenderKeys)
        self._peer.received_sender_keys = {group: {address: stored.known if stored is not None else []}}

    def _keep_member(self, group: str, address: str) -> None:
        known = self._peer.received_sender_keys[group][address]
        self._store.put("memberkey", f"{self._phone}/{group}/{address}", SenderKeys(known))
