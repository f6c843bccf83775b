"""Linking a companion device to an account: the QR code, and the signatures of both sides (ADV)."""

import base64
import binascii
import os
from typing import Any

import attrs
from google.protobuf.message import DecodeError

from loopback import proto
from loopback.signal.cipher import mac
from loopback.signal.errors import MalformedError
from loopback.signal.keys import KEY_SIZE, KeyPair, verify

_ACCOUNT_SIGNATURE = b"\x06\x00"
_DEVICE_SIGNATURE = b"\x06\x01"


@attrs.frozen
class PairingQr:
    """What a companion shows to be scanned."""

    ref: str
    """Names the companion's connection to the server."""
    noise_key: bytes
    identity_key: bytes
    adv_secret: bytes = attrs.field(repr=False)
    """Proves to the companion that whoever answers has seen the code."""
    platform: str | None
    """The kind of client ("1" is Chrome); older clients do not tell."""


def parse_qr(text: str) -> PairingQr:
    """Read `[https://wa.me/…#]ref,noise key,identity key,secret[,platform]`, the keys in base64.

    Raises MalformedError.
    """
    fields = text.strip().rpartition("#")[2].split(",")
    if len(fields) not in {4, 5} or not fields[0]:
        raise MalformedError(f"a pairing code has 4 or 5 fields, not {len(fields)}")
    noise, identity, secret = (_decode(field) for field in fields[1:4])
    return PairingQr(fields[0], noise, identity, secret, fields[4] if len(fields) == 5 else None)


def _decode(field: str) -> bytes:
    try:
        key = base64.b64decode(field, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("a key in the pairing code is not base64") from None
    if len(key) != KEY_SIZE:
        raise MalformedError(f"a key in the pairing code has {len(key)} bytes")
    return key


def sign_companion(
    account: KeyPair, companion_identity: bytes, adv_secret: bytes, *, key_index: int, timestamp: int
) -> bytes:
    """The ADVSignedDeviceIdentityHMAC by which the phone accepts a companion; timestamp in Unix seconds."""
    details = proto.adv.ADVDeviceIdentity(
        rawID=int.from_bytes(os.urandom(4), "big"), timestamp=timestamp, keyIndex=key_index
    ).SerializeToString()
    signed = proto.adv.ADVSignedDeviceIdentity(
        details=details,
        accountSignatureKey=account.public,
        accountSignature=account.sign(_ACCOUNT_SIGNATURE + details + companion_identity),
    ).SerializeToString()
    sealed: bytes = proto.adv.ADVSignedDeviceIdentityHMAC(
        details=signed, HMAC=mac(adv_secret, signed)
    ).SerializeToString()
    return sealed


def verify_companion(answer: bytes, companion_identity: bytes, account_key: bytes) -> bytes:
    """Check the ADVSignedDeviceIdentity that a companion answers with, and return it whole.

    Companions leave the account's public key out; it is put back, since those who get the identity together
    with a first message want it there.

    Raises MalformedError, and BadSignatureError unless both have signed: the account these details for this
    companion, and the companion that it belongs to this account.
    """
    identity = _parse_identity(answer)
    signed = identity.details + companion_identity
    verify(account_key, _ACCOUNT_SIGNATURE + signed, identity.accountSignature)
    verify(companion_identity, _DEVICE_SIGNATURE + signed + account_key, identity.deviceSignature)
    identity.accountSignatureKey = account_key
    whole: bytes = identity.SerializeToString()
    return whole


def _parse_identity(data: bytes) -> Any:
    try:
        return proto.adv.ADVSignedDeviceIdentity.FromString(data)
    except DecodeError:
        raise MalformedError("not a signed device identity") from None
