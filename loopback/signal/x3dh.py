"""X3DH: how two devices agree on a first secret while one of them is away."""

import attrs

from loopback.signal.chain import Chain
from loopback.signal.cipher import hkdf
from loopback.signal.keys import KeyPair, serialised, verify


@attrs.frozen
class PreKey:
    """A one-time prekey as the directory hands it out."""

    id: int
    public: bytes


@attrs.frozen
class SignedPreKey:
    """The prekey that a device uses for everybody, with its identity's signature over the serialised key."""

    id: int
    pair: KeyPair
    signature: bytes

    @classmethod
    def generate(cls, identity: KeyPair, prekey_id: int) -> "SignedPreKey":
        pair = KeyPair.generate()
        return cls(prekey_id, pair, identity.sign(serialised(pair.public)))


@attrs.frozen
class PreKeyBundle:
    """What the directory knows of a device, enough to write to it; keys are 32 bytes."""

    registration_id: int
    identity_key: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signed_prekey_signature: bytes
    prekey: PreKey | None = None

    def check(self) -> None:
        """Raises BadSignatureError unless the identity has signed the prekey."""
        verify(self.identity_key, serialised(self.signed_prekey), self.signed_prekey_signature)


def initiate(identity: KeyPair, base: KeyPair, bundle: PreKeyBundle) -> tuple[bytes, Chain]:
    """The root key and the first chain, for the one that writes first; `base` is made for it alone.

    Raises MalformedError for a key of low order. The bundle's signature is not checked here.
    """
    secrets = [
        identity.agree(bundle.signed_prekey),
        base.agree(bundle.identity_key),
        base.agree(bundle.signed_prekey),
    ]
    if bundle.prekey is not None:
        secrets.append(base.agree(bundle.prekey.public))
    return _derive(secrets)


def respond(
    identity: KeyPair,
    signed_prekey: KeyPair,
    prekey: KeyPair | None,
    *,
    their_identity: bytes,
    their_base: bytes,
) -> tuple[bytes, Chain]:
    """The same root key and chain, for the one that is written to.

    Raises MalformedError for a key of low order.
    """
    secrets = [
        signed_prekey.agree(their_identity),
        identity.agree(their_base),
        signed_prekey.agree(their_base),
    ]
    if prekey is not None:
        secrets.append(prekey.agree(their_base))
    return _derive(secrets)


def _derive(secrets: list[bytes]) -> tuple[bytes, Chain]:
    # The leading bytes are no point of the curve: they keep this apart from signatures by the same keys.
    derived = hkdf(b"\xff" * 32 + b"".join(secrets), salt=b"", info=b"WhisperText", length=64)
    return derived[:32], Chain(derived[32:])
