"""`GET /metrics`: everything, in Prometheus's text format or in OpenMetrics where the client asks for that.

It needs somebody who may operate the gateway, unless supervisor.toml opens it to all. While the database is
away, which is when metrics are looked at, a key is taken that was good when the database was last asked.
"""

from collections.abc import Callable, Iterable

import trio
from attrs import frozen
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from quart import Blueprint, Response, request

from actors.apikeys import digest
from api.access import admit, client_address, key_for, shows_who
from api.caller import Scope, check_key
from api.operation import At, operation
from api.refusals import (
    AddressDenied,
    KeyExpired,
    KeyInvalid,
    KeyMissing,
    KeyRevoked,
    Refusal,
    ScopeDenied,
)
from api.services import services
from storage.errors import DatabaseUnavailable
from storage.rows import now

routes = Blueprint("metrics", __name__)

PATIENCE = 1.0  # seconds for the database to know a key


@operation(
    routes,
    "GET",
    "/metrics",
    at=At.ROOT,
    scope=None,
    answers={200: ("text/plain", "application/openmetrics-text")},
    errors=(KeyMissing, KeyInvalid, KeyExpired, KeyRevoked, ScopeDenied, AddressDenied, DatabaseUnavailable),
    tag="health",
)
async def scrape() -> Response:
    """All metrics at this moment."""
    metrics = services().metrics
    if not metrics.open:
        await _admit()
    write: Callable[[Collector], bytes]
    if "application/openmetrics-text" in request.headers.get("accept", ""):
        write, content_type = openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
    else:
        write, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
    # Read here and now, written down aside: the text of many sessions takes long enough to hold up others.
    read = _Read(tuple(metrics.registry.collect()))
    return Response(await trio.to_thread.run_sync(write, read), content_type=content_type)


@frozen
class _Read(Collector):
    """Metrics that were read already."""

    metrics: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


async def _admit() -> None:
    scrapers = services().metrics.scrapers
    plain = request.headers.get("x-api-key") or _bearer()
    if plain is None and shows_who():
        await admit(Scope.OPERATE)
        return
    address = client_address()
    hashed = digest(plain or "")
    try:
        with trio.fail_after(PATIENCE):
            scrapers[hashed] = await key_for(plain, Scope.OPERATE, address)
    except Refusal:
        scrapers.pop(hashed, None)
        raise
    except (DatabaseUnavailable, trio.TooSlowError) as error:
        if hashed not in scrapers:
            raise DatabaseUnavailable("no key can be checked") from error
        check_key(scrapers[hashed], scope=Scope.OPERATE, address=address, at=now())


def _bearer() -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
