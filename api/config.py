"""The operator's file, `supervisor.toml`, read into frozen values: every key checked, none ignored.

A missing key means its default, a missing file all defaults; an unknown or wrong key is refused with its path
and what was expected. Durations are seconds. What is secret, or belongs to the machine, may come from the
environment instead, which goes before the file: DATABASE_URL, TERZETTO_WHATSAPP_PROXY,
TERZETTO_WHATSAPP_CA_FILE, TERZETTO_WHATSAPP_ROOT_KEY, TERZETTO_KEYS_DSN, TERZETTO_ADMIN_PASSWORD, and
TERZETTO_SINK_NAME_URL for the sink of that name.
TERZETTO_ADMIN_KEY has no key in the file.
"""

import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import attrs
import cattrs
from attrs import field, frozen
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from actors import passwords
from actors.media.limits import MediaLimits
from runtime import Backoff, Histogram, Mailbox, OnExhausted, Overflow, Strategy

T = TypeVar("T", bound=attrs.AttrsInstance)

_SINK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


LEAST_ADMIN_KEY = 32
"""Characters: a key's beginning is shown in the record and in the log."""


class ConfigError(Exception):
    """The configuration cannot be used: one line for each wrong key."""


# Values: each checks one kind of value and says what it expects; a wrong one raises ValueError.

_CHECK = "check"
_MOST_DAYS = 36500  # a hundred years


def _refuse(expected: str, got: object) -> ValueError:
    shown = json.dumps(got, default=str)
    return ValueError(f"expected {expected}, got {shown}")


def _whole(default: int | None, *, least: int = 0) -> Any:
    def check(value: object) -> int | None:
        if value is None and default is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _refuse(f"an integer ≥ {least}", value)
        return value

    return field(default=default, metadata={_CHECK: check})


def _days(default: int) -> Any:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_DAYS:
            raise _refuse(f"a number of days from 0 to {_MOST_DAYS}", value)
        return value

    return field(default=default, metadata={_CHECK: check})


def _number(default: float, *, unit: str = "", least: float = 0, above: bool = False) -> Any:
    def check(value: object) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or value < least or (above and value == least):  # type: ignore[operator]
            raise _refuse(f"a number {unit}{'>' if above else '≥'} {least:g}", value)
        return float(value)  # type: ignore[arg-type]

    return field(default=float(default), metadata={_CHECK: check})


def _seconds(default: float, *, above: bool = True) -> Any:
    return _number(default, unit="of seconds ", above=above)


def _text(default: str = "", *, secret: bool = False) -> Any:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise _refuse("a text", "a value of another kind" if secret else value)
        return value

    return field(default=default, repr=not secret, metadata={_CHECK: check})


def _password() -> Any:
    def check(value: object) -> str:
        if isinstance(value, str) and (not value or passwords.LEAST <= len(value) <= passwords.MOST):
            return value
        raise ValueError(f"expected a text of {passwords.LEAST} to {passwords.MOST} characters")

    return field(default="", repr=False, metadata={_CHECK: check})


def _flag(*, default: bool) -> Any:
    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise _refuse("true or false", value)
        return value

    return field(default=default, metadata={_CHECK: check})


def _one_of(default: StrEnum) -> Any:
    kind = type(default)

    def check(value: object) -> StrEnum:
        try:
            return kind(value)  # type: ignore[arg-type]
        except ValueError:
            raise _refuse(" or ".join(f'"{member.value}"' for member in kind), value) from None

    return field(default=default, metadata={_CHECK: check})


def _networks() -> Any:
    def check(value: object) -> tuple[str, ...]:
        try:
            if isinstance(value, list | tuple):
                return tuple(str(ip_network(network)) for network in value)
        except ValueError:
            pass
        raise _refuse('a list of networks such as "10.0.0.0/8"', value)

    return field(default=(), metadata={_CHECK: check})


