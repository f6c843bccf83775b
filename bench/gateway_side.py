"""The gateway's side: sends over HTTP, on connections that stay open."""

import json
from collections.abc import Mapping, Sequence

import trio
from attrs import define

from bench.sends import MOST, TEXT, Round, SendFailed
from tests.whole.processes import Gateway, Session, descendants

__all__ = ["GatewaySide"]


@define(eq=False)
class GatewaySide:
    """A gateway and sessions in it that are connected."""

    gateway: Gateway
    sessions: Sequence[Session]
    recipients: Sequence[str]

    def processes(self) -> Mapping[str, set[int]]:
        gateway = self.gateway.program.process.pid
        below = set(descendants(gateway))
        cells = below & set(self.gateway.cells)
        return {"gateway": {gateway}, "cells": cells, "postgres": below - cells}

    async def send(self, sessions: int, in_flight: int, seconds: float) -> Round:
        url = self.gateway.http.base_url
        latencies: list[float] = []
        connections = [
            (await trio.open_tcp_stream(url.host, url.port or 80), self._request(number))
            for number in range(sessions)
            for _ in range(in_flight)
        ]
        started = trio.current_time()

        async def keep_sending(stream: trio.SocketStream, request: bytes) -> None:
            async with stream:
                for _ in range(MOST):
                    begun = trio.current_time()
                    if begun - started >= seconds:
                        return
                    await _exchange(stream, request)
                    latencies.append(trio.current_time() - begun)

        async with trio.open_nursery() as nursery:
            for stream, request in connections:
                nursery.start_soon(keep_sending, stream, request)
        return Round(trio.current_time() - started, latencies)

    def _request(self, number: int) -> bytes:
        body = json.dumps({"phone": self.recipients[number], "message": TEXT})
        head = (
            "POST /api/messages/text HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"x-api-key: {self.sessions[number].key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return (head + body).encode()


async def _exchange(stream: trio.SocketStream, request: bytes) -> None:
    """One request and its answer, by hand: a full client would take the processor from those measured."""
    await stream.send_all(request)
    answer = b""
    while not (head := answer.partition(b"\r\n\r\n"))[1]:
        answer += await _more(stream)
    length = int(head[0].lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    missing = length - len(head[2])
    while missing > 0:
        missing -= len(await _more(stream))
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SendFailed(answer.decode(errors="replace"))


async def _more(stream: trio.SocketStream) -> bytes | bytearray:
    data = await stream.receive_some()
    if not data:
        raise SendFailed("the gateway closed the connection")
    return data
