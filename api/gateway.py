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
├─ api          the HTTP server
├─ follower     what other nodes write   ┐ where several share
└─ cluster      this node's lease        ┘ the database
"""

import logging
import math
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio
from attrs import frozen

from actors.cells import CellConfig, CellPool
from actors.cluster.cluster import Cluster, Duty
from actors.cluster.leash import Leash
from actors.delivery import Retention, Schedule
from actors.directory import Sessions
from actors.egress import Egress
from actors.follower import Follower
from actors.hub import Hub, Publish
from actors.passwords import Passwords
from actors.session.actor import SessionActor
from actors.session.queued import interrupted
from actors.session.settings import Limits, SessionConfig
from actors.session.state import Policy, starts
from actors.session.stats import AllSessionStats
from actors.sinks import Sinks
from actors.sweeper import Sweep, sweep
from actors.webhooks import Webhooks
from actors.whatsapp.errors import CellError
from api.app import create_app
from api.brokers import sink_specs
from api.config import Cluster as ClusterConfig
from api.config import Config, keys_of
from api.datalock import alone
from api.filing import Filing
from api.listeners import Listeners
from api.memory import resident, smallest_limit
from api.metrics.collector import Metrics
from api.owner import admin_account, admin_key
from api.running import Running, leave
from api.server import Server
from api.services import LoopbackControl, Services
from api.stats import Stats
from api.sweeps import sweeps
from api.version import version
from runtime import ChildRunning, ChildSpec, ChildType, DynamicSupervisor, LoopLag, Ref, Supervisor
from storage import Committed, Event, Storage, Writer, mark_interrupted, new_id, now, open_storage
from storage.fencing import Fence, FencedWriter
from storage.nodes import Load, Nodes
from storage.notices import listen
from storage.statements import EVENTS
from storage.writer import COMMIT_TIMEOUT

log = logging.getLogger("gateway")

FILE = "gateway.json"
_LEAVING = 2.0  # seconds to give up the lease


@frozen
class Gateway:
    """A gateway that serves: where, and its sessions."""

    running: Running
    sessions: Sessions
    cluster: Cluster | None
    """None where it shares the database with no other."""


async def serve(config: Config, data: Path, asked: trio.Event) -> None:
    """Serve until asked to stop; a node among others hands all over first, and ends when it was drained."""
    async with open_gateway(config, data, data / FILE) as gateway:
        leave(data / FILE, gateway.running)
        print(f"terzetto: {gateway.running.url}", flush=True)  # noqa: T201
        if gateway.cluster is None:
            await asked.wait()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain_when, asked, gateway.cluster)
            await gateway.cluster.drained.wait()
            nursery.cancel_scope.cancel()


async def _drain_when(asked: trio.Event, cluster: Cluster) -> None:
    await asked.wait()
    cluster.drain()


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
    with alone(data):
        async with (
            open_storage(
                config.storage.dsn or data / "postgres",
                readers=config.storage.readers,
                filers=config.media.connections,
            ) as storage,
            _among_others(storage.dsn, config.cluster) as nodes,
        ):
            tree = _Tree(config, data, storage, nodes, loopback, session)
            async with tree.left_at_the_end(), _measured(tree.stats.loop), trio.open_nursery() as nursery:
                await nursery.start(tree.root.run)
                key = await admin_key(storage.reads, tree.writer, file)
                given = config.dashboard.admin_password or None
                user = await admin_account(storage.reads, tree.writer, tree.passwords, file, given=given)
                tree.ready = True
                yield Gateway(Running(tree.url, key, user), tree.sessions, tree.cluster)
                nursery.cancel_scope.cancel()


class _Tree:
    """The supervision tree and what its children share."""

    def __init__(
        self,
        config: Config,
        data: Path,
        storage: Storage,
        nodes: Nodes | None,
        loopback: LoopbackControl | None,
        session: type[SessionActor],
    ) -> None:
        tree = config.supervision
        self._config = config
        self._reads = storage.reads
        self._dsn = storage.dsn
        self.ready = False
        self.passwords = Passwords()
        process = new_id("run")
        self.leash = None if nodes is None else Leash()
        self.cluster: Cluster | None = None
        self._duties: dict[str, Duty] = {}
        self.stats = stats = Stats(sessions=AllSessionStats(most=config.metrics.max_sessions))
        self.root = Supervisor(
            (
                ChildSpec(
                    "storage",
                    partial(
                        Writer,
                        dsn=storage.dsn,
                        publish=self._publish,
                        name="gateway" if nodes is None else process,
                        notify=nodes is not None,
                        silence=COMMIT_TIMEOUT if nodes is None else config.cluster.lease / 2,
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
                        self._run_sweeper,
                        sweeps(config.retention, storage.expiry, storage.media),
                        config.retention.sweep_interval,
                    ),
                    shutdown=tree.sweeper.shutdown,
                    backoff=tree.sweeper.backoff.policy(),
                ),
                ChildSpec("cells", self._run_cells, type=ChildType.SUPERVISOR),
                ChildSpec(
                    "sessions",
                    self._run_sessions,
                    type=ChildType.SUPERVISOR,
                    start_timeout=math.inf,  # however many there are
                ),
                ChildSpec(
                    "api", self._run_api, shutdown=tree.api.shutdown, backoff=tree.api.backoff.policy()
                ),
                *(() if nodes is None else self._of_a_cluster(config)),
            ),
            strategy=tree.root.strategy,
            intensity=tree.root.intensity,
            period=tree.root.period,
        )
        self.writer = self.root.ref("storage")
        self._hub = self.root.ref("hub")
        self._filing = Filing.of(config, stats, store=storage.media, writer=self.writer, reads=self._reads)
        self._cells = DynamicSupervisor(id="cells", intensity=tree.cells.intensity, period=tree.cells.period)
        self._pool = CellPool(_cell_config(config), self._cells, stats=stats.cells, leash=self.leash)
        session_config = SessionConfig(
            data=data,
            keys_dsn=keys_of(config),
            keys_name=f"terzetto keys {process}",
            limits=Limits(
                per_minute=config.session.per_minute,
                burst=config.session.burst,
                queue=config.session.queue,
                new_chats_per_day=config.session.new_chats_per_day or None,
            ),
            queued_max=config.session.queued_max,
            stranger_lock=config.session.stranger_lock,
            policy=Policy(
                backoff=config.session.backoff.policy(),
                settling=config.session.settling,
                starts=starts(config.cells.starts_per_second),
            ),
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
            node=None if nodes is None else self._node,
            end=self._pool.end,
        )
        if nodes is not None:
            self._duties = self._duties_of(self.writer)
            assert self.leash is not None
            self.cluster = Cluster(
                nodes=nodes,
                dsn=storage.dsn,
                sessions=self.sessions,
                duties=self._duties,
                leash=self.leash,
                name=config.cluster.name or socket.gethostname(),
                url=lambda: config.cluster.url or self.url,
                process=process,
                version=version(),
                lease=config.cluster.lease,
                file=data / "node",
                load=self._load,
                kill=self._pool.kill_all,
            )
        self._follower = Follower(self._reads, self._tell)
        self._services = Services(
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
            cluster=self.cluster,
            metrics=Metrics(
                version=version(),
                root=self.root,
                stats=stats,
                sinks=self._sinks,
                cells=lambda: self._pool.cells,
                cell_memory_limit=config.cells.memory_limit_mb * 1024 * 1024,
                open=config.metrics.open,
                cluster=self.cluster,
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
        self._app = create_app(self._services)
        self._host, self._port = config.api.address

    async def _publish(self, committed: Committed) -> None:
        """Nothing is announced that is not stored: this runs after each commit, in their order.

        With other nodes about, all events come by the follower, ours among them.
        """
        if self.cluster is not None:
            self._follower.wake()
        elif committed.events:
            await self._tell(committed.events)
        for session_id, seq in committed.journal.items():
            self._pool.acknowledge(session_id, seq)

    async def _tell(self, events: tuple[Event, ...]) -> None:
        await self._hub.cast(Publish(events))
        self._webhooks.wake(events)
        self._sinks.wake(events)

    # --- one node among others -----------------------------------------------------------------------------

    def _of_a_cluster(self, config: Config) -> tuple[ChildSpec, ...]:
        worker = config.supervision.cluster
        backoff = worker.backoff.policy()
        return (
            ChildSpec("follower", self._run_follower, shutdown=worker.shutdown, backoff=backoff),
            ChildSpec("cluster", self._run_cluster, shutdown=worker.shutdown, backoff=backoff),
        )

    async def _run_follower(self, *, task_status: trio.TaskStatus[None]) -> None:
        """What all nodes write, for those who listen here."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, self._dsn, (EVENTS,), lambda *_: self._follower.wake(), "follower")
            await self._follower.run(task_status=task_status)

    async def _run_cluster(self, *, task_status: trio.TaskStatus[None]) -> None:
        """The lease of this node, and what it entitles to."""
        assert self.cluster is not None
        await self.cluster.run(task_status=task_status)

    @asynccontextmanager
    async def left_at_the_end(self) -> AsyncIterator[None]:
        """Give up the lease when nothing runs any more, so that nobody has to wait for its end."""
        try:
            yield
        finally:
            if self.cluster is not None:
                with trio.move_on_after(_LEAVING, shield=True):
                    await self.cluster.leave()

    def _node(self) -> str | None:
        return None if self.cluster is None else self.cluster.node_id

    def _load(self) -> Load:
        memory = resident() + sum(cell.memory for cell in self._pool.cells)
        return Load(memory=memory, memory_total=smallest_limit())

    def _duties_of(self, writer: Ref) -> dict[str, Duty]:
        """What this node does for all while it has the duty: then the part of the tree for it is started."""

        def duty(name: str, child: str, part: Webhooks | Sinks | None) -> Duty:
            async def begin(epoch: int) -> None:
                if part is not None:
                    part.writer = FencedWriter(writer, Fence("duties", name, epoch))
                with suppress(ChildRunning):
                    await self.root.restart_child(child)

            return Duty(begin, partial(self.root.terminate_child, child))

        return {
            "webhooks": duty("webhooks", "webhooks", self._webhooks),
            "sinks": duty("sinks", "sinks", self._sinks),
            "retention": duty("retention", "sweeper", None),
        }

    def _does(self, duty: str) -> bool:
        """Whether what bears a duty may run here; alone, a gateway has them all."""
        return duty not in self._duties or self._duties[duty].epoch is not None

    # --- the parts -----------------------------------------------------------------------------------------

    async def _run_webhooks(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The deliveries to all webhooks."""
        if not self._does("webhooks"):
            return
        await self._webhooks.run(task_status=task_status)

    async def _run_sinks(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """The message brokers that are told of events."""
        if not self._does("sinks"):
            return
        await self._sinks.supervisor.run(task_status=task_status)

    async def _run_sweeper(
        self, sweeps: Mapping[str, Sweep], interval: float, *, task_status: trio.TaskStatus[None]
    ) -> None:
        """The end of what is old."""
        if not self._does("retention"):
            return
        await sweep(sweeps, interval=interval, task_status=task_status)

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
        if self.cluster is None:
            await mark_interrupted(self._reads, self.writer, interrupted)
        async with trio.open_nursery() as nursery:
            self.sessions.epochs.clear()
            await nursery.start(self.sessions.supervisor.run)
            if self.cluster is None:
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
        async with self._services.forwarding.open(), trio.open_nursery() as nursery:
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
        if not self.ready:
            return "starting"
        return None if self.cluster is None else self.cluster.unready


def _cell_config(config: Config) -> CellConfig:
    cells, whatsapp = config.cells, config.whatsapp
    return CellConfig(
        sessions_per_cell=cells.sessions_per_cell,
        spare=cells.spare,
        memory_limit_mb=cells.memory_limit_mb,
        max_starts=cells.max_starts,
        ping_interval=min(cells.ping_interval, config.cluster.lease / 15)
        if config.cluster.enabled
        else cells.ping_interval,
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


@asynccontextmanager
async def _among_others(dsn: str, cluster: ClusterConfig) -> AsyncIterator[Nodes | None]:
    """The nodes that share the database; None where this gateway is to be alone.

    Raises OSError where one that shares would meet one that does not.
    """
    shared = cluster.enabled
    nodes = Nodes(dsn, patience=max(1.0, cluster.lease / 3))
    try:
        if shared and await nodes.lone_gateway():
            raise OSError("a gateway without [cluster] enabled runs on this database")
        if not shared and any(node.expires_at > now() for node in await nodes.nodes()):
            raise OSError("nodes with [cluster] enabled share this database")
        yield nodes if shared else None
    finally:
        nodes.close()