def _address(default: str) -> Any:
    def check(value: object) -> str:
        if isinstance(value, str):
            host, colon, port = value.rpartition(":")
            if host and colon and port.isdecimal() and int(port) < 65536:
                return value
        raise _refuse('"HOST:PORT"', value)

    return field(default=default, metadata={_CHECK: check})


# Sections


@frozen(kw_only=True)
class Api:
    """[api]: the HTTP server."""

    listen: str = _address("127.0.0.1:8080")
    max_body_bytes: int = _whole(64 * 1024 * 1024, least=1024)
    read_timeout: float = _seconds(60)
    send_timeout: float = _seconds(10)
    """How long a client may take no bytes before it is cut off."""
    graceful_timeout: float = _seconds(5, above=False)
    """What requests in hand are given at a stop."""
    websocket_max_message_bytes: int = _whole(64 * 1024, least=1024)
    websocket_ping_interval: float = _seconds(20)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; an IPv6 host without its brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


@frozen(kw_only=True)
class Storage:
    """[storage]: PostgreSQL and the batching writer."""

    dsn: str = _text(secret=True)
    """Empty: an embedded PostgreSQL in the data directory."""
    batch_rows: int = _whole(500, least=1)
    batch_ms: int = _whole(10)
    readers: int = _whole(4, least=1)


@frozen(kw_only=True)
class WhatsApp:
    """[whatsapp]: the way to WhatsApp's network; empty where it is the real one, reached directly."""

    proxy: str = _text(secret=True)
    ca_file: str = _text()
    root_key: str = _text()


@frozen(kw_only=True)
class Cells:
    """[cells]: the processes that host the WhatsApp clients."""

    sessions_per_cell: int = _whole(32, least=1)
    spare: int = _whole(1)
    memory_limit_mb: int = _whole(512, least=64)
    max_starts: int = _whole(200, least=1)
    ping_interval: float = _seconds(1)
    ping_timeout: float = _seconds(1)
    window: int = _whole(256, least=1)
    """Records of a session on their way to it or not yet stored; fewer than its mailbox holds."""
    journal_bound_mb: int = _whole(64, least=1)
    stop_timeout: float = _seconds(2)
    starts_per_second: int = _whole(20, least=1)
    """Of paired clients, on this node."""


@frozen(kw_only=True)
class Cluster:
    """[cluster]: gateways that share a database, and each other's work."""

    enabled: bool = _flag(default=False)
    name: str = _text()
    """Of this node; empty: the host's."""
    url: str = _text()
    """Where other nodes reach this one's API; empty: as it listens."""
    lease: float = _number(15, unit="of seconds ", least=1)
    """Without a heartbeat for so long, others take what a node has."""
    drain: float = _seconds(30)
    """For all to leave a node that ends."""
    keys_dsn: str = _text(secret=True)
    """Of the devices' keys, as the client library is to reach it; empty: that of [storage]."""

    def __attrs_post_init__(self) -> None:
        if self.url and not _urls(self.url, ("http", "https")):
            raise _refuse("http://… or https://…", self.url)


@frozen(kw_only=True)
class BackoffTimes:
    """How long to wait before trying again what failed."""

    min: float = _seconds(0.5)
    max: float = _seconds(30)
    factor: float = _number(2, least=1)
    jitter: float = _number(0.2)

    def __attrs_post_init__(self) -> None:
        if self.max < self.min:
            raise _refuse(f"max ≥ min, which is {self.min:g}", self.max)

    def policy(self) -> Backoff:
        """The runtime's back-off with these times."""
        return Backoff(self.min, self.max, factor=self.factor, jitter=self.jitter)


@frozen(kw_only=True)
class RestartTimes(BackoffTimes):
    """How long a part waits before it is started again, and what follows more than `max_failures` in a row.

    What gives up stays `failed`, and its failures never count towards an intensity; what escalates fails the
    supervisor above it.
    """

    max_failures: int | None = _whole(None, least=1)
    on_exhausted: OnExhausted = _one_of(OnExhausted.ESCALATE)  # noqa: RUF009

    def policy(self) -> Backoff:
        return attrs.evolve(super().policy(), max_failures=self.max_failures, on_exhausted=self.on_exhausted)


