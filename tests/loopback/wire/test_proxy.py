"""The door of the network, and the links behind it."""

import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from attrs import define, field
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from loopback.proto import wa6
from loopback.wire.authority import CHAT_HOST, MEDIA_HOSTS, Authority
from loopback.wire.certificate import Root
from loopback.wire.codec import encode
from loopback.wire.errors import LinkClosed
from loopback.wire.frames import PROLOGUE
from loopback.wire.gate import Delay, Fault, Hangup, Refuse, Stage, Stall
from loopback.wire.http import HttpRequest, HttpResponse
from loopback.wire.link import Link
from loopback.wire.node import JID, LID, Node
from loopback.wire.proxy import serve_proxy
from tests.loopback.wire.wireclient import Closed, framed, linked, secure, tunnel, websocket

PAYLOAD = wa6.ClientPayload(username=628111)


async def echo(link: Link) -> None:
    while True:
        await link.send(await link.receive())


async def about(request: HttpRequest) -> HttpResponse:
    told = f"{request.host} {request.method} {request.target} {request.headers['x-who']} {len(request.body)}"
    return HttpResponse(201, {"X-Told": told}, request.body[::-1])


@define(eq=False)
class Network:
    """A served proxy; what it does with links, media and connections may be set at any time."""

    directory: Path
    on_link: Callable[[Link], Awaitable[None]] = echo
    on_http: Callable[[HttpRequest], Awaitable[HttpResponse]] = about
    gate: Callable[[str, Stage], Fault | None] = lambda host, stage: None
    port: int = field(default=0, init=False)
    pem: Path = field(init=False)

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        ca = Authority.open(self.directory)
        self.pem = ca.pem
        async with trio.open_nursery() as nursery:
            self.port = await nursery.start(
                partial(
                    serve_proxy,
                    ca=ca,
                    root=Root.open(self.directory),
                    on_link=self._on_link,
                    on_http=self._on_http,
                    gate=self._gate,
                )
            )
            task_status.started()

    # As they are at the time, not when serving began.
    async def _on_link(self, link: Link) -> None:
        await self.on_link(link)

    async def _on_http(self, request: HttpRequest) -> HttpResponse:
        return await self.on_http(request)

    def _gate(self, host: str, stage: Stage) -> Fault | None:
        return self.gate(host, stage)

    async def answers(self) -> None:
        """Fails unless the network still does its work."""
        with trio.fail_after(5):
            async with linked(self.port, self.pem, PAYLOAD) as client:
                await client.send(Node("ping"))
                assert await client.receive() == Node("ping")


@pytest.fixture
async def network(tmp_path: Path, nursery: trio.Nursery) -> Network:
    network = Network(tmp_path)
    await nursery.start(network.serve)
    return network


async def test_a_link_knows_its_client_and_carries_nodes_in_order(network: Network) -> None:
    seen = []

    async def on_link(link: Link) -> None:
        seen.append((link.payload.username, link.noise_key, link.id))
        await echo(link)

    network.on_link = on_link
    many = [Node("message", {"id": n, "to": JID("1", LID, 2)}, bytes(n)) for n in range(50)]
    async with linked(network.port, network.pem, PAYLOAD) as client:
        await client.send(*many)  # all frames in one websocket message
        assert [await client.receive() for _ in many] == many
        assert seen[0][:2] == (628111, client.keys.public)
    async with linked(network.port, network.pem, PAYLOAD) as client:
        await client.send(Node("ping"))
        await client.receive()
    assert seen[0][2] != seen[1][2]


async def test_pings_are_answered_between_the_parts_of_a_message_and_a_close_is_returned(
    network: Network,
) -> None:
    async with linked(network.port, network.pem, PAYLOAD) as client:
        data = framed(client.sending.seal(encode(Node("ping"))))
        await client.socket.send(BytesMessage(data=data[:5], message_finished=False))
        await client.socket.send(Ping(payload=b"there?"))
        await client.socket.send(BytesMessage(data=data[5:]))
        assert await client.socket.event() == Pong(payload=b"there?")
        assert await client.receive() == Node("ping")
        await client.socket.send(CloseConnection(code=1000))
        assert isinstance(await client.socket.event(), CloseConnection)


