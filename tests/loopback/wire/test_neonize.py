"""The unmodified client library takes the wire for WhatsApp's."""

import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from loopback.wire.authority import CHAT_HOST, Authority
from loopback.wire.certificate import Root
from loopback.wire.gate import Fault, Hangup, Refuse, Stage
from loopback.wire.http import HttpRequest, HttpResponse
from loopback.wire.link import Link
from loopback.wire.node import SERVER, Node
from loopback.wire.proxy import serve_proxy
from tests.loopback.library import environment

PROGRAM = Path(__file__).with_name("neonize_client.py")


@asynccontextmanager
async def client(directory: Path, port: int, root: bytes, pem: Path) -> AsyncIterator[trio.Process]:
    """The client program, its output piped, ended at the end."""
    (directory / "none").mkdir()
    process = await trio.lowlevel.open_process(
        [sys.executable, str(PROGRAM), str(port), root.hex(), str(directory / "store.db")],
        env=environment(pem, directory / "none"),
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def line(process: trio.Process, start: str) -> str:
    """What follows `start` on the first line of output that begins with it."""
    assert process.stdout is not None
    text = ""
    async for some in process.stdout:
        text += some.decode()
        for each in text.split("\n")[:-1]:
            if each.startswith(start):
                return each.removeprefix(start)
    raise AssertionError(f"the client ended without saying {start!r}: {text}")


async def no_media(_: HttpRequest) -> HttpResponse:
    return HttpResponse(404)


async def test_client_pairs_over_the_wire_and_stanzas_go_both_ways(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    arriving, links = trio.open_memory_channel[Link](1)
    heard, stanzas = trio.open_memory_channel[Node](8)

    async def on_link(link: Link) -> None:
        await arriving.send(link)
        refs = Node("pair-device", {}, [Node("ref", {}, f"2@ref{n}") for n in range(6)])
        await link.send(Node("iq", {"from": SERVER, "type": "set", "id": "pair-1", "xmlns": "md"}, refs))
        with heard:
            while True:
                await heard.send(await link.receive())

    ca, root = Authority.open(tmp_path / "network"), Root.open(tmp_path / "network")
    serve = partial(serve_proxy, ca=ca, root=root, on_link=on_link, on_http=no_media)
    with trio.fail_after(30):
        port: int = await nursery.start(serve)
        async with client(tmp_path, port, root.public, ca.pem) as process:
            link = await links.receive()
            assert len(link.payload.devicePairingData.eIdent) == 32
            assert len(link.payload.devicePairingData.eRegid) == 4
            qr = await line(process, "QR ")
            assert "2@ref0" in qr
            assert b64encode(link.noise_key).decode() in qr
            answer = await stanzas.receive()
            assert (answer.tag, answer.attr("type"), answer.attr("id")) == ("iq", "result", "pair-1")
            assert answer.jid("to") == SERVER
        # The process is killed: the link notices.
        with pytest.raises(trio.EndOfChannel):
            await stanzas.receive()
    nursery.cancel_scope.cancel()


async def test_client_that_trusts_another_root_key_refuses_the_server(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    async def on_link(link: Link) -> None:
        raise AssertionError("the handshake succeeded")

    ca, root = Authority.open(tmp_path / "network"), Root.open(tmp_path / "network")
    serve = partial(serve_proxy, ca=ca, root=root, on_link=on_link, on_http=no_media)
    with trio.fail_after(30):
        port: int = await nursery.start(serve)
        async with client(tmp_path, port, Root().public, ca.pem) as process:
            assert "failed to verify intermediate cert signature" in await line(process, "ERROR ")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        (Stage.CONNECT, Refuse(403)),
        (Stage.CONNECT, Hangup()),
        (Stage.TLS, Hangup()),
        (Stage.UPGRADE, Refuse(503)),
    ],
)
async def test_client_is_told_at_once_when_the_gate_refuses_it(
    tmp_path: Path, nursery: trio.Nursery, stage: Stage, fault: Fault
) -> None:
    async def on_link(link: Link) -> None:
        raise AssertionError("the gate is shut")

    def gate(host: str, at: Stage) -> Fault | None:
        return fault if (host, at) == (CHAT_HOST, stage) else None

    ca, root = Authority.open(tmp_path / "network"), Root.open(tmp_path / "network")
    serve = partial(serve_proxy, ca=ca, root=root, on_link=on_link, on_http=no_media, gate=gate)
    with trio.fail_after(30):
        port: int = await nursery.start(serve)
        async with client(tmp_path, port, root.public, ca.pem) as process:
            assert "failed to dial whatsapp web websocket" in await line(process, "ERROR ")
    nursery.cancel_scope.cancel()
