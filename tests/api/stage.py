"""The whole API on a real port, over the real runtime and database, with sessions that play a script."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from argon2.profiles import CHEAPEST
from attrs import define, field

from actors.apikeys import mint
from actors.cluster.cluster import Cluster
from actors.cluster.leash import Leash
from actors.directory import NewSession, Sessions
from actors.egress import Egress
from actors.errors import NoQr, SessionError
from actors.hub import Hub, Publish
from actors.passwords import Passwords
from actors.session import messages as ask
from actors.session.settings import SessionConfig
from actors.session.stats import AllSessionStats
from actors.sinks import Sinks, SinkSpec
from actors.webhooks import Webhooks
from api.app import create_app
from api.config import Config, Media
from api.filing import Filing
from api.listeners import Listeners
from api.metrics.collector import Metrics
from api.server import Server
from api.services import LoopbackControl, Services
from api.stats import Stats
from api.tries import Tries
from runtime import Actor, ChildSpec, ChildType, DynamicSupervisor, Mailbox, Ref, Supervisor
from storage.media import MediaStore
from storage.nodes import Load, Nodes
from storage.pool import Pool
from storage.reads import Reads
from storage.rows import Role, User
from storage.writer import Writer
from storage.writes import Append, Committed, Insert, NewEvent

ADMIN_KEY = "tz_admin-key-of-the-tests"
PATIENCE = 30.0
"""Seconds until an answer: a busy machine is slow."""
PASSWORD = "correct horse battery staple"
SENT_AT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@define
class Script:
    """What a session does when it is asked."""

    answers: dict[type, Any] = field(factory=dict)
    """By request type: what it answers, an error that it raises, or an async function that does either."""
    asked: list[Any] = field(factory=list)
    """All that it was asked, in order."""
    gate: trio.Event | None = None
    """Sends wait for it."""
    finished: trio.Event = field(factory=trio.Event)
    """A send has gone through the gate."""


class ScriptedSession(Actor):
    """A session's actor without WhatsApp."""

    domain_errors = (SessionError,)

    def __init__(
        self,
        session_id: str,
        *,
        scripts: dict[str, Script],
        stats: AllSessionStats,
        writer: object = None,
        epoch: int | None = None,
    ) -> None:
        self.session_id = session_id
        self.script = scripts[session_id]
        self.stats = stats.of(session_id)

    async def handle(self, message: Any) -> Any:
        self.script.asked.append(message)
        if isinstance(message, ask.Send) and self.script.gate is not None:
            await self.script.gate.wait()
            self.script.finished.set()
        planned = self.script.answers.get(type(message), self._usual(message))
        if isinstance(planned, Exception):
            raise planned
        return await planned(message) if callable(planned) else planned

    def _usual(self, message: Any) -> Any:
        match message:
            case ask.GetStatus():
                return status_of(self.session_id)
            case ask.GetQr():
                return NoQr(session_id=self.session_id, state="connected")
            case ask.Send(to=to):
                chat = to if "@" in to else f"{to}@s.whatsapp.net"
                return ask.Sent(message_id="3EB0C0FFEE", chat=chat, timestamp=SENT_AT)
            case ask.CheckContacts(phones=phones):
                return tuple(
                    ask.ContactCheck(phone=phone, exists=True, jid=f"{phone}@s.whatsapp.net", lid=None)
                    for phone in phones
                )
            case ask.PairWithCode():
                return "ABCD-1234"
            case _:
                return None


def status_of(session_id: str) -> ask.SessionStatus:
    return ask.SessionStatus(
        session_id=session_id,
        desired="running",
        actual="connected",
        since=SENT_AT,
        restarts=0,
        last_error=None,
        last_inbound_at=None,
        last_pong_at=SENT_AT,
        jid="628110000001@s.whatsapp.net",
        lid="1@lid",
        phone="628110000001",
        push_name="Ana",
        cell="cell-1",
    )


