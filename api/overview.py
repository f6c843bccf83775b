"""The gateway at a glance: what is well, what is not, and how much goes on."""

import socket
from typing import Literal

from attrs import frozen
from quart import Blueprint

from api.access import caller
from api.caller import Scope
from api.glances import OverviewView
from api.operation import At, operation
from api.services import services

routes = Blueprint("overview", __name__)


@frozen(kw_only=True)
class OverviewQuery:
    hours: Literal["1", "24", "168"] = "1"
    """How far the figures of messages go back."""


@operation(
    routes,
    "GET",
    "/overview",
    at=At.GATEWAY,
    scope=Scope.STATUS,
    query=OverviewQuery,
    answers={200: OverviewView},
)
async def overview(query: OverviewQuery) -> OverviewView:
    """How the caller's sessions are, and for who may operate the gateway how that is."""
    glance, who = services().glance, caller()
    operates = Scope.OPERATE in who.scopes and who.sessions is None
    return OverviewView(
        version=services().version,
        node=socket.gethostname(),
        started_at=glance.started_at,
        sessions=await glance.sessions(who.sessions),
        messages=await glance.messages(who.sessions, int(query.hours)),
        queue=await glance.queue(who.sessions),
        webhooks=await glance.told(who.sessions),
        running=await glance.running() if operates else None,
    )
