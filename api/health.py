"""Whether the process lives, whether it can serve, and what it is."""

from typing import Literal

from attrs import frozen
from quart import Blueprint

from api.operation import At, operation
from api.refusals import NotReady
from api.services import services

routes = Blueprint("health", __name__)


@frozen(kw_only=True)
class AliveView:
    status: Literal["ok"] = "ok"


@frozen(kw_only=True)
class ReadyView:
    status: Literal["ready"] = "ready"


@operation(routes, "GET", "/healthz", at=At.ROOT, scope=None, answers={200: AliveView})
async def alive() -> AliveView:
    """200 for as long as the loop turns: whoever restarts the process needs to know no more."""
    return AliveView()


@operation(routes, "GET", "/readyz", at=At.ROOT, scope=None, answers={200: ReadyView}, errors=(NotReady,))
async def ready() -> ReadyView:
    """200 when requests can be served, else 503 with the reason."""
    reason = services().ready()
    if reason is not None:
        raise NotReady(reason)
    return ReadyView()


@frozen(kw_only=True)
class VersionView:
    name: Literal["terzetto"] = "terzetto"
    version: str


@operation(routes, "GET", "/version", at=At.GATEWAY, scope=None, answers={200: VersionView})
async def version() -> VersionView:
    """The version of this gateway, for any key."""
    return VersionView(version=services().version)