@frozen(kw_only=True)
class Session:
    """[session]: the defaults of every WhatsApp session; a session's own settings go before them."""

    per_minute: int = _whole(10, least=1)
    burst: int = _whole(10, least=1)
    queue: int = _whole(100)
    queued_max: int = _whole(10_000)
    """Messages that may wait in the database to be sent."""
    new_chats_per_day: int = _whole(0)
    """Chats that a message of ours may begin within 24 hours; 0: any number."""
    stranger_lock: float = _seconds(24 * 60 * 60)
    """No chats are begun for so long after WhatsApp has refused a message to a stranger."""
    settling: float = _seconds(3, above=False)
    """What a new device gets to receive its keys and settings, before its client moves to a shared cell."""
    liveness_window: float = _seconds(300)
    """Without a sign of life from WhatsApp for so long, the session is connected anew."""
    backoff: BackoffTimes = BackoffTimes(min=0.2, max=60, jitter=0.5)


@frozen(kw_only=True)
class Hub:
    """[hub]: live events over WebSocket."""

    listener_capacity: int = _whole(1000, least=1)
    """Events that a listener may be behind before it is cut off and comes back from its cursor."""
    listeners_per_key: int = _whole(100, least=1)
    """WebSockets of one key that may listen at once."""


@frozen(kw_only=True)
class Webhooks:
    """[webhooks]: delivery to HTTP endpoints."""

    connect_timeout: float = _seconds(5)
    timeout: float = _seconds(10)
    connections: int = _whole(100, least=1)
    parallel: int = _whole(4, least=1)
    """Requests at once to one endpoint, each about another session."""
    backoff: BackoffTimes = BackoffTimes(min=1, max=600)
    give_up_after: float = _seconds(24 * 60 * 60)
    """Since an event's first try."""
    circuit_failures: int = _whole(5, least=1)
    """In a row, from which on an endpoint is only probed."""
    keep_deliveries: int = _whole(1000, least=1)
    """Of each webhook: records of the delivered, and dead letters."""
    keep_deliveries_for: float = _seconds(7 * 24 * 60 * 60)
    allow_private: bool = _flag(default=False)
    """Whether endpoints may have any address."""
    allow_networks: tuple[str, ...] = _networks()
    """Where they may be beside the public internet."""


@frozen(kw_only=True)
class Media:
    """[media]: files of messages."""

    download: bool = _flag(default=True)
    """Whether the files of messages are downloaded as they arrive, and not only when asked for."""
    retention_days: int = _days(30)
    """0: until they are deleted."""
    max_document_mb: int = _whole(100, least=1)
    max_video_mb: int = _whole(64, least=1)
    max_audio_mb: int = _whole(16, least=1)
    max_image_mb: int = _whole(16, least=1)
    memory_mb: int = _whole(256, least=1)
    """For files being received, as much again for those being fetched, and for those being downloaded."""
    connections: int = _whole(4, least=1)
    """To the database, for files alone."""
    fetches: int = _whole(8, least=1)
    connect_timeout: float = _seconds(5)
    idle_timeout: float = _seconds(10)
    """Between two pieces of what is fetched."""
    fetch_timeout: float = _seconds(60)
    allow_private: bool = _flag(default=False)
    """Whether files may be fetched from any address."""
    allow_networks: tuple[str, ...] = _networks()
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

    events_days: int = _days(90)
    """The log, which goes by partitions: some of it is kept up to a thirtieth longer, a day at least."""
    messages_days: int = _days(0)
    audit_days: int = _days(0)
    sweep_interval: float = _seconds(3600)


