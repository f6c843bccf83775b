"""An HTTP endpoint on loopback that is told of events: it keeps what it gets and answers as it is told to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import h11
import trio
from attrs import define, field, frozen


@frozen
class Request:
    """One delivery as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int


@define(eq=False)
class Endpoint:
    """Answers with what `answer` gives for the number of the request, from 0; None: never answers."""

    answer: Callable[[int], int | None] = lambda _: 200
    answer_to: Callable[[bytes], int] | None = None
    """Goes before it: by the request's body."""
    answer_body: bytes = b"ok"
    requests: list[Request] = field(factory=list)
    connections: int = 0
    url: str = ""
    _arrived: trio.Condition = field(factory=trio.Condition)

    async def until(self, count: int) -> list[Request]:
        """The requests, as soon as there are so many; whoever sends them may have to be started first."""
        with trio.fail_after(60):
            async with self._arrived:
                while len(self.requests) < count:
                    await self._arrived.wait()
        return self.requests

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, of any number of requests."""
        self.connections += 1
        with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):  # the client hung up
            await self._converse(stream, h11.Connection(h11.SERVER))

    async def _converse(self, stream: trio.SocketStream, connection: h11.Connection) -> None:

        async def receive() -> Any:
            while (event := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65536))
            return event

        async with stream:
            while isinstance(request := await receive(), h11.Request):
                body = b""
                while isinstance(part := await receive(), h11.Data):
                    body += part.data
                status = self.answer_to(body) if self.answer_to else self.answer(len(self.requests))
                headers = {name.decode(): value.decode() for name, value in request.headers}
                self.requests.append(Request(request.target.decode(), headers, body, status or 0))
                async with self._arrived:
                    self._arrived.notify_all()
                if status is None:
                    await trio.sleep_forever()
                    return
                length = [("content-length", str(len(self.answer_body)))]
                head = h11.Response(status_code=status, headers=length)
                for event in (head, h11.Data(self.answer_body), h11.EndOfMessage()):
                    await stream.send_all(connection.send(event) or b"")
                if connection.our_state is h11.MUST_CLOSE:
                    return
                connection.start_next_cycle()


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    """Serve it while the block lasts."""
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, endpoint.serve, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        endpoint.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/hook"
        yield endpoint
        nursery.cancel_scope.cancel()
