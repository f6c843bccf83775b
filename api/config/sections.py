"""The sections of supervisor.toml as frozen values, with their defaults. Durations are seconds."""

from datetime import timedelta
from typing import TypeAlias

import attrs
from attrs import field, frozen

from actors.media.limits import MediaLimits
from api.config import values
from runtime import Backoff, Histogram, Mailbox, OnExhausted, Overflow, Strategy


@frozen(kw_only=True)
class Api:
    """[api]: the HTTP server."""

    listen: str = values.address("127.0.0.1:8080")
    max_body_bytes: int = values.whole(64 * 1024 * 1024, least=1024)
    read_timeout: float = values.seconds(60)
    send_timeout: float = values.seconds(10)
    """How long a client may take no bytes before it is cut off."""
    graceful_timeout: float = values.seconds(5, above=False)
    """What requests in hand are given at a stop."""
    websocket_max_message_bytes: int = values.whole(64 * 1024, least=1024)
    websocket_ping_interval: float = values.seconds(20)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; an IPv6 host without its brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


@frozen(kw_only=True)
class Storage:
    """[storage]: PostgreSQL and the batching writer."""

    dsn: str = values.text(secret=True)
    """Empty: an embedded PostgreSQL in the data directory."""
    batch_rows: int = values.whole(500, least=1)
    batch_ms: int = values.whole(10)
    readers: int = values.whole(4, least=1)


@frozen(kw_only=True)
class WhatsApp:
    """[whatsapp]: the way to WhatsApp's network; empty where it is the real one, reached directly."""

    proxy: str = values.text(secret=True)
    ca_file: str = values.text()
    root_key: str = values.text()


@frozen(kw_only=True)
class Cells:
    """[cells]: the processes that host the WhatsApp clients."""

    sessions_per_cell: int = values.whole(32, least=1)
    spare: int = values.whole(1)
    memory_limit_mb: int = values.whole(512, least=64)
    max_starts: int = values.whole(200, least=1)
    ping_interval: float = values.seconds(1)
    ping_timeout: float = values.seconds(1)
    window: int = values.whole(256, least=1)
    """Records of a session on their way to it or not yet stored; fewer than its mailbox holds."""
    journal_bound_mb: int = values.whole(64, least=1)
    stop_timeout: float = values.seconds(2)
    starts_per_second: int = values.whole(20, least=1)
    """Of paired clients, on this node."""


@frozen(kw_only=True)
class Cluster:
    """[cluster]: gateways that share a database, and each other's work."""

    enabled: bool = values.flag(default=False)
    name: str = values.text()
    """Of this node; empty: the host's."""
    url: str = values.text()
    """Where other nodes reach this one's API; empty: as it listens."""
    lease: float = values.number(15, unit="of seconds ", least=1)
    """Without a heartbeat for so long, others take what a node has."""
    drain: float = values.seconds(30)
    """For all to leave a node that ends."""
    keys_dsn: str = values.text(secret=True)
    """Of the devices' keys, as the client library is to reach it; empty: that of [storage]."""

    def __attrs_post_init__(self) -> None:
        if self.url and not values.urls(self.url, ("http", "https")):
            raise values.refuse("http://… or https://…", self.url)


@frozen(kw_only=True)
class BackoffTimes:
    """How long to wait before trying again what failed."""

    min: float = values.seconds(0.5)
    max: float = values.seconds(30)
    factor: float = values.number(2, least=1)
    jitter: float = values.number(0.2)

    def __attrs_post_init__(self) -> None:
        if self.max < self.min:
            raise values.refuse(f"max ≥ min, which is {self.min:g}", self.max)

    def policy(self) -> Backoff:
        """The runtime's back-off with these times."""
        return Backoff(self.min, self.max, factor=self.factor, jitter=self.jitter)


@frozen(kw_only=True)
class RestartTimes(BackoffTimes):
    """How long a part waits before it is started again, and what follows more than `max_failures` in a row.

    What gives up stays `failed`, and its failures never count towards an intensity; what escalates fails the
    supervisor above it.
    """

    max_failures: int | None = values.whole(None, least=1)
    on_exhausted: OnExhausted = values.one_of(OnExhausted.ESCALATE)  # noqa: RUF009

    def policy(self) -> Backoff:
        return attrs.evolve(super().policy(), max_failures=self.max_failures, on_exhausted=self.on_exhausted)


@frozen(kw_only=True)
class Session:
    """[session]: the defaults of every WhatsApp session; a session's own settings go before them."""

    per_minute: int = values.whole(10, least=1)
    burst: int = values.whole(10, least=1)
    queue: int = values.whole(100)
    queued_max: int = values.whole(10_000)
    """Messages that may wait in the database to be sent."""
    new_chats_per_day: int = values.whole(0)
    """Chats that a message of ours may begin within 24 hours; 0: any number."""
    stranger_lock: float = values.seconds(24 * 60 * 60)
    """No chats are begun for so long after WhatsApp has refused a message to a stranger."""
    settling: float = values.seconds(3, above=False)
    """What a new device gets to receive its keys and settings, before its client moves to a shared cell."""
    liveness_window: float = values.seconds(300)
    """Without a sign of life from WhatsApp for so long, the session is connected anew."""
    backoff: BackoffTimes = BackoffTimes(min=0.2, max=60, jitter=0.5)


