"""The network's own keys: the chain inside Noise, the TLS authority, and both kept on disk."""

import stat
from pathlib import Path

import pytest

from loopback.proto import cert
from loopback.signal.keys import verify
from loopback.wire.authority import Authority
from loopback.wire.certificate import Root


def test_the_root_signs_the_intermediate_and_that_the_servers_key() -> None:
    root = Root()
    identity = root.identity(now=1_000_000_000)
    chain = cert.CertChain.FromString(identity.chain)
    verify(root.public, chain.intermediate.details, chain.intermediate.signature)
    details = cert.CertChain.NoiseCertificate.Details
    intermediate = details.FromString(chain.intermediate.details)
    verify(intermediate.key, chain.leaf.details, chain.leaf.signature)
    leaf = details.FromString(chain.leaf.details)
    assert leaf.key == identity.keys.public
    assert (intermediate.issuerSerial, leaf.issuerSerial) == (0, intermediate.serial)
    for part in (intermediate, leaf):
        assert part.notBefore < 1_000_000_000 < part.notAfter


def test_a_reopened_network_keeps_its_keys_and_only_its_owner_can_read_them(tmp_path: Path) -> None:
    directory = tmp_path / "network"
    root, authority = Root.open(directory), Authority.open(directory)
    before = authority.pem.read_bytes()
    assert Root.open(directory).public == root.public
    assert Authority.open(directory).pem.read_bytes() == before
    assert {path.name for path in directory.iterdir()} == {"ca.pem", "ca.key", "root.key"}
    for secret in ("ca.key", "root.key"):
        assert stat.S_IMODE((directory / secret).stat().st_mode) == 0o600
    assert b"PRIVATE" not in before


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "root.key").write_bytes(b"short")
    (tmp_path / "ca.key").write_bytes(b"nothing of the sort")
    with pytest.raises(ValueError, match="holds no key"):
        Root.open(tmp_path)
    with pytest.raises(ValueError, match="PEM"):
        Authority.open(tmp_path)


def test_no_secret_shows() -> None:
    root = Root()
    assert repr(root.keys.private) not in repr(root)
    assert "private" not in repr(root.identity())
