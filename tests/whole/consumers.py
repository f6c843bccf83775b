"""Those that are told of events: an endpoint that fails, stalls and dies, listeners that come and go."""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import h11
import trio
from attrs import define, field
from trio_websocket import ConnectionClosed, HandshakeError

from api.websocket import open_websocket
from tests.actors.endpoint import Endpoint
from tests.whole.processes import Gateway, Json


@define(eq=False)
class Told:
    """What one consumer was told, and whether it was told all of it in order."""

    name: str
    last: dict[str, int] = field(factory=dict)
    """By session: all events up to this `seq` came."""
    count: int = 0
    again: int = 0
    """Events that had come before."""
    gaps: list[str] = field(factory=list)
    """Where one came before another that should have been first: nothing may stand here."""
    cursor: str = "0"

    def take(self, event: Json) -> None:
        session, seq = event["sessionId"], event["seq"]
        last = self.last.get(session, 0)
        self.count += 1
        self.again += seq <= last
        if seq > last + 1:
            self.gaps.append(f"{self.name}: {session} {seq} after {last}")
        self.last[session] = max(seq, last)
        self.cursor = event["cursor"]


@define(eq=False)
class UnreliableEndpoint:
    """Answers 200, 500 or not at all, or is not there, as `mood` has it."""

    told: Told
    chance: random.Random
    mood: str = "well"
    moods: Counter[str] = field(factory=Counter)
    port: int = 0
    calm: bool = False
    """From then on it is well."""
    _endpoint: Endpoint = field(init=False)
    _heard: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._endpoint = Endpoint(answer=lambda _: {"well": 200, "failing": 500}.get(self.mood))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Be there, more or less."""
        async with trio.open_nursery() as nursery:
            serving = await nursery.start(self._serve)
            task_status.started()
            while not self.calm:
                await trio.sleep(self.chance.uniform(0.2, 1.0))
                self.mood = self.chance.choice(["well", "well", "failing", "stalled", "dead"])
                self.moods[self.mood] += 1
                if self.mood == "dead":
                    serving.cancel()  # its connections break, one in the middle of a request maybe
                    await trio.sleep(self.chance.uniform(0.1, 0.5))
                    serving = await nursery.start(self._serve)
                    self.mood = "well"
            self.mood = "well"
            # What it was never going to answer ends with its connections.
            serving.cancel()
            await nursery.start(self._serve)
            await trio.sleep_forever()

    async def _serve(self, *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                serve = partial(trio.serve_tcp, self._converse, self.port, host="127.0.0.1")
                (listener,) = await nursery.start(serve)
                self.port = listener.socket.getsockname()[1]
                task_status.started(scope)

    async def _converse(self, stream: trio.SocketStream) -> None:
        with suppress(h11.RemoteProtocolError):  # the gateway died in the middle of a request
            await self._endpoint.serve(stream)

    def count(self) -> Told:
        """What it acknowledged until now."""
        for request in self._endpoint.requests:
            if request.status == 200:
                self.told.take(json.loads(request.body))
        self._endpoint.requests.clear()
        return self.told


@define(eq=False)
class Listener:
    """Comes, listens for a while, goes, and comes back for the rest with its cursor."""

    told: Told
    chance: random.Random
    anywhere: Callable[[], Gateway]
    """Where it goes next."""
    stays: Callable[[], bool] = lambda: False
    """Whether it has come to stay."""
    visits: int = 0

    async def run(self) -> None:
        while True:
            with suppress(OSError, trio.TooSlowError, HandshakeError, ConnectionClosed):
                await self._visit()
            await trio.sleep(self.chance.uniform(0.01, 0.3))

    async def _visit(self) -> None:
        http = self.anywhere().http
        base = f"{http.base_url}".replace("http", "ws", 1).rstrip("/")
        key = http.headers["x-api-key"]
        async with open_websocket(f"{base}/api/ws?after={self.told.cursor}", [("x-api-key", key)]) as socket:
            self.visits += 1
            until = trio.current_time() + self.chance.uniform(0.1, 2.0)
            while self.stays() or trio.current_time() < until:
                with trio.move_on_after(0.5):
                    self.told.take(json.loads(await socket.get_message()))
