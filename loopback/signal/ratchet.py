"""The double ratchet: one session between two devices, as a value.

`encrypt` and `decrypt` return the session that comes after; whoever holds the old one has lost nothing when a
message proves damaged.
"""

import attrs

from loopback.signal import x3dh
from loopback.signal.chain import Chain
from loopback.signal.cipher import cbc_decrypt, cbc_encrypt, hkdf, mac, same
from loopback.signal.errors import UndecryptableError
from loopback.signal.keys import KeyPair, serialised
from loopback.signal.messages import MAC_SIZE, PreKeySignalMessage, SignalMessage
from loopback.signal.x3dh import PreKeyBundle

MAX_RECEIVING = 5
"""How many of the other side's past ratchet keys stay readable; libsignal's limit."""


@attrs.frozen
class Receiving:
    """The chain of messages that the other side sends under one of its ratchet keys."""

    ratchet_key: bytes
    chain: Chain


@attrs.frozen
class Pending:
    """Which prekeys the other side has to use; told with each message until it has answered one."""

    registration_id: int
    """Our own."""
    signed_prekey_id: int
    prekey_id: int | None


@attrs.frozen
class Session:
    """All that one side knows of a conversation."""

    remote_identity: bytes
    remote_registration_id: int
    base_key: bytes
    """The initiator's public base key: the name of the session, the same on both sides."""
    root_key: bytes = attrs.field(repr=False)
    ratchet: KeyPair
    """Ours, under which we send."""
    sending: Chain
    previous_counter: int = 0
    """The number of the last message sent under our ratchet key before this one."""
    receiving: list[Receiving] = attrs.field(factory=list)
    """Newest last."""
    pending: Pending | None = None


def initiate(identity: KeyPair, registration_id: int, bundle: PreKeyBundle) -> Session:
    """A session for the one that writes first.

    Raises BadSignatureError when the bundle's prekey is not signed by its identity, MalformedError for a key
    of low order.
    """
    bundle.check()
    base, ratchet = KeyPair.generate(), KeyPair.generate()
    root, _ = x3dh.initiate(identity, base, bundle)  # nobody ever writes under the prekey's chain
    root, sending = _root_step(root, ratchet, bundle.signed_prekey)
    return Session(
        remote_identity=bundle.identity_key,
        remote_registration_id=bundle.registration_id,
        base_key=base.public,
        root_key=root,
        ratchet=ratchet,
        sending=sending,
        pending=Pending(
            registration_id=registration_id,
            signed_prekey_id=bundle.signed_prekey_id,
            prekey_id=bundle.prekey.id if bundle.prekey else None,
        ),
    )


def respond(
    identity: KeyPair, signed_prekey: KeyPair, prekey: KeyPair | None, message: PreKeySignalMessage
) -> Session:
    """The session that a first message asks for; the message in it is still to be decrypted.

    Raises MalformedError for a key of low order.
    """
    root, first = x3dh.respond(
        identity, signed_prekey, prekey, their_identity=message.identity_key, their_base=message.base_key
    )
    return Session(
        remote_identity=message.identity_key,
        remote_registration_id=message.registration_id,
        base_key=message.base_key,
        root_key=root,
        ratchet=signed_prekey,
        sending=first,
    )


def encrypt(session: Session, identity: KeyPair, plaintext: bytes) -> tuple[Session, bytes]:
    """The session afterwards and the message: a first message as long as the session is pending."""
    sending, seed = session.sending.next()
    cipher_key, mac_key, iv = _message_keys(seed)
    message = SignalMessage(
        ratchet_key=session.ratchet.public,
        counter=session.sending.counter,
        previous_counter=session.previous_counter,
        ciphertext=cbc_encrypt(cipher_key, iv, plaintext),
    ).encode()
    data = message + _code(mac_key, identity.public, session.remote_identity, message)
    if session.pending is not None:
        data = PreKeySignalMessage(
            registration_id=session.pending.registration_id,
            prekey_id=session.pending.prekey_id,
            signed_prekey_id=session.pending.signed_prekey_id,
            base_key=session.base_key,
            identity_key=identity.public,
            message=data,
        ).encode()
    return attrs.evolve(session, sending=sending), data


def decrypt(session: Session, identity: KeyPair, data: bytes) -> tuple[Session, bytes]:
    """The session afterwards and the plaintext of a message (not of a first message: of the one inside it).

    Raises MalformedError, UndecryptableError when it belongs to another session or is damaged, DuplicateError
    and TooFarAheadError by its counter.
    """
    message, authenticated, code = SignalMessage.parse(data)
    if not any(known.ratchet_key == message.ratchet_key for known in session.receiving):
        session = _turn(session, message.ratchet_key)
    receiving = list(session.receiving)
    at = next(i for i, known in enumerate(receiving) if known.ratchet_key == message.ratchet_key)
    chain, seed = receiving[at].chain.take(message.counter)
    cipher_key, mac_key, iv = _message_keys(seed)
    if not same(code, _code(mac_key, session.remote_identity, identity.public, authenticated)):
        raise UndecryptableError("the message's code does not match")
    plaintext = cbc_decrypt(cipher_key, iv, message.ciphertext)
    receiving[at] = Receiving(message.ratchet_key, chain)
    return attrs.evolve(session, receiving=receiving, pending=None), plaintext


def _turn(session: Session, their_ratchet: bytes) -> Session:
    """The other side has a new ratchet key: a chain to read it, and a new key and chain of our own."""
    root, chain = _root_step(session.root_key, session.ratchet, their_ratchet)
    ratchet = KeyPair.generate()
    root, sending = _root_step(root, ratchet, their_ratchet)
    return attrs.evolve(
        session,
        root_key=root,
        ratchet=ratchet,
        sending=sending,
        previous_counter=max(session.sending.counter - 1, 0),
        receiving=[*session.receiving, Receiving(their_ratchet, chain)][-MAX_RECEIVING:],
    )


def _root_step(root: bytes, ours: KeyPair, theirs: bytes) -> tuple[bytes, Chain]:
    derived = hkdf(ours.agree(theirs), salt=root, info=b"WhisperRatchet", length=64)
    return derived[:32], Chain(derived[32:])


def _message_keys(seed: bytes) -> tuple[bytes, bytes, bytes]:
    """Cipher key, key of the code, initialisation vector."""
    derived = hkdf(seed, salt=b"", info=b"WhisperMessageKeys", length=80)
    return derived[:32], derived[32:64], derived[64:]


def _code(key: bytes, sender: bytes, receiver: bytes, message: bytes) -> bytes:
    return mac(key, serialised(sender) + serialised(receiver) + message)[:MAC_SIZE]