@frozen(kw_only=True)
class Decoders:
    """[decoders]: the processes that look into files and convert them."""

    workers: int = _whole(2, least=1)
    memory_mb: int = _whole(640, least=64)
    timeout: float = _seconds(60)
    """For one file."""
    max_jobs: int = _whole(100, least=1)
    queue: int = _whole(16)
    max_pixels: int = _whole(50_000_000, least=1)
    max_seconds: int = _whole(3600, least=1)
    """Of a recording."""


def _broker_url(*schemes: str) -> Any:
    """Empty: it must come from the environment. It may hold a password, so that no message shows it."""

    def check(value: object) -> str:
        if isinstance(value, str) and (not value or _urls(value, schemes)):
            return value
        raise ValueError(f"expected {' or '.join(f'{scheme}://…' for scheme in schemes)}")

    return field(default="", repr=False, metadata={_CHECK: check})


def _urls(text: str, schemes: Sequence[str]) -> bool:
    try:
        parts = [urlsplit(url) for url in text.split(",")]
        return all(part.scheme in schemes and part.hostname and (part.port or 1) for part in parts)
    except ValueError:
        return False


def _template(default: str) -> Any:
    """A text with `{sessionId}` and `{event}`."""

    def check(value: object) -> str:
        if isinstance(value, str):
            plain = value.replace("{sessionId}", "s").replace("{event}", "e")
            if plain and plain.isascii() and plain.isprintable() and not set(plain) & set(" *>{}"):
                return value
        raise _refuse("a text with {sessionId} and {event}, without spaces and wildcards", value)

    return field(default=default, metadata={_CHECK: check})


def _texts() -> Any:
    def check(value: object) -> tuple[str, ...]:
        if isinstance(value, list | tuple) and all(isinstance(text, str) and text for text in value):
            return tuple(value)
        raise _refuse("a list of texts", value)

    return field(default=(), metadata={_CHECK: check})


@frozen(kw_only=True)
class NatsSink:
    """[sinks.NAME] kind = "nats": events to a subject of NATS JetStream."""

    kind: str = _text("nats")
    url: str = _broker_url("nats", "tls")
    """Or TERZETTO_SINK_NAME_URL; several servers between commas."""
    subject: str = _template("terzetto.{sessionId}.{event}")
    sessions: tuple[str, ...] = _texts()
    """Empty: all."""
    events: tuple[str, ...] = _texts()
    """Names; empty: all."""
    timeout: float = _seconds(5)
    """To connect, and again to answer."""
    backoff: BackoffTimes = BackoffTimes(min=0.5, max=30)
    """Between tries."""


@frozen(kw_only=True)
class RabbitMqSink:
    """[sinks.NAME] kind = "rabbitmq": events to an exchange of RabbitMQ."""

    kind: str = _text("rabbitmq")
    url: str = _broker_url("amqp", "amqps")
    """Or TERZETTO_SINK_NAME_URL."""
    exchange: str = _text("terzetto")
    """It must be there."""
    routing_key: str = _template("{sessionId}.{event}")
    sessions: tuple[str, ...] = _texts()
    """Empty: all."""
    events: tuple[str, ...] = _texts()
    """Names; empty: all."""
    timeout: float = _seconds(5)
    """To connect, and again to answer."""
    backoff: BackoffTimes = BackoffTimes(min=0.5, max=30)
    """Between tries."""


Sink: TypeAlias = NatsSink | RabbitMqSink
_SINKS: dict[str, type[NatsSink | RabbitMqSink]] = {"nats": NatsSink, "rabbitmq": RabbitMqSink}


@frozen(kw_only=True)
class Metrics:
    """[metrics]: what Prometheus may read at /metrics."""

    open: bool = _flag(default=False)
    """Whether it needs no key."""
    max_sessions: int = _whole(200)
    """Sessions with series of their own."""


@frozen(kw_only=True)
class Dashboard:
    """[dashboard]: who signs in to it."""

    secure: bool = _flag(default=False)
    """Whether browsers send their cookie over TLS alone, though it cannot be seen that they come over it."""
    admin_password: str = _password()
    """Of the user admin, who is made where there is no user; empty: a random one."""


