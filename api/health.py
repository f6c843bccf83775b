"""Whether the process lives, whether it can serve, and what it is."""

from typing import Literal

from attrs import frozen
from quart import Blueprint, Response

from api.answers import answer
from api.operation import At, operation
from api.refusals import NotReady
from api.services import services

routes = Blueprint("health", __name__)


@routes.get("/healthz")
async def alive() -> Response:
    """200 for as long as the loop turns: whoever restarts the process needs to know no more."""
    return answer({"status": "ok"})


@routes.get("/readyz")
async def ready() -> Response:
    """200 when requests can be served, else 503 with the reason."""
    reason = services().ready()
    if reason is not None:
        raise NotReady(reason)
    return answer({"status": "ready"})


@frozen(kw_only=True)
class VersionView:
    name: Literal["terzetto"] = "terzetto"
    version: str


@operation(routes, "GET", "/version", at=At.GATEWAY, scope=None, answers={200: VersionView})
async def version() -> VersionView:
    """The version of this gateway, for any key."""
    return VersionView(version=services().version)