@define(eq=False)
class Stage:
    """A running API."""

    address: tuple[str, int]
    client: httpx.AsyncClient
    """With the admin key."""
    services: Services
    scripts: dict[str, Script]

    async def session(self, session_id: str, name: str = "Ana") -> httpx.AsyncClient:
        """Make a session; the client of its own key."""
        _, key = await self.services.sessions.create(NewSession(id=session_id, name=name))
        return self.client_with(key)

    def client_with(self, key: str | None) -> httpx.AsyncClient:
        """Another client; None: without a key."""
        headers = {} if key is None else {"x-api-key": key}
        return httpx.AsyncClient(
            base_url=self.client.base_url, headers=headers, timeout=PATIENCE, trust_env=False, verify=False
        )

    async def key(
        self, *, session_id: str | None = None, scopes: tuple[str, ...] = ("admin",), **row: Any
    ) -> str:
        """Store a key and give it."""
        minted = mint(name="a key", session_id=session_id, scopes=scopes)
        await self.services.writer.call(Insert(attrs.evolve(minted.row, **row)))
        return minted.plain

    async def user(self, name: str, role: str = "admin", **row: Any) -> User:
        """Store a user whose password is PASSWORD."""
        password = await self.services.passwords.hashed(PASSWORD)
        user = User(id=f"usr_{name}", name=name, password=password, role=Role(role), **row)
        await self.services.writer.call(Insert(user))
        return user

    @asynccontextmanager
    async def browser(self, name: str, password: str = PASSWORD) -> AsyncIterator[httpx.AsyncClient]:
        """A client in which a user has signed in, as a page of the gateway's own."""
        async with self.client_with(None) as client:
            answer = await client.post("/api/sign-in", json={"name": name, "password": password})
            assert answer.status_code == 200, answer.text
            client.headers["x-terzetto"] = "1"
            yield client

    async def event(self, session_id: str, number: int, name: str = "messages.upsert") -> None:
        """Append an event to a session's log."""
        await self.services.writer.call(Append(session_id, (NewEvent(name, {"number": number}),)))


