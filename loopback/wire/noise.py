"""The server's side of Noise_XX_25519_AESGCM_SHA256, as bytes in and bytes out.

First message the client's ephemeral key, then ours with our static key and its certificates, then the
client's static key and payload; after that a `Session` with a key for each direction.
"""

from hashlib import sha256
from typing import Any, ClassVar, Final

from attrs import define, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError

from loopback.proto import wa6
from loopback.signal.errors import MalformedError
from loopback.signal.keys import KEY_SIZE, KeyPair
from loopback.wire.certificate import Identity
from loopback.wire.errors import HandshakeFailed, Undecryptable
from loopback.wire.frames import FRAME_LIMIT, PROLOGUE

__all__ = ["Authenticated", "Cipher", "ServerHandshake", "Session", "Symmetric"]

_NAME: Final = b"Noise_XX_25519_AESGCM_SHA256".ljust(32, b"\0")


@define(eq=False)
class Cipher:
    """AES-GCM under one key, with a nonce that counts."""

    _key: bytes = field(repr=False)
    _gcm: AESGCM = field(init=False, repr=False)
    _count: int = field(default=0, init=False)

    @_gcm.default
    def _prepared(self) -> AESGCM:
        return AESGCM(self._key)

    def seal(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        return self._gcm.encrypt(self._nonce(), plaintext, associated)

    def open(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        """Raises Undecryptable."""
        try:
            return self._gcm.decrypt(self._nonce(), ciphertext, associated)
        except InvalidTag:
            raise Undecryptable("a message does not decrypt") from None

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(12)
        self._count += 1
        return nonce


@define(eq=False)
class Symmetric:
    """What both sides of a handshake keep: a hash of all that was said, and keys of all secrets so far."""

    _hash: bytes = _NAME
    _chain: bytes = field(default=_NAME, repr=False)
    _cipher: Cipher = field(factory=lambda: Cipher(_NAME), init=False)

    def mix_hash(self, data: bytes) -> None:
        self._hash = sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self._chain, key = self.split(secret)
        self._cipher = Cipher(key)

    def seal(self, plaintext: bytes) -> bytes:
        ciphertext = self._cipher.seal(plaintext, self._hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def open(self, ciphertext: bytes) -> bytes:
        """Raises Undecryptable."""
        plaintext = self._cipher.open(ciphertext, self._hash)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self, secret: bytes = b"") -> tuple[bytes, bytes]:
        """Two keys out of the chain; without a secret, at the end: client to server, and server to client."""
        keys = HKDF(algorithm=SHA256(), length=64, salt=self._chain, info=b"").derive(secret)
        return keys[:32], keys[32:]


@frozen
class Session:
    """The two ciphers after a handshake, for messages in the order they are sent and arrive."""

    _receiving: Cipher
    _sending: Cipher

    LARGEST: ClassVar[int] = (
        FRAME_LIMIT - 3 - 16
    )  # bytes that sealed, and with their length, still are a frame

    def seal(self, plaintext: bytes) -> bytes:
        return self._sending.seal(plaintext)

    def open(self, ciphertext: bytes) -> bytes:
        """Raises Undecryptable."""
        return self._receiving.open(ciphertext)


@frozen
class Authenticated:
    """What a finished handshake proves and gives."""

    noise_key: bytes  # the client's static public key, 32 bytes
    payload: Any  # wa6.ClientPayload
    session: Session


@define(eq=False)
class ServerHandshake:
    """One handshake: `hello` once, then `finish` once. Afterwards, or after an error, it is used up."""

    _identity: Identity
    _ephemeral: KeyPair = field(factory=KeyPair.generate)
    _symmetric: Symmetric = field(factory=Symmetric, init=False)

    def hello(self, message: bytes) -> bytes:
        """Our answer to the client's first message. Raises HandshakeFailed and nothing else."""
        theirs = _parse(message).clientHello.ephemeral
        if len(theirs) != KEY_SIZE:
            raise HandshakeFailed("no ephemeral key")
        state = self._symmetric
        state.mix_hash(PROLOGUE)
        state.mix_hash(theirs)
        state.mix_hash(self._ephemeral.public)
        state.mix_key(_agree(self._ephemeral, theirs))
        static = state.seal(self._identity.keys.public)
        state.mix_key(_agree(self._identity.keys, theirs))
        payload = state.seal(self._identity.chain)
        answer = wa6.HandshakeMessage()
        answer.serverHello.ephemeral = self._ephemeral.public
        answer.serverHello.static = static
        answer.serverHello.payload = payload
        serialised: bytes = answer.SerializeToString()
        return serialised

    def finish(self, message: bytes) -> Authenticated:
        """Who the client is, from its second message. Raises HandshakeFailed and nothing else."""
        finish = _parse(message).clientFinish
        state = self._symmetric
        try:
            noise_key = state.open(finish.static)
            state.mix_key(_agree(self._ephemeral, noise_key))
            payload = wa6.ClientPayload.FromString(state.open(finish.payload))
        except Undecryptable as error:
            raise HandshakeFailed("the client does not know the handshake's keys") from error
        except DecodeError as error:
            raise HandshakeFailed("the payload is no ClientPayload") from error
        to_server, to_client = state.split()
        return Authenticated(noise_key, payload, Session(Cipher(to_server), Cipher(to_client)))


def _parse(message: bytes) -> Any:
    try:
        return wa6.HandshakeMessage.FromString(message)
    except DecodeError as error:
        raise HandshakeFailed("not a handshake message") from error


def _agree(ours: KeyPair, theirs: bytes) -> bytes:
    try:
        return ours.agree(theirs)
    except MalformedError as error:
        raise HandshakeFailed("a key that agrees on nothing") from error