@frozen(kw_only=True)
class Hub:
    """[hub]: live events over WebSocket."""

    listener_capacity: int = values.whole(1000, least=1)
    """Events that a listener may be behind before it is cut off and comes back from its cursor."""
    listeners_per_key: int = values.whole(100, least=1)
    """WebSockets of one key that may listen at once."""


@frozen(kw_only=True)
class Webhooks:
    """[webhooks]: delivery to HTTP endpoints."""

    connect_timeout: float = values.seconds(5)
    timeout: float = values.seconds(10)
    connections: int = values.whole(100, least=1)
    parallel: int = values.whole(4, least=1)
    """Requests at once to one endpoint, each about another session."""
    backoff: BackoffTimes = BackoffTimes(min=1, max=600)
    give_up_after: float = values.seconds(24 * 60 * 60)
    """Since an event's first try."""
    circuit_failures: int = values.whole(5, least=1)
    """In a row, from which on an endpoint is only probed."""
    keep_deliveries: int = values.whole(1000, least=1)
    """Of each webhook: records of the delivered, and dead letters."""
    keep_deliveries_for: float = values.seconds(7 * 24 * 60 * 60)
    allow_private: bool = values.flag(default=False)
    """Whether endpoints may have any address."""
    allow_networks: tuple[str, ...] = values.networks()
    """Where they may be beside the public internet."""


@frozen(kw_only=True)
class Media:
    """[media]: files of messages."""

    download: bool = values.flag(default=True)
    """Whether the files of messages are downloaded as they arrive, and not only when asked for."""
    retention_days: int = values.days(30)
    """0: until they are deleted."""
    max_document_mb: int = values.whole(100, least=1)
    max_video_mb: int = values.whole(64, least=1)
    max_audio_mb: int = values.whole(16, least=1)
    max_image_mb: int = values.whole(16, least=1)
    memory_mb: int = values.whole(256, least=1)
    """For files being received, as much again for those being fetched, and for those being downloaded."""
    connections: int = values.whole(4, least=1)
    """To the database, for files alone."""
    fetches: int = values.whole(8, least=1)
    connect_timeout: float = values.seconds(5)
    idle_timeout: float = values.seconds(10)
    """Between two pieces of what is fetched."""
    fetch_timeout: float = values.seconds(60)
    allow_private: bool = values.flag(default=False)
    """Whether files may be fetched from any address."""
    allow_networks: tuple[str, ...] = values.networks()
    """Where they may be fetched from beside the public internet."""

    @property
    def limits(self) -> MediaLimits:
        """In bytes."""
        return MediaLimits(
            document=self.max_document_mb << 20,
            video=self.max_video_mb << 20,
            audio=self.max_audio_mb << 20,
            image=self.max_image_mb << 20,
        )

    @property
    def retention(self) -> timedelta | None:
        return timedelta(days=self.retention_days) if self.retention_days else None


@frozen(kw_only=True)
class Retention:
    """[retention]: how long things are kept, in days; 0: until somebody deletes them."""

    events_days: int = values.days(90)
    """The log, which goes by partitions: some of it is kept up to a thirtieth longer, a day at least."""
    messages_days: int = values.days(0)
    audit_days: int = values.days(0)
    sweep_interval: float = values.seconds(3600)


@frozen(kw_only=True)
class Decoders:
    """[decoders]: the processes that look into files and convert them."""

    workers: int = values.whole(2, least=1)
    memory_mb: int = values.whole(640, least=64)
    timeout: float = values.seconds(60)
    """For one file."""
    max_jobs: int = values.whole(100, least=1)
    queue: int = values.whole(16)
    max_pixels: int = values.whole(50_000_000, least=1)
    max_seconds: int = values.whole(3600, least=1)
    """Of a recording."""


@frozen(kw_only=True)
class NatsSink:
    """[sinks.NAME] kind = "nats": events to a subject of NATS JetStream."""

    kind: str = values.text("nats")
    url: str = values.broker_url("nats", "tls")
    """Or TERZETTO_SINK_NAME_URL; several servers between commas."""
    subject: str = values.template("terzetto.{sessionId}.{event}")
    sessions: tuple[str, ...] = values.texts()
    """Empty: all."""
    events: tuple[str, ...] = values.texts()
    """Names; empty: all."""
    timeout: float = values.seconds(5)
    """To connect, and again to answer."""
    backoff: BackoffTimes = BackoffTimes(min=0.5, max=30)
    """Between tries."""


