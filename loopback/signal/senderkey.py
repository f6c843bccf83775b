"""Sender keys: one ciphertext for a whole group, from a chain that each member was told of pairwise."""

import os

import attrs

from loopback.signal.chain import MAX_AHEAD, Chain
from loopback.signal.cipher import cbc_decrypt, cbc_encrypt, hkdf
from loopback.signal.keys import KeyPair, verify
from loopback.signal.messages import SenderKeyDistribution, SenderKeyMessage

MAX_KEYS = 5
"""How many sender keys of one member stay readable; libsignal's limit."""


@attrs.frozen
class SenderKey:
    """Our own key in one group."""

    id: int
    chain: Chain
    signing: KeyPair

    @classmethod
    def generate(cls) -> "SenderKey":
        key_id = int.from_bytes(os.urandom(4), "big") >> 1  # 31 bits, which every client can hold
        return cls(key_id, Chain(os.urandom(32)), KeyPair.generate())

    def distribution(self) -> bytes:
        """What a member needs to read the messages from here on."""
        return SenderKeyDistribution(
            self.id, self.chain.counter, self.chain.key, self.signing.public
        ).encode()


@attrs.frozen
class ReceivedSenderKey:
    """The key of another member in one group."""

    id: int
    chain: Chain
    signing_key: bytes


def encrypt(key: SenderKey, plaintext: bytes) -> tuple[SenderKey, bytes]:
    """The key afterwards and the signed message."""
    chain, seed = key.chain.next()
    iv, cipher_key = _message_keys(seed)
    message = SenderKeyMessage(key.id, key.chain.counter, cbc_encrypt(cipher_key, iv, plaintext)).encode()
    return attrs.evolve(key, chain=chain), message + key.signing.sign(message)


def decrypt(key: ReceivedSenderKey, data: bytes) -> tuple[ReceivedSenderKey, bytes]:
    """The key afterwards and the plaintext; the message must name this key.

    Raises MalformedError, BadSignatureError, UndecryptableError, and DuplicateError or TooFarAheadError by
    its counter.
    """
    message, signed, signature = SenderKeyMessage.parse(data)
    verify(key.signing_key, signed, signature)
    chain, seed = key.chain.take(message.iteration)
    iv, cipher_key = _message_keys(seed)
    return attrs.evolve(key, chain=chain), cbc_decrypt(cipher_key, iv, message.ciphertext)


def learn(known: list[ReceivedSenderKey], distribution: bytes) -> list[ReceivedSenderKey]:
    """The keys known of a member, newest first, after it has distributed one.

    The same key comes with every message. The chain already held is then kept, for it still reads the
    messages that were overtaken, unless it has fallen so far behind that it could not reach the newcomer.

    Raises MalformedError.
    """
    told = SenderKeyDistribution.parse(distribution)
    key = ReceivedSenderKey(told.key_id, Chain(told.chain_key, told.iteration), told.signing_key)
    for old in known:
        same = old.id == key.id and old.signing_key == key.signing_key
        if same and told.iteration - old.chain.counter <= MAX_AHEAD:
            key = old
    return [key, *(old for old in known if old.id != key.id)][:MAX_KEYS]


def _message_keys(seed: bytes) -> tuple[bytes, bytes]:
    """Initialisation vector, cipher key."""
    derived = hkdf(seed, salt=b"", info=b"WhisperGroup", length=48)
    return derived[:16], derived[16:]
