"""Clients for the tests: the library in child processes, each with a recorder of what it said."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import trio

from tests.loopback.library import environment

PROGRAM = Path(__file__).with_name("client_program.py")
PYWHATS = Path(__file__).with_name("pywhats_program.py")

CALL_TIMEOUT = 90.0  # seconds; the library gives up after 75 itself

Event = dict[str, Any]


class ClientError(Exception):
    """A call to the client raised."""


async def until_closed(pipe: trio.abc.ReceiveStream) -> AsyncIterator[bytes]:
    """What comes, until either side closes."""
    with suppress(trio.ClosedResourceError):
        async for some in pipe:
            yield bytes(some)


class Client:
    """One client process. Every event stays in `events`; waiting looks at those nobody waited for before."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.events: list[Event] = []
        self.output = ""
        self._consumed: set[int] = set()
        self._answers: dict[int, Event] = {}
        self._calls = count(1)
        self._news = trio.Event()

    async def listen(self) -> None:
        assert self.process.stdout is not None
        rest = ""
        async for some in until_closed(self.process.stdout):
            text = rest + some.decode(errors="replace")
            *lines, rest = text.split("\n")
            for line in lines:
                self.output += line + "\n"
                if line.startswith("@"):
                    said = json.loads(line[1:])
                    if "call" in said:
                        self._answers[said["call"]] = said
                    else:
                        self.events.append(said)
            self._news.set()
            self._news = trio.Event()

    async def call(self, method: str, **arguments: Any) -> Any:
        """The value the client's method returned. Raises ClientError."""
        number = next(self._calls)
        assert self.process.stdin is not None
        line = json.dumps({"call": number, "do": method, **arguments}) + "\n"
        await self.process.stdin.send_all(line.encode())
        with trio.move_on_after(CALL_TIMEOUT):
            while number not in self._answers:
                await self._news.wait()
        assert number in self._answers, f"{method} never returned\n{self.output[-3000:]}"
        answer = self._answers.pop(number)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["value"]

    async def event(
        self, kind: str, when: Callable[[Event], bool] = lambda _: True, *, within: float = 15
    ) -> Event:
        """The first event of that kind that nobody waited for before."""
        with trio.move_on_after(within):
            while True:
                for i, said in enumerate(self.events):
                    if i not in self._consumed and said["event"] == kind and when(said):
                        self._consumed.add(i)
                        return said
                await self._news.wait()
        raise AssertionError(f"no {kind} within {within} s; said: {self.events[-12:]}\n{self.output[-3000:]}")

    async def text(self, text: str, *, within: float = 15) -> Event:
        """The message with that text."""
        return await self.event("Message", lambda said: said["text"] == text, within=within)

    def all(self, kind: str) -> list[Event]:
        return [said for said in self.events if said["event"] == kind]

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            await pipe.aclose()


async def start_client(nursery: trio.Nursery, store: Path, port: int, root: bytes, pem: Path) -> Client:
    """A client process, ready and not yet connected; whoever starts it kills it."""
    arguments = [str(PROGRAM), str(port), root.hex(), str(store)]
    return await _start(nursery, arguments, store.parent, environment(pem, _no_certificates(store)))


async def start_pywhats(nursery: trio.Nursery, session: Path, port: int, pem: Path) -> Client:
    """The same with the other library, whose process is told of the proxy by its environment."""
    proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
    surroundings = environment(pem, _no_certificates(session)) | proxy
    return await _start(nursery, [str(PYWHATS), str(session)], session.parent, surroundings)


def _no_certificates(beside: Path) -> Path:
    empty = beside.parent / "no-certificates"
    empty.mkdir(parents=True, exist_ok=True)
    return empty


async def _start(
    nursery: trio.Nursery, arguments: list[str], directory: Path, surroundings: dict[str, str]
) -> Client:
    process = await trio.lowlevel.open_process(
        [sys.executable, *arguments],
        env=surroundings,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    client = Client(process)
    nursery.start_soon(client.listen)
    await client.event("ready")
    return client