@frozen(kw_only=True)
class RabbitMqSink:
    """[sinks.NAME] kind = "rabbitmq": events to an exchange of RabbitMQ."""

    kind: str = values.text("rabbitmq")
    url: str = values.broker_url("amqp", "amqps")
    """Or TERZETTO_SINK_NAME_URL."""
    exchange: str = values.text("terzetto")
    """It must be there."""
    routing_key: str = values.template("{sessionId}.{event}")
    sessions: tuple[str, ...] = values.texts()
    """Empty: all."""
    events: tuple[str, ...] = values.texts()
    """Names; empty: all."""
    timeout: float = values.seconds(5)
    """To connect, and again to answer."""
    backoff: BackoffTimes = BackoffTimes(min=0.5, max=30)
    """Between tries."""


Sink: TypeAlias = NatsSink | RabbitMqSink
SINKS: dict[str, type[NatsSink | RabbitMqSink]] = {"nats": NatsSink, "rabbitmq": RabbitMqSink}


@frozen(kw_only=True)
class Metrics:
    """[metrics]: what Prometheus may read at /metrics."""

    open: bool = values.flag(default=False)
    """Whether it needs no key."""
    max_sessions: int = values.whole(200)
    """Sessions with series of their own."""


@frozen(kw_only=True)
class Dashboard:
    """[dashboard]: who signs in to it."""

    secure: bool = values.flag(default=False)
    """Whether browsers send their cookie over TLS alone, though it cannot be seen that they come over it."""
    admin_password: str = values.password()
    """Of the user admin, who is made where there is no user; empty: a random one."""


# The supervision tree


@frozen(kw_only=True)
class Root:
    """[supervision.root]: what becomes of the others when one part dies, and how often that is borne."""

    intensity: int = values.whole(10)
    period: float = values.seconds(60)
    strategy: Strategy = values.one_of(Strategy.ONE_FOR_ONE)  # noqa: RUF009


@frozen(kw_only=True)
class Worker:
    """A part of the tree: how long it may take to stop, and how long it waits before it starts again."""

    shutdown: float = values.seconds(5, above=False)
    backoff: RestartTimes = RestartTimes()


@frozen(kw_only=True)
class MailboxBounds:
    """How many messages may wait for an actor, and what becomes of one more."""

    capacity: int = values.whole(1024, least=1)
    overflow: Overflow = values.one_of(Overflow.BLOCK)  # noqa: RUF009

    def mailbox(self, calls: Histogram | None = None) -> Mailbox:
        """A mailbox of the runtime within these bounds: the factory that a ChildSpec takes."""
        return Mailbox(self.capacity, self.overflow, calls=calls)


@frozen(kw_only=True)
class Actor(Worker):
    """A part of the tree that is one actor."""

    mailbox: MailboxBounds = MailboxBounds()


@frozen(kw_only=True)
class Many(Worker):
    """A part of the tree that is any number of children alike: the bounds of each, and of restarts of all."""

    intensity: int = values.whole(10)
    period: float = values.seconds(60)
    backoff: RestartTimes = RestartTimes(on_exhausted=OnExhausted.GIVE_UP)


@frozen(kw_only=True)
class Sessions(Many):
    """[supervision.sessions]: each WhatsApp session's actor."""

    backoff: RestartTimes = RestartTimes(min=1, max=60, max_failures=10, on_exhausted=OnExhausted.GIVE_UP)
    mailbox: MailboxBounds = MailboxBounds(capacity=1000)


@frozen(kw_only=True)
class Supervision:
    """[supervision.…]: a section for each child of the root, and the root's own."""

    root: Root = Root()
    storage: Actor = Actor(shutdown=10, mailbox=MailboxBounds(capacity=5000))
    hub: Actor = Actor(backoff=RestartTimes(min=0.1, max=5))
    webhooks: Many = Many()
    sinks: Many = Many()
    media: Worker = Worker()
    sweeper: Worker = Worker()
    cluster: Worker = Worker()
    cells: Many = Many(backoff=RestartTimes(min=0.2, max=30, on_exhausted=OnExhausted.GIVE_UP))
    sessions: Sessions = Sessions()
    api: Worker = Worker(backoff=RestartTimes(min=0.2, max=10))


@frozen(kw_only=True)
class Config:
    """The whole of supervisor.toml."""

    api: Api = Api()
    storage: Storage = Storage()
    whatsapp: WhatsApp = WhatsApp()
    cells: Cells = Cells()
    session: Session = Session()
    cluster: Cluster = Cluster()
    hub: Hub = Hub()
    webhooks: Webhooks = Webhooks()
    sinks: dict[str, Sink] = field(factory=dict)
    """By name."""
    media: Media = Media()
    retention: Retention = Retention()
    decoders: Decoders = Decoders()
    metrics: Metrics = Metrics()
    dashboard: Dashboard = Dashboard()
    supervision: Supervision = Supervision()


def keys_of(config: Config) -> str | None:
    """The PostgreSQL that keeps the devices' keys; None: files do."""
    return config.cluster.keys_dsn or (config.storage.dsn if config.cluster.enabled else None) or None
