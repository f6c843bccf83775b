"""One POST and what came of it, in words that tell the receiver what to mend."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trustme

from actors.egress import Egress
from actors.sender import Outcome, Sender

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """The port of a server on loopback, one call of `handler` a connection."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def post(url: str, **options: float) -> Outcome:
    egress = Egress(allow_networks=["127.0.0.0/8"])
    times = {"connect_timeout": 2.0, "timeout": 2.0} | options
    async with Sender(egress, 5, **times) as sender:
        return await sender.post(url, {}, b"{}")


async def test_a_certificate_of_nobody_known_is_named_as_the_reason() -> None:
    context = trustme.CA().issue_cert("127.0.0.1")

    async def greet(stream: trio.abc.Stream) -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.configure_cert(server)
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(stream, server, server_side=True).do_handshake()

    async with listening(greet) as port:
        outcome = await post(f"https://127.0.0.1:{port}/")
        assert (outcome.status, outcome.error) == (None, "the certificate is not trusted")


async def test_who_does_not_listen_answer_or_speak_http_is_told_apart() -> None:
    async def silent(_: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async def rude(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"220 mail.example.com ESMTP\r\n")

    async with listening(silent) as port:
        outcome = await post(f"http://127.0.0.1:{port}/", timeout=0.1)
        assert outcome.error == "no answer in time"
        assert outcome.seconds >= 0.1
    async with listening(rude) as port:
        assert (await post(f"http://127.0.0.1:{port}/")).error == "the connection broke off"
    assert (await post(f"http://127.0.0.1:{port}/")).error == "no connection"
    assert (await post("http://no-such-name.invalid/")).error == "the name was not found"
    assert (await post("gopher://127.0.0.1/")).error == "url_forbidden: it is neither http nor https"


async def test_the_connection_goes_to_the_address_and_the_request_to_the_name() -> None:
    heard: list[bytes] = []

    async def listen(stream: trio.abc.Stream) -> None:
        heard.append(bytes(await stream.receive_some()))
        await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with listening(listen) as port:
        outcome = await post(f"http://localhost:{port}/a%20b?c=d#e")
        assert (outcome.status, outcome.error) == (204, None)
        head = heard[0].lower()
        assert head.startswith(b"post /a%20b?c=d http/1.1\r\n")
        assert f"host: localhost:{port}\r\n".encode() in head


async def test_what_is_shown_of_an_answer_is_text_that_can_be_stored() -> None:
    async def listen(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        body = b"a\0b\xff" + "é".encode() * 1000
        await stream.send_all(b"HTTP/1.1 500 No\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async with listening(listen) as port:
        outcome = await post(f"http://127.0.0.1:{port}/")
        assert outcome.body == "ab" + "é" * 510
        assert (outcome.status, outcome.error) == (500, "status 500")
