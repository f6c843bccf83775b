"""The stage: nodes with one database and one loopback network, and the sessions that they share."""

import math
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trio
from attrs import define, field

from storage.connection import TrioConnection
from tests.nodes.database import ROLE, database
from tests.nodes.node import Node, running_node
from tests.nodes.ways import Part, Ways
from tests.nodes.witness import install
from tests.whole.processes import Network, Session, network, until

__all__ = ["Stage", "stage"]


@define(eq=False)
class Stage:
    """What a test of many nodes needs."""

    folder: Path
    ways: Ways
    wa: Network
    services: dict[Part, int]
    chance: random.Random
    lease: float
    _stack: AsyncExitStack
    nodes: list[Node] = field(factory=list)
    hosts: dict[str, str] = field(factory=dict)
    """By the name of each node there ever was."""
    sessions: list[Session] = field(factory=list)
    partners: dict[str, str] = field(factory=dict)
    """By session, the number that writes to it and is written to."""

    @property
    def dsn(self) -> str:
        """The database, for the tests themselves: no trouble cuts that."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.services[Part.DATABASE]}/postgres"

    @asynccontextmanager
    async def node(self, number: int) -> AsyncIterator[Node]:
        """One more node; if it was there before, its data still are."""
        name = f"n{number}"
        async with (
            self.ways.join(number, self.services) as way,
            running_node(self.folder / name, name, self.wa, way, lease=self.lease) as node,
        ):
            self.hosts[name] = way.host
            yield node

    def anywhere(self) -> Node:
        """A node to ask, which may be in trouble."""
        return self.chance.choice(self.nodes)

    def other_than(self, node: Node) -> Node:
        return self.chance.choice([each for each in self.nodes if each is not node])

    @asynccontextmanager
    async def database(self) -> AsyncIterator[TrioConnection]:
        connection = await TrioConnection.connect(self.dsn, autocommit=True)
        try:
            yield connection
        finally:
            await connection.close()

    async def life_of(self, node: Node) -> str | None:
        """The id under which it is registered now."""
        query = b"SELECT id FROM nodes WHERE name = %s AND expires_at > clock_timestamp()"
        async with self.database() as connection:
            row = await (await connection.execute(query, [node.name])).fetchone()
        return None if row is None else str(row[0])

    async def until_well(self, node: Node) -> None:
        """Wait until it runs and holds a lease."""

        async def well() -> bool:
            assert node.runs, f"{node.name} has ended:\n{node.program.said()[-3000:]}"
            return await self.life_of(node) is not None

        await until(well, f"{node.name} is well", within=60)

    async def balanced(self) -> dict[str, int] | None:
        """How many sessions each node has, once none is free and no node has much more than its share."""
        query = b"SELECT name, (SELECT count(*) FROM sessions WHERE node = nodes.id) FROM nodes"
        async with self.database() as connection:
            have: dict[str, int] = dict(await (await connection.execute(query)).fetchall())
        share = math.ceil(len(self.sessions) / len(self.nodes))
        all_here = have.keys() == {node.name for node in self.nodes}
        even = sum(have.values()) == len(self.sessions) and max(have.values()) <= share * 1.1 + 1
        return have if all_here and even else None

    async def all_connected(self) -> bool:
        """By the database's word and by the network's."""
        told = await self.connections()
        return all(status == "connected" and node and link for status, node, link in told.values())

    async def connections(self) -> dict[str, tuple[str, str | None, bool]]:
        """By session: its status and node, as the database has them, and whether WhatsApp has its link."""
        query = b"SELECT sessions.id, status, nodes.name FROM sessions LEFT JOIN nodes ON nodes.id = node"
        async with self.database() as connection:
            rows = {row[0]: row[1:] for row in await (await connection.execute(query)).fetchall()}
        phones = (await self.wa.control.get("/phones")).raise_for_status().json()["phones"]
        linked = {each["phone"] for each in phones if any(one["connected"] for one in each["devices"])}
        return {
            session.id: (*rows.get(session.id, ("", None)), session.phone in linked)
            for session in self.sessions
        }

    async def events(self) -> dict[str, tuple[int, int, int]]:
        """By session: the first seq of its events, the last, and how many there are."""
        query = b"SELECT session_id, min(seq), max(seq), count(*) FROM events GROUP BY session_id"
        async with self.database() as connection:
            rows = await (await connection.execute(query)).fetchall()
        return {name: (first, last, count) for name, first, last, count in rows}

    async def grow(self, nodes: int) -> None:
        """Have so many nodes."""
        for number in range(len(self.nodes) + 1, nodes + 1):
            self.nodes.append(await self._stack.enter_async_context(self.node(number)))

    async def pair(self, count: int, at_once: int = 4) -> None:
        """So many sessions, each with a phone of its own and somebody to talk to."""
        limit = trio.CapacityLimiter(at_once)

        async def one(number: int) -> None:
            name, phone, partner = f"s{number:02}", f"6281{number:07}", f"6289{number:07}"
            async with limit:
                await self.wa.phone(phone)
                await self.wa.phone(partner)
                self.partners[name] = partner
                self.sessions.append(await self._paired(name, phone))

        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(one, number)
        self.sessions.sort(key=lambda session: session.id)

    async def _paired(self, name: str, phone: str) -> Session:
        """A new session, connected; a node that loses its lease on a busy machine loses the code with it."""
        made = await self.nodes[0].call("POST", "/api/sessions", {"id": name, "name": name}, status=201)
        session = Session(name, phone, made["apiKey"])
        scanned = ""

        async def connected() -> bool:
            nonlocal scanned
            http = self.nodes[0].http
            code = await http.get("/api/session/qr?format=raw", headers=session.headers)
            if code.is_success and code.text != scanned:
                scanned = code.text
                await self.wa.control.post(f"/phones/{phone}/scan", json={"qr": scanned})
            status = await http.get("/api/session/status", headers=session.headers)
            return status.is_success and status.json()["actual"] == "connected"

        await until(connected, f"{name} is connected", within=90)
        return session


@asynccontextmanager
async def stage(folder: Path, ways: Ways, *, lease: float, chance: random.Random) -> AsyncIterator[Stage]:
    """One node, running, on a database where it is written down from now on who owns a session."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(database(folder / "database"))
        wa = await stack.enter_async_context(network(folder / "network"))
        whatsapp = urlsplit(wa.environment["TERZETTO_WHATSAPP_PROXY"]).port
        assert whatsapp is not None
        services = {Part.DATABASE: port, Part.WHATSAPP: whatsapp}
        made = Stage(folder, ways, wa, services, chance, lease, stack)
        await made.grow(1)
        async with made.database() as connection:
            await install(connection)
        yield made