# The supervision tree


@frozen(kw_only=True)
class Root:
    """[supervision.root]: what becomes of the others when one part dies, and how often that is borne."""

    intensity: int = _whole(10)
    period: float = _seconds(60)
    strategy: Strategy = _one_of(Strategy.ONE_FOR_ONE)  # noqa: RUF009


@frozen(kw_only=True)
class Worker:
    """A part of the tree: how long it may take to stop, and how long it waits before it starts again."""

    shutdown: float = _seconds(5, above=False)
    backoff: RestartTimes = RestartTimes()


@frozen(kw_only=True)
class MailboxBounds:
    """How many messages may wait for an actor, and what becomes of one more."""

    capacity: int = _whole(1024, least=1)
    overflow: Overflow = _one_of(Overflow.BLOCK)  # noqa: RUF009

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

    intensity: int = _whole(10)
    period: float = _seconds(60)
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


# Reading

_ENVIRONMENT = {
    "DATABASE_URL": ("storage", "dsn"),
    "TERZETTO_WHATSAPP_PROXY": ("whatsapp", "proxy"),
    "TERZETTO_WHATSAPP_CA_FILE": ("whatsapp", "ca_file"),
    "TERZETTO_WHATSAPP_ROOT_KEY": ("whatsapp", "root_key"),
    "TERZETTO_KEYS_DSN": ("cluster", "keys_dsn"),
    "TERZETTO_ADMIN_PASSWORD": ("dashboard", "admin_password"),
}


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in `file`, or the defaults when it does not exist, under the environment's.

    The admin key stays in the environment, and is looked at here all the same.

    Raises ConfigError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    try:
        config = parse(text)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
    for variable, (section, key) in _ENVIRONMENT.items():
        if value := environment.get(variable):
            try:
                attrs.fields_dict(type(getattr(config, section)))[key].metadata[_CHECK](value)
            except ValueError as error:
                raise ConfigError(f"{variable}: {error}") from None
            config = attrs.evolve(config, **{section: attrs.evolve(getattr(config, section), **{key: value})})
    if 0 < len(environment.get("TERZETTO_ADMIN_KEY", "")) < LEAST_ADMIN_KEY:
        raise ConfigError(f"TERZETTO_ADMIN_KEY: expected at least {LEAST_ADMIN_KEY} random characters")
    _check_cluster(config)
    sinks = {name: _reachable(name, sink, environment) for name, sink in config.sinks.items()}
    return attrs.evolve(config, sinks=sinks)


def _check_cluster(config: Config) -> None:
    """Whether other nodes could share the database, and reach this one. Raises ConfigError."""
    if not config.cluster.enabled:
        return
    if not config.storage.dsn:
        raise ConfigError("[cluster] enabled: needs a database to share: [storage] dsn, or DATABASE_URL")
    host, _ = config.api.address
    if not config.cluster.url and host in {"0.0.0.0", "::"}:  # noqa: S104 - what it says, not where we listen
        raise ConfigError(f"[cluster] url: is required where [api] listens at {config.api.listen}")


def _reachable(name: str, sink: Sink, environment: Mapping[str, str]) -> Sink:
    """The sink with its URL, which may stand in the environment. Raises ConfigError."""
    variable = f"TERZETTO_SINK_{name.upper().replace('-', '_')}_URL"
    url = environment.get(variable) or sink.url
    try:
        attrs.fields_dict(type(sink))["url"].metadata[_CHECK](url)
    except ValueError as error:
        raise ConfigError(f"{variable}: {error}") from None
    if not url:
        raise ConfigError(f"[sinks.{name}] url: is required, here or as {variable}")
    return attrs.evolve(sink, url=url)


