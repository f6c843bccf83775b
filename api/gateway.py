"""The composition root: all that the gateway is made of, put together and supervised.

root            one_for_one
├─ storage      the writer
├─ hub          WebSocket listeners
├─ webhooks     one actor per endpoint
├─ sinks        one per message broker
├─ media        what converts files
├─ sweeper      deletes what is kept for a time only
├─ cells        one actor per client process
├─ sessions     one actor per WhatsApp session
└─ api          the HTTP server
"""

import fcntl
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import frozen

from actors.cells import CellConfig, CellPool
from actors.delivery import Retention, Schedule
from actors.directory import Sessions
from actors.egress import Egress
from actors.hub import Hub, Publish
from actors.passwords import Passwords
from actors.session.actor import SessionActor
from actors.session.queued import interrupted
from actors.session.settings import Limits, SessionConfig
from actors.session.state import Policy
from actors.session.stats import AllSessionStats
from actors.sinks import Sinks
from actors.sweeper import sweep
from actors.webhooks import Webhooks
from actors.whatsapp.errors import CellError
from api.app import create_app
from api.brokers import sink_specs
from api.config import Config
from api.filing import Filing
from api.listeners import Listeners
from api.metrics.collector import Metrics
from api.owner import admin_account, admin_key
from api.running import Running, leave
from api.server import Server
from api.services import LoopbackControl, Services
from api.stats import Stats
from api.sweeps import sweeps
from api.version import version
from runtime import ChildSpec, ChildType, DynamicSupervisor, LoopLag, Supervisor
from storage import (
    Committed,
    Storage,
    Writer,
    mark_interrupted,
    open_storage,
)

log = logging.getLogger("gateway")

FILE = "gateway.json"


@frozen
class Gateway:
    """A gateway that serves: where, and its sessions."""

    running: Running
    sessions: Sessions


async def serve(config: Config, data: Path) -> None:
    """Serve until cancelled."""
    async with open_gateway(config, data, data / FILE) as gateway:
        leave(data / FILE, gateway.running)
        print(f"terzetto: {gateway.running.url}", flush=True)  # noqa: T201
        await trio.sleep_forever()


