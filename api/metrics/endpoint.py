"""`GET /metrics`: everything, in Prometheus's text format or in OpenMetrics where the client asks for that.

It needs a key that administers the gateway, unless supervisor.toml opens it to all. What is wrong is to be
seen while the database is away, too: a key that was good is good still, for nobody could have revoked it.
"""

import trio
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from quart import Blueprint, Response, request

from actors.apikeys import digest
from api.access import Scope, check_key, client_address, key_for
from api.refusals import Refusal
from api.services import services
from storage.errors import DatabaseUnavailable
from storage.rows import now

routes = Blueprint("metrics", __name__)

PATIENCE = 1.0  # seconds for the database to know a key


@routes.get("/metrics")
async def scrape() -> Response:
    """All metrics at this moment."""
    metrics = services().metrics
    if not metrics.open:
        await _admit()
    if "application/openmetrics-text" in request.headers.get("accept", ""):
        text = openmetrics.generate_latest(metrics.registry)  # type: ignore[no-untyped-call]
        return Response(text, content_type=openmetrics.CONTENT_TYPE_LATEST)
    text = exposition.generate_latest(metrics.registry)
    return Response(text, content_type=exposition.CONTENT_TYPE_PLAIN_0_0_4)


async def _admit() -> None:
    scrapers = services().metrics.scrapers
    plain = request.headers.get("x-api-key") or _bearer()
    address = client_address()
    hashed = digest(plain or "")
    try:
        with trio.fail_after(PATIENCE):
            scrapers[hashed] = await key_for(plain, Scope.ADMIN, address)
    except Refusal:
        scrapers.pop(hashed, None)
        raise
    except (DatabaseUnavailable, trio.TooSlowError) as error:
        if hashed not in scrapers:
            raise DatabaseUnavailable("no key can be checked") from error
        check_key(scrapers[hashed], scope=Scope.ADMIN, address=address, at=now())


def _bearer() -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
