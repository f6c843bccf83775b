"""The server's side of the handshake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback.proto import wa6
from loopback.wire.certificate import Root
from loopback.wire.errors import HandshakeFailed, Undecryptable
from loopback.wire.noise import Authenticated, Cipher, ServerHandshake, Session
from tests.loopback.wire.wireclient import NoiseClient

IDENTITY = Root().identity()


def handshake(client: NoiseClient) -> tuple[Authenticated, Cipher, Cipher]:
    server = ServerHandshake(IDENTITY)
    last, sending, receiving = client.finish(server.hello(client.hello()), wa6.ClientPayload(username=628111))
    return server.finish(last), sending, receiving


def test_the_server_learns_who_the_client_is_and_both_can_talk() -> None:
    client = NoiseClient()
    known, sending, receiving = handshake(client)
    assert known.noise_key == client.keys.public
    assert known.payload.username == 628111
    assert (client.server_static, client.chain) == (IDENTITY.keys.public, IDENTITY.chain)
    for text in (b"one", b"", b"three"):
        assert known.session.open(sending.seal(text)) == text
        assert receiving.open(known.session.seal(text)) == text


def test_a_repeated_message_is_not_opened() -> None:
    known, sending, _ = handshake(NoiseClient())
    message = sending.seal(b"pay 100")
    assert known.session.open(message) == b"pay 100"
    with pytest.raises(Undecryptable):
        known.session.open(message)


@given(st.binary())
def test_garbage_for_a_hello_fails_the_handshake_and_nothing_else(data: bytes) -> None:
    with pytest.raises(HandshakeFailed):
        ServerHandshake(IDENTITY).hello(data)


@given(st.binary(), st.binary(), st.binary())
def test_garbage_for_a_finish_fails_the_handshake_and_nothing_else(
    whole: bytes, static: bytes, payload: bytes
) -> None:
    shaped = wa6.HandshakeMessage()
    shaped.clientFinish.static, shaped.clientFinish.payload = static, payload
    for message in (whole, shaped.SerializeToString()):
        server = ServerHandshake(IDENTITY)
        server.hello(NoiseClient().hello())
        with pytest.raises(HandshakeFailed):
            server.finish(message)


def test_a_payload_that_is_none_fails_the_handshake() -> None:
    class NoPayload:
        def SerializeToString(self) -> bytes:  # noqa: N802
            return b"\xff\xff\xff"

    server, client = ServerHandshake(IDENTITY), NoiseClient()
    last, _, _ = client.finish(server.hello(client.hello()), NoPayload())
    with pytest.raises(HandshakeFailed):
        server.finish(last)


def test_a_key_of_low_order_fails_the_handshake() -> None:
    message = wa6.HandshakeMessage()
    message.clientHello.ephemeral = bytes(32)
    with pytest.raises(HandshakeFailed):
        ServerHandshake(IDENTITY).hello(message.SerializeToString())


def test_the_largest_message_still_is_a_frame() -> None:
    known, _, _ = handshake(NoiseClient())
    assert len(known.session.seal(bytes(Session.LARGEST))) + 3 == 1 << 24