def listening(config: Config, address: str) -> Config:
    """The configuration with the HTTP server on this address, HOST:PORT. Raises ConfigError."""
    try:
        attrs.fields(Api).listen.metadata[_CHECK](address)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    config = attrs.evolve(config, api=attrs.evolve(config.api, listen=address))
    _check_cluster(config)
    return config


def parse(text: str) -> Config:
    """The configuration that a file with this text asks for. Raises ConfigError."""
    try:
        asked = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    defaults = attrs.asdict(Config())
    try:
        return _CONVERTER.structure(_merged(defaults, asked), Config)
    except cattrs.ClassValidationError as error:
        raise ConfigError("\n".join(_lines(error, ()))) from None


def _merged(defaults: object, asked: object) -> object:
    """What was asked for over the defaults, key by key: a section may say less than all."""
    if not (isinstance(defaults, dict) and isinstance(asked, dict)):
        return asked
    return defaults | {key: _merged(defaults.get(key), value) for key, value in asked.items()}


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()

    def structure(kind: type[T]) -> Callable[[Any, Any], T]:
        checks: dict[str, Any] = {
            attribute.name: override(struct_hook=partial(_checked, attribute.metadata[_CHECK]))
            for attribute in attrs.fields(kind)
            if _CHECK in attribute.metadata
        }
        read = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **checks)

        def section(value: Any, _: Any) -> T:
            if not isinstance(value, dict):
                raise _refuse("a section", value)
            return read(value, kind)

        return section

    converter.register_structure_hook_factory(attrs.has, structure)
    converter.register_structure_hook_func(
        lambda kind: kind == dict[str, Sink], lambda value, _: _sinks(value, converter)
    )
    return converter


def _sinks(value: object, converter: cattrs.Converter) -> dict[str, Sink]:
    """Each section as the class of its kind."""
    if not isinstance(value, dict):
        raise _refuse("a section", value)
    made, wrong = {}, []
    for name, section in value.items():
        try:
            made[name] = converter.structure(section, _kind_of_sink(name, section))
        except (ValueError, cattrs.BaseValidationError) as error:
            error.add_note(AttributeValidationNote(f"sink {name}", name, Sink))
            wrong.append(error)
    if wrong:
        raise cattrs.ClassValidationError("sinks", wrong, Config)
    return made


def _kind_of_sink(name: str, section: object) -> type[NatsSink | RabbitMqSink]:
    if _SINK_NAME.fullmatch(name) is None:
        raise ValueError("expected a name of small letters, digits, - and _")
    kind = section.get("kind") if isinstance(section, dict) else None
    if not isinstance(kind, str) or kind not in _SINKS:
        raise _refuse(f"a section with kind {' or '.join(_SINKS)}", kind)
    return _SINKS[kind]


def keys_of(config: Config) -> str | None:
    """The PostgreSQL that keeps the devices' keys; None: files do."""
    return config.cluster.keys_dsn or (config.storage.dsn if config.cluster.enabled else None) or None


def _checked(check: Callable[[object], object], value: object, _: object) -> object:
    return check(value)


_CONVERTER = _converter()


def _lines(error: cattrs.ClassValidationError, path: tuple[str, ...]) -> list[str]:
    """Each thing wrong, with where it is: `[cells] spare: expected …`."""
    nested, own = error.group_exceptions()
    lines = []
    for cause, note in nested:
        where = (*path, note.name)
        if isinstance(cause, cattrs.ClassValidationError):
            lines += _lines(cause, where)
        else:
            lines.append(f"{_place(where)}: {cause}")
    for cause in own:
        if not isinstance(cause, cattrs.ForbiddenExtraKeysError):
            lines.append(f"{_place(path)}: {cause}")
            continue
        known = ", ".join(attribute.name for attribute in attrs.fields(cause.cl))
        lines += [
            f"{_place((*path, key))}: no such key; there are {known}" for key in sorted(cause.extra_fields)
        ]
    return lines


def _place(path: tuple[str, ...]) -> str:
    *section, key = path
    return f"[{'.'.join(section)}] {key}" if section else f"[{key}]"