@asynccontextmanager
async def open_gateway(
    config: Config,
    data: Path,
    file: Path,
    *,
    loopback: LoopbackControl | None = None,
    session: type[SessionActor] = SessionActor,
) -> AsyncIterator[Gateway]:
    """Run a gateway on a data directory while the block lasts; `file` is where it leaves its address.

    A sandbox names its network's control, and the kind of actor that its sessions are.

    Raises OSError when another gateway runs on the directory, StorageError when there is no database, and
    what the supervision tree ends with when it cannot start or go on.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(data):
        async with open_storage(
            config.storage.dsn or data / "postgres",
            readers=config.storage.readers,
            filers=config.media.connections,
        ) as storage:
            tree = _Tree(config, data, storage, loopback, session)
            async with _measured(tree.stats.loop), trio.open_nursery() as nursery:
                await nursery.start(tree.root.run)
                key = await admin_key(storage.reads, tree.writer, file)
                given = config.dashboard.admin_password or None
                user = await admin_account(storage.reads, tree.writer, tree.passwords, file, given=given)
                tree.ready = True
                yield Gateway(Running(tree.url, key, user), tree.sessions)
                nursery.cancel_scope.cancel()


class _Tree:
    """The supervision tree and what its children share."""

    def __init__(
        self,
        config: Config,
        data: Path,
        storage: Storage,
        loopback: LoopbackControl | None,
        session: type[SessionActor],
    ) -> None:
        tree = config.supervision
        self._config = config
        self._reads = storage.reads
        self.ready = False
        self.passwords = Passwords()
        self.stats = stats = Stats(sessions=AllSessionStats(most=config.metrics.max_sessions))
        self.root = Supervisor(
            (
                ChildSpec(
                    "storage",
                    partial(
                        Writer,
                        dsn=storage.dsn,
                        publish=self._publish,
                        batch_rows=config.storage.batch_rows,
                        batch_ms=config.storage.batch_ms,
                        stats=stats.storage,
                    ),
                    shutdown=tree.storage.shutdown,
                    backoff=tree.storage.backoff.policy(),
                    mailbox=partial(tree.storage.mailbox.mailbox, stats.calls["storage"]),
                ),
                ChildSpec(
                    "hub",
                    partial(Hub, capacity=config.hub.listener_capacity, stats=stats.hub),
                    shutdown=tree.hub.shutdown,
                    backoff=tree.hub.backoff.policy(),
                    mailbox=partial(tree.hub.mailbox.mailbox, stats.calls["hub"]),
                ),
                ChildSpec("webhooks", self._run_webhooks, type=ChildType.SUPERVISOR),
                ChildSpec("sinks", self._run_sinks, type=ChildType.SUPERVISOR),
                ChildSpec("media", self._run_media, type=ChildType.SUPERVISOR),
                ChildSpec(
                    "sweeper",
                    partial(
                        sweep,
                        sweeps(config.retention, storage.expiry, storage.media),
                        interval=config.retention.sweep_interval,
                    ),
                    shutdown=tree.sweeper.shutdown,
                    backoff=tree.sweeper.backoff.policy(),
                ),
                ChildSpec("cells", self._run_cells, type=ChildType.SUPERVISOR),
                ChildSpec("sessions", self._run_sessions, type=ChildType.SUPERVISOR),
                ChildSpec(
                    "api", self._run_api, shutdown=tree.api.shutdown, backoff=tree.api.backoff.policy()
                ),
            ),
            strategy=tree.root.strategy,
            intensity=tree.root.intensity,
            period=tree.root.period,
        )
        self.writer = self.root.ref("storage")
        self._hub = self.root.ref("hub")
        self._filing = Filing.of(config, stats, store=storage.media, writer=self.writer, reads=self._reads)
        self._cells = DynamicSupervisor(id="cells", intensity=tree.cells.intensity, period=tree.cells.period)
        self._pool = CellPool(_cell_config(config), self._cells, stats=stats.cells)
        session_config = SessionConfig(
            data=data,
            limits=Limits(
                per_minute=config.session.per_minute,
                burst=config.session.burst,
                queue=config.session.queue,
                new_chats_per_day=config.session.new_chats_per_day or None,
            ),
            queued_max=config.session.queued_max,
            stranger_lock=config.session.stranger_lock,
            policy=Policy(backoff=config.session.backoff.policy(), settling=config.session.settling),
            liveness_window=config.session.liveness_window,
        )
        webhooks = config.webhooks
        self._webhooks = Webhooks(
            supervisor=DynamicSupervisor(
                id="webhooks", intensity=tree.webhooks.intensity, period=tree.webhooks.period
            ),
            writer=self.writer,
            reads=self._reads,
            version=version(),
            schedule=Schedule(
                backoff=webhooks.backoff.policy(),
                give_up_after=webhooks.give_up_after,
                circuit_failures=webhooks.circuit_failures,
            ),
            retention=Retention(count=webhooks.keep_deliveries, age=webhooks.keep_deliveries_for),
            egress=Egress(allow_private=webhooks.allow_private, allow_networks=webhooks.allow_networks),
            timeout=webhooks.timeout,
            connect_timeout=webhooks.connect_timeout,
            connections=webhooks.connections,
            parallel=webhooks.parallel,
            backoff=tree.webhooks.backoff.policy(),
            shutdown=tree.webhooks.shutdown,
            stats=stats.webhooks,
        )
        self._sinks = Sinks(
            specs=sink_specs(config.sinks),
            writer=self.writer,
            reads=self._reads,
            backoff=tree.sinks.backoff.policy(),
            shutdown=tree.sinks.shutdown,
            intensity=tree.sinks.intensity,
            period=tree.sinks.period,
        )
        self.sessions = Sessions(
            supervisor=DynamicSupervisor(
                id="sessions",
                intensity=tree.sessions.intensity,
                period=tree.sessions.period,
                template=ChildSpec(
                    "session",
                    partial(
                        session,
                        config=session_config,
                        pool=self._pool,
                        writer=self.writer,
                        reads=self._reads,
                        media=storage.media,
                        downloader=self._filing.downloader if config.media.download else None,
                        stats=stats.sessions,
                    ),
                    shutdown=tree.sessions.shutdown,
                    backoff=tree.sessions.backoff.policy(),
                    mailbox=partial(tree.sessions.mailbox.mailbox, stats.calls["sessions"]),
                ),
            ),
            writer=self.writer,
            reads=self._reads,
            config=session_config,
            stats=stats.sessions,
        )
        self._app = create_app(
            Services(
                version=version(),
                root=self.root,
                sessions=self.sessions,
                writer=self.writer,
                reads=self._reads,
                hub=self._hub,
                listeners=Listeners(config.hub.listeners_per_key),
                passwords=self.passwords,
                secure_cookies=config.dashboard.secure,
                webhooks=self._webhooks,
                sinks=self._sinks,
                metrics=Metrics(
                    version=version(),
                    root=self.root,
                    stats=stats,
                    sinks=self._sinks,
                    cells=lambda: self._pool.cells,
                    cell_memory_limit=config.cells.memory_limit_mb * 1024 * 1024,
                    open=config.metrics.open,
                ),
                ready=self._unready,
                media=self._filing.store,
                intake=self._filing.intake,
                downloader=self._filing.downloader,
                uploads=self._filing.uploads,
                max_body_bytes=config.api.max_body_bytes,
                loopback=loopback,
                cells=lambda: self._pool.cells,
            )
        )
        self._host, self._port = config.api.address

    async def _publish(self, committed: Committed) -> None:
        """Nothing is announced that is not stored: this runs after each commit, in their order."""
        if committed.events:
            await self._hub.cast(Publish(committed.events))
            self._webhooks.wake(committed.events)
            self._sinks.wake(committed.events)
        for session_id, seq in committed.journal.items():
            self._pool.acknowledge(session_id, seq)

    async def _run_webhooks(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The deliveries to all webhooks."""
        await self._webhooks.run(task_status=task_status)

    async def _run_sinks(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The message brokers that are told of events."""
        await self._sinks.supervisor.run(task_status=task_status)

    async def _run_media(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """What converts files, and sweeps old ones."""
        await self._filing.supervisor.run(task_status=task_status)

    async def _run_cells(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The cells, with the warm spare; sessions can do without that for the moment."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._cells.run)
            try:
                await self._pool.warm()
            except CellError as error:
                log.warning("no_spare_cell error=%s", error)
            task_status.started(self._cells)

    async def _run_sessions(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The sessions, each stored one with its actor."""
        await mark_interrupted(self._reads, self.writer, interrupted)
        async with trio.open_nursery() as nursery:
            await nursery.start(self.sessions.supervisor.run)
            await self.sessions.load()
            task_status.started(self.sessions.supervisor)

    async def _run_api(self, *, task_status: trio.TaskStatus[tuple[str, int]]) -> None:
        """The HTTP server; started again, it is where it was."""
        api = self._config.api
        server = Server(
            app=self._app,
            host=self._host,
            port=self._port,
            read_timeout=api.read_timeout,
            send_timeout=api.send_timeout,
            graceful_timeout=api.graceful_timeout,
            websocket_max_message_bytes=api.websocket_max_message_bytes,
            websocket_ping_interval=api.websocket_ping_interval,
        )
        async with trio.open_nursery() as nursery:
            address = await nursery.start(server.start)
            self._port = address[1]
            task_status.started(address)

    @property
    def url(self) -> str:
        """Where the API is served."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def _unready(self) -> str | None:
        """Why the gateway is not ready for requests."""
        return None if self.ready else "starting"


def _cell_config(config: Config) -> CellConfig:
    cells, whatsapp = config.cells, config.whatsapp
    return CellConfig(
        sessions_per_cell=cells.sessions_per_cell,
        spare=cells.spare,
        memory_limit_mb=cells.memory_limit_mb,
        max_starts=cells.max_starts,
        ping_interval=cells.ping_interval,
        ping_timeout=cells.ping_timeout,
        stop_timeout=cells.stop_timeout,
        window=cells.window,
        journal_bound_mb=cells.journal_bound_mb,
        proxy=whatsapp.proxy or None,
        ca_file=whatsapp.ca_file or None,
        root_key=whatsapp.root_key or None,
        backoff=config.supervision.cells.backoff.policy(),
        shutdown=config.supervision.cells.shutdown,
    )


@asynccontextmanager
async def _measured(loop: LoopLag) -> AsyncIterator[None]:
    """Have the turns of the loop measured meanwhile."""
    trio.lowlevel.add_instrument(loop)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(loop)


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data directory; the system gives it back when we end, however that happens."""
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another gateway runs on {data}") from None
        yield