async def test_sends_at_the_same_time_all_arrive_whole(network: Network) -> None:
    async def on_link(link: Link) -> None:
        async with trio.open_nursery() as nursery:
            for n in range(40):
                nursery.start_soon(link.send, Node("a", {"n": n}, bytes(20_000)))
        await link.receive()

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD) as client:
        got = [await client.receive() for _ in range(40)]
    assert {node.attr("n") for node in got} == {str(n) for n in range(40)}


async def test_a_link_is_closed_when_on_link_returns(network: Network) -> None:
    async def on_link(link: Link) -> None:
        await link.send(Node("failure", {"reason": 401}))

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD) as client:
        assert (await client.receive()).tag == "failure"
        with pytest.raises(Closed):
            await client.receive()


async def test_aclose_ends_a_receive_in_another_task_and_later_sends(network: Network) -> None:
    outcome: list[str] = []
    done = trio.Event()

    async def on_link(link: Link) -> None:
        async def receive() -> None:
            with pytest.raises(LinkClosed):
                await link.receive()
            outcome.append("receive")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await link.aclose()
            await link.aclose()
        with pytest.raises(LinkClosed):
            await link.send(Node("late"))
        outcome.append("send")
        done.set()

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD):
        with trio.fail_after(5):
            await done.wait()
    assert outcome == ["receive", "send"]


async def test_a_client_that_does_not_read_loses_its_link_and_nobody_waits_for_ever(network: Network) -> None:
    outcome = trio.Event()

    async def flood(link: Link) -> None:
        while True:
            await link.send(Node("a", {}, bytes(1 << 20)))

    async def lose(link: Link) -> None:
        with pytest.raises(LinkClosed):
            await flood(link)

    async def on_link(link: Link) -> None:
        link._socket.patience = 0.2
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(lose, link)
        outcome.set()

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD):
        with trio.fail_after(10):
            await outcome.wait()


async def test_a_cancelled_send_costs_the_link_and_not_the_next_stanzas_meaning(network: Network) -> None:
    done = trio.Event()

    async def on_link(link: Link) -> None:
        with trio.move_on_after(0.2) as scope:
            while True:
                await link.send(Node("a", {}, bytes(1 << 20)))
        assert scope.cancelled_caught
        with pytest.raises(LinkClosed):
            await link.send(Node("b"))
        done.set()

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD):
        with trio.fail_after(10):
            await done.wait()


async def test_a_stanza_too_large_for_the_protocol_is_refused_and_the_link_lives(network: Network) -> None:
    async def on_link(link: Link) -> None:
        with pytest.raises(ValueError, match="too large"):
            await link.send(Node("a", {}, bytes(1 << 24)))
        await echo(link)

    network.on_link = on_link
    await network.answers()


async def test_media_requests_come_parsed_and_answers_go_back(network: Network) -> None:
    async with httpx.AsyncClient(
        proxy=f"http://127.0.0.1:{network.port}", verify=tls_context(network), trust_env=False
    ) as client:
        for host in MEDIA_HOSTS:
            for _ in range(2):  # on one connection
                answer = await client.post(
                    f"https://{host}/mms/image/x?auth=1", content=b"abc" * 100_000, headers={"X-Who": "me"}
                )
                assert answer.status_code == 201
                assert answer.headers["x-told"] == f"{host} POST /mms/image/x?auth=1 me 300000"
                assert answer.content == b"cba" * 100_000
            answer = await client.head(f"https://{host}/x", headers={"X-Who": "me"})
            assert (answer.status_code, answer.content) == (201, b"")


async def test_an_error_in_the_media_handler_is_logged_and_answered(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: HttpRequest) -> HttpResponse:
        raise KeyError("gone")

    network.on_http = broken
    async with httpx.AsyncClient(
        proxy=f"http://127.0.0.1:{network.port}", verify=tls_context(network), trust_env=False
    ) as client:
        assert (await client.get(f"https://{MEDIA_HOSTS[0]}/x")).status_code == 500
    assert "media_request_failed" in caplog.text


def tls_context(network: Network) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=network.pem)


@pytest.mark.parametrize("host", ["example.com", "web.whatsapp.com.example.com", "127.0.0.1", ""])
async def test_there_is_no_way_to_any_other_host(network: Network, host: str) -> None:
    with pytest.raises(Closed, match="403"):
        async with tunnel(network.port, host):
            pass


async def test_only_connect_is_a_method(network: Network) -> None:
    async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{network.port}", trust_env=False) as client:
        assert (await client.get("http://web.whatsapp.com/")).status_code == 405


