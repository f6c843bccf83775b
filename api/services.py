"""What the routes work with: one frozen object, put on the application before it serves."""

from collections.abc import Callable, Iterable

import trio
from attrs import Factory, field, frozen
from quart import current_app

from actors.addressbook import AddressBook
from actors.cells import Cell
from actors.cluster.cluster import Cluster
from actors.directory import Sessions
from actors.media.download import Downloader
from actors.media.intake import Intake
from actors.media.room import Room
from actors.passwords import Passwords
from actors.sinks import Sinks
from actors.webhooks import Webhooks
from api.forwarding import Forwarding
from api.glance import Glance
from api.idempotency import Idempotency
from api.listeners import Listeners
from api.lookout import Lookout
from api.metrics.collector import Metrics
from api.tries import Tries
from runtime import Ref, Supervisor
from storage.media import MediaStore
from storage.reads import Reads

EXTENSION = "terzetto"


@frozen
class LoopbackControl:
    """Where the loopback network of a sandbox is steered: the control API's base URL and its bearer token."""

    url: str
    token: str = field(repr=False)


@frozen(kw_only=True)
class Services:
    """Everything a handler may need."""

    version: str
    root: Supervisor
    """The tree that `GET /api/tree` shows; its dead letters are those of `GET /api/dead-letters`."""
    sessions: Sessions
    writer: Ref
    reads: Reads
    hub: Ref
    listeners: Listeners = field(factory=Listeners)
    passwords: Passwords = field(factory=Passwords)
    tries: Tries = field(factory=Tries)
    """To sign in."""
    changing_users: trio.Lock = field(factory=trio.Lock)
    """Held while it matters what other users there are."""
    secure_cookies: bool = False
    """Also where it cannot be seen that a browser came over TLS."""
    webhooks: Webhooks
    sinks: Sinks
    media: MediaStore
    intake: Intake
    downloader: Downloader
    uploads: Room
    """For the bodies of requests that carry files."""
    metrics: Metrics
    ready: Callable[[], str | None]
    """Why the gateway is not ready, or None when it is."""
    max_body_bytes: int = 1 << 20
    loopback: LoopbackControl | None = None
    """Only in a sandbox."""
    cells: Callable[[], Iterable[Cell]] = tuple
    """Those that run."""
    cluster: Cluster | None = None
    """Only where there are many nodes."""
    forwarding: Forwarding = field(
        init=False, default=Factory(lambda self: Forwarding(self.cluster, self.reads), takes_self=True)
    )
    address_book: AddressBook = field(
        init=False,
        default=Factory(lambda self: AddressBook(self.sessions, self.writer, self.reads), takes_self=True),
    )
    idempotency: Idempotency = field(
        init=False, default=Factory(lambda self: Idempotency(self.reads, self.writer), takes_self=True)
    )
    lookout: Lookout = field(
        init=False, default=Factory(lambda self: Lookout(self.root, self.cells), takes_self=True)
    )
    glance: Glance = field(
        init=False,
        default=Factory(
            lambda self: Glance(
                self.reads,
                self.root,
                self.lookout,
                self.cells,
                self.webhooks,
                self.metrics.stats.storage,
            ),
            takes_self=True,
        ),
    )


def services() -> Services:
    """The services of the application that serves this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