@asynccontextmanager
async def running_api(
    database: str,
    data: Path,
    *,
    ready: Callable[[], str | None] = lambda: None,
    loopback: LoopbackControl | None = None,
    listener_capacity: int = 1000,
    listeners_per_key: int = 100,
    max_sessions: int = 200,
    open_metrics: bool = False,
    tries: Tries | None = None,
    secure_cookies: bool = False,
    config: Config | None = None,
    decoding: bool = False,
    sinks: tuple[SinkSpec, ...] = (),
    node: str | None = None,
    **server: Any,
) -> AsyncIterator[Stage]:
    """With the name of a `node` it is one of many on its database, and has the sessions that it makes."""
    config = config or Config(media=Media(allow_networks=("127.0.0.0/8",)))
    pool, file_pool = Pool(database, 4), Pool(database, 4, writable=True)
    reads = Reads(pool)
    scripts: dict[str, Script] = defaultdict(Script)
    stats = Stats(sessions=AllSessionStats(most=max_sessions))

    async def publish(committed: Committed) -> None:
        await root.ref("hub").cast(Publish(committed.events))
        webhooks.wake(committed.events)
        brokers.wake(committed.events)

    async def run_webhooks(*, task_status: trio.TaskStatus[Supervisor]) -> None:
        await webhooks.run(task_status=task_status)

    sessions = DynamicSupervisor(
        template=ChildSpec(
            "session",
            partial(ScriptedSession, scripts=scripts, stats=stats.sessions),
            mailbox=partial(Mailbox, calls=stats.calls["sessions"]),
            shutdown=1.0,
        ),
        intensity=100,
        id="sessions",
    )
    root = Supervisor(
        [
            ChildSpec("hub", partial(Hub, capacity=listener_capacity, stats=stats.hub)),
            ChildSpec(
                "writer",
                partial(
                    Writer,
                    dsn=database,
                    publish=publish,
                    name=node or "gateway",
                    batch_ms=1,
                    stats=stats.storage,
                ),
                mailbox=partial(Mailbox, calls=stats.calls["storage"]),
            ),
            ChildSpec("webhooks", run_webhooks, type=ChildType.SUPERVISOR),
            ChildSpec("sessions", sessions.run, type=ChildType.SUPERVISOR),
        ]
    )
    webhooks = Webhooks(
        supervisor=DynamicSupervisor(id="webhooks"),
        writer=root.ref("writer"),
        reads=reads,
        stats=stats.webhooks,
        egress=Egress(allow_networks=["127.0.0.0/8"]),
    )
    brokers = Sinks(specs=sinks, writer=root.ref("writer"), reads=reads)
    store = MediaStore(file_pool)
    address: list[tuple[str, int]] = []
    filing = Filing.of(config, stats, store=store, writer=root.ref("writer"), reads=reads)
    # A connection that a failed test left open would be held against a later one.
    with closing(pool), closing(file_pool), ExitStack() as held:
        async with trio.open_nursery() as nursery:
            await nursery.start(root.run)
            await nursery.start(brokers.supervisor.run)
            if decoding:
                await nursery.start(filing.supervisor.run)
            writer: Ref = root.ref("writer")
            directory = Sessions(sessions, writer, reads, SessionConfig(data=data), stats.sessions)
            cluster = None
            if node is not None:
                cluster = held.enter_context(_one_of_many(node, database, data, directory, address))
                directory.node = lambda: cluster.node_id
            services = Services(
                version="1.2.3",
                root=root,
                sessions=directory,
                cluster=cluster,
                writer=writer,
                reads=reads,
                hub=root.ref("hub"),
                listeners=Listeners(listeners_per_key),
                passwords=Passwords(CHEAPEST),
                tries=tries or Tries(),
                secure_cookies=secure_cookies,
                webhooks=webhooks,
                sinks=brokers,
                media=filing.store,
                intake=filing.intake,
                downloader=filing.downloader,
                uploads=filing.uploads,
                metrics=Metrics(
                    version="1.2.3",
                    root=root,
                    stats=stats,
                    sinks=brokers,
                    cluster=cluster,
                    open=open_metrics,
                ),
                ready=ready,
                loopback=loopback,
            )
            admin = mint(name="admin", session_id=None, scopes=("admin",), plain=ADMIN_KEY)
            if await reads.key_by_hash(admin.row.hash) is None:  # another node may have stored it
                await writer.call(Insert(admin.row))
            serving = Server(app=create_app(services), graceful_timeout=0.5, **server)
            async with services.forwarding.open(), trio.open_nursery() as serving_nursery:
                host, port = await serving_nursery.start(serving.start)
                address.append((host, port))
                if cluster is not None:
                    await cluster._heartbeat()
                    assert cluster.unready is None
                async with httpx.AsyncClient(
                    base_url=f"http://{host}:{port}",
                    headers={"x-api-key": ADMIN_KEY},
                    timeout=PATIENCE,
                    trust_env=False,
                    verify=False,
                ) as client:
                    yield Stage((host, port), client, services, scripts)
                serving_nursery.cancel_scope.cancel()
            if decoding:
                await filing.supervisor.stop()
            await brokers.supervisor.stop()
            await root.stop()


@contextmanager
def _one_of_many(
    name: str, database: str, data: Path, sessions: Sessions, address: list[tuple[str, int]]
) -> Iterator[Cluster]:
    """A node for as long as a test may take, which looks after nothing by itself."""
    with closing(Nodes(database)) as nodes:
        yield Cluster(
            nodes=nodes,
            dsn=database,
            sessions=sessions,
            duties={},
            leash=Leash(),
            name=name,
            url=lambda: "http://{}:{}".format(*address[0]),
            process=name,
            version="1.2.3",
            lease=3600.0,
            file=data / f"{name}.node",
            load=lambda: Load(memory=0, memory_total=1),
            kill=_kill_nobody,
        )


async def _kill_nobody(reason: str) -> None:
    """There are no clients here."""
