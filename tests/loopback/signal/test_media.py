"""Media files and shared keys of the synced settings."""

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from loopback import proto
from loopback.signal import media, snapshot
from loopback.signal.cipher import hkdf, mac
from loopback.signal.errors import UndecryptableError
from loopback.signal.keyshare import AppStateKey, key_share


@given(st.binary(), st.sampled_from(media.MediaKind))
def test_a_file_is_read_as_it_was_written(plaintext: bytes, kind: media.MediaKind) -> None:
    file = media.encrypt(plaintext, kind)
    assert media.decrypt(file.data, file.media_key, kind) == plaintext
    assert file.file_sha256 == hashlib.sha256(plaintext).digest()
    assert file.file_enc_sha256 == hashlib.sha256(file.data).digest()
    assert file.file_length == len(plaintext)


def test_a_file_has_whatsapps_layout() -> None:
    file = media.encrypt(b"sixteen letters!", media.MediaKind.DOCUMENT)
    keys = hkdf(file.media_key, salt=b"", info=b"WhatsApp Document Keys", length=112)
    iv, cipher_key, mac_key = keys[:16], keys[16:48], keys[48:80]
    decryptor = Cipher(AES(cipher_key), CBC(iv)).decryptor()
    assert decryptor.update(file.data[:-10]) == b"sixteen letters!" + b"\x10" * 16
    assert file.data[-10:] == mac(mac_key, iv + file.data[:-10])[:10]


def test_damage_another_key_and_another_kind_are_refused() -> None:
    kind = media.MediaKind.IMAGE
    file = media.encrypt(b"a picture", kind)
    for at in range(len(file.data)):
        damaged = bytearray(file.data)
        damaged[at] ^= 1
        with pytest.raises(UndecryptableError):
            media.decrypt(bytes(damaged), file.media_key, kind)
    with pytest.raises(UndecryptableError):
        media.decrypt(file.data, bytes(32), kind)
    with pytest.raises(UndecryptableError):
        media.decrypt(file.data, file.media_key, media.MediaKind.VIDEO)


def test_a_key_share_carries_every_key() -> None:
    keys = [AppStateKey.generate(1_700_000_000_000), AppStateKey.generate(1_700_000_000_001)]
    message = proto.e2e.Message.FromString(key_share(keys).SerializeToString())
    share = message.protocolMessage
    assert share.type == proto.e2e.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE
    told = share.appStateSyncKeyShare.keys
    assert [key.keyID.keyID for key in told] == [key.id for key in keys]
    assert [key.keyData.keyData for key in told] == [key.data for key in keys]
    assert [key.keyData.timestamp for key in told] == [key.timestamp for key in keys]
    assert list(told[0].keyData.fingerprint.deviceIndexes) == [0]
    assert keys[0].id[:2] == b"\0\0"
    assert {len(key.id) for key in keys} == {6}


def test_a_settings_key_survives_json() -> None:
    key = AppStateKey.generate(1)
    assert snapshot.from_json(snapshot.to_json(key), AppStateKey) == key
