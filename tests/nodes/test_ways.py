"""Nodes are reached, and cut off in silence, in both kinds of network."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

import pytest
import trio

from tests.nodes.namespaces import private_network
from tests.nodes.relays import Relays
from tests.nodes.ways import Part, Way, Ways

# For each line it is given it says what comes back for it within the time: nothing is "silence".
CLIENT = """
import json, socket, sys
talk = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
for line in sys.stdin:
    wait, word = line.split()
    talk.sendall(word.encode())
    talk.settimeout(float(wait))
    try:
        print(json.dumps(talk.recv(100).decode()), flush=True)
    except TimeoutError:
        print(json.dumps("silence"), flush=True)
"""

SERVER = """
import socket, sys
host, port = sys.argv[1].split(":")
listener = socket.create_server((host, int(port)))
print(listener.getsockname()[1], flush=True)
while True:
    talk, _ = listener.accept()
    while data := talk.recv(100):
        talk.sendall(data)
"""


@pytest.fixture(params=["relays", "namespaces"])
async def ways(request: pytest.FixtureRequest, nursery: trio.Nursery) -> AsyncIterator[Ways]:
    if request.param == "relays":
        yield Relays(nursery)
        return
    with ExitStack() as stack:
        try:
            made = stack.enter_context(private_network())
        except PermissionError:
            pytest.skip("only root makes network namespaces")
        yield made


class Program:
    """A program in a node's place."""

    def __init__(self, way: Way, source: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*way.through, sys.executable, "-c", source, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    async def say(self, word: str, wait: float) -> str:
        """What comes back within so many seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{wait} {word}\n")
        self.process.stdin.flush()
        return str(json.loads(await trio.to_thread.run_sync(self.line)))

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


async def test_a_cut_node_meets_silence_until_it_is_healed(ways: Ways) -> None:
    heard: list[str] = []
    hosts: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        hosts.append(stream.socket.getpeername()[0])
        async for data in stream:
            heard.append(data.decode())
            await stream.send_all(data.upper())

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with ways.join(1, {Part.DATABASE: port, Part.WHATSAPP: 1}) as way:
            host, seen = way.service(Part.DATABASE)
            client = Program(way, CLIENT, host, str(seen))
            assert await client.say("one", 10) == "ONE"
            assert hosts == [way.host]
            way.cut(Part.DATABASE)
            assert await client.say("two", 0.5) == "silence"
            assert heard == ["one"]
            way.heal(Part.DATABASE)
            assert (await client.say("three", 10)).startswith("TWO")
            client.end()
        nursery.cancel_scope.cancel()


async def test_nodes_are_cut_off_from_each_other_and_not_from_the_rest(ways: Ways) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data.upper())

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        services = {Part.DATABASE: listener.socket.getsockname()[1], Part.WHATSAPP: 1}
        async with ways.join(1, services) as one, ways.join(2, services) as two:
            server = Program(one, SERVER, one.listen)
            one.opened(int(await trio.to_thread.run_sync(server.line)))
            where = urlsplit(one.url())
            client = Program(two, CLIENT, str(where.hostname), str(where.port))
            assert await client.say("one", 10) == "one"
            one.cut(Part.NODES)
            assert await client.say("two", 0.5) == "silence"
            beside = Program(two, CLIENT, *map(str, two.service(Part.DATABASE)))
            assert await beside.say("one", 10) == "ONE"
            one.heal(Part.NODES)
            assert (await client.say("three", 10)).startswith("two")
            for program in (client, beside, server):
                program.end()
        nursery.cancel_scope.cancel()