@pytest.mark.parametrize(
    "opening",
    [
        b"",
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\nHost: x\r\n\r\nearly",
    ],
)
async def test_nonsense_instead_of_connect_ends_that_connection_only(
    network: Network, opening: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", network.port) as stream:
        await stream.send_all(opening)
        await stream.send_eof()
        with trio.fail_after(5):
            async for _ in stream:
                pass
    await network.answers()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("seed", range(5))
async def test_garbage_at_every_layer_ends_that_connection_only(
    network: Network, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    garbage = random.Random(seed).randbytes(400)
    with trio.fail_after(10):
        async with tunnel(network.port, CHAT_HOST) as instead_of_tls:
            await ended_by(instead_of_tls, garbage)
        for host in (CHAT_HOST, MEDIA_HOSTS[0]):
            async with secure(network.port, host, network.pem) as instead_of_http:
                await ended_by(instead_of_http, garbage + b"\r\n\r\n")
        for message in (garbage, PROLOGUE + framed(garbage)):
            async with websocket(network.port, network.pem) as in_websocket:
                await in_websocket.send(BytesMessage(data=message))
                with pytest.raises(Closed):
                    await in_websocket.message()
        async with websocket(network.port, network.pem) as in_websocket:
            await in_websocket.send(TextMessage(data="text"))
            with pytest.raises(Closed):
                await in_websocket.message()
        async with linked(network.port, network.pem, PAYLOAD) as client:
            await client.socket.send(BytesMessage(data=framed(garbage)))  # not encrypted
            with pytest.raises(Closed):
                await client.receive()
        async with linked(network.port, network.pem, PAYLOAD) as client:
            await client.socket.send(BytesMessage(data=framed(client.sending.seal(garbage))))  # no node
            with pytest.raises(Closed):
                await client.receive()
    await network.answers()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def ended_by(stream: trio.abc.Stream, data: bytes) -> None:
    """The server closes after these bytes; what it says before does not matter."""
    with suppress(trio.BrokenResourceError):
        await stream.send_all(data)
        async for _ in stream:
            pass


async def test_a_closed_link_is_no_error_even_out_of_a_nursery(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    ended = trio.Event()

    async def on_link(link: Link) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(echo, link)
        finally:
            ended.set()

    network.on_link = on_link
    async with linked(network.port, network.pem, PAYLOAD):
        pass
    with trio.fail_after(5):
        await ended.wait()
    await network.answers()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_error_in_on_link_is_logged_and_ends_that_link_only(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(link: Link) -> None:
        raise KeyError("above the wire")

    network.on_link = broken
    async with linked(network.port, network.pem, PAYLOAD) as client:
        with pytest.raises(Closed):
            await client.receive()
    assert "link_failed" in caplog.text
    assert "above the wire" in caplog.text
    network.on_link = echo
    await network.answers()


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_stalled_connection_waits_until_its_client_gives_up(network: Network, stage: Stage) -> None:
    network.gate = lambda host, at: Stall() if at is stage else None
    with trio.move_on_after(0.3) as scope:
        async with linked(network.port, network.pem, PAYLOAD):
            pass
    assert scope.cancelled_caught
    network.gate = lambda host, at: None
    await network.answers()


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("fault", [Hangup(), Refuse(503)])
async def test_a_refused_connection_fails_at_once(network: Network, stage: Stage, fault: Fault) -> None:
    network.gate = lambda host, at: fault if at is stage else None
    with trio.fail_after(5):
        with pytest.raises((Closed, trio.BrokenResourceError)):
            async with linked(network.port, network.pem, PAYLOAD):
                pass
    network.gate = lambda host, at: None
    await network.answers()


async def test_a_delayed_connection_goes_on_afterwards(network: Network) -> None:
    asked = []

    def gate(host: str, stage: Stage) -> Fault:
        asked.append((host, stage))
        return Delay(0.01)

    network.gate = gate
    await network.answers()
    assert asked == [(CHAT_HOST, stage) for stage in Stage]


async def test_the_port_can_be_had_again_after_the_network_ended(tmp_path: Path) -> None:
    ca, root = Authority.open(tmp_path), Root.open(tmp_path)
    serve = partial(serve_proxy, ca=ca, root=root, on_link=echo, on_http=about)
    port = 0
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(partial(serve, port=port))
            async with linked(port, ca.pem, PAYLOAD) as client:
                await client.send(Node("ping"))
                assert await client.receive() == Node("ping")
                nursery.cancel_scope.cancel()
