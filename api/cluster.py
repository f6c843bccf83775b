"""The nodes that share the database: which there are, what each has, and one asked to leave."""

import socket
from datetime import datetime
from enum import StrEnum

import attrs
from attrs import frozen
from quart import Blueprint

from actors.cluster.cluster import DUTIES, Cluster
from api.audit import recorded
from api.caller import Scope
from api.operation import At, operation
from api.refusals import NodeAmbiguous, NotFound, NotPossible
from api.services import services
from storage.nodes import Node
from storage.rows import now

routes = Blueprint("nodes", __name__)


class NodeState(StrEnum):
    """A node that drains hands over all it has, and ends."""

    RUNNING = "running"
    DRAINING = "draining"


@frozen(kw_only=True)
class LoadView:
    """Of the node's machine or container."""

    memory_bytes: int
    """What the node uses."""
    memory_total_bytes: int
    """What there is for it; 0: nothing says."""


@frozen(kw_only=True)
class ClusterNodeView:
    """A gateway, and what it has."""

    id: str | None
    """Another one after each start. Null: it shares with no other."""
    name: str
    url: str | None
    """Where other nodes reach it."""
    version: str
    state: NodeState
    self_: bool
    """Whether it is the one that answers."""
    sessions: int
    duties: list[str]
    """What it does for all: `webhooks`, `sinks` (message brokers), `retention`."""
    load: LoadView | None
    """Null: it has not said yet, or shares with no other."""
    started_at: datetime | None
    expires_at: datetime | None
    """When others may take what it has, unless it says before that it lives. Null: never."""


@frozen(kw_only=True)
class ClusterView:
    """All nodes by name. One that has gone without a word is among them until its lease is over."""

    at: datetime
    """When this was."""
    shared: bool
    """Whether this gateway shares with others."""
    nodes: list[ClusterNodeView]
    unowned: int
    """Sessions that no node has."""


@operation(routes, "GET", "/nodes", at=At.GATEWAY, scope=Scope.OPERATE, answers={200: ClusterView})
async def listing() -> ClusterView:
    """The nodes that share the database, and what each has."""
    cluster = services().cluster
    if cluster is None:
        return ClusterView(at=now(), shared=False, nodes=[await _alone()], unowned=0)
    me = cluster.node_id
    found = await cluster.nodes.holding(me or "")
    views = [_view(node, me) for node in found.nodes]
    return ClusterView(at=now(), shared=True, nodes=views, unowned=found.free)


@operation(
    routes,
    "POST",
    "/nodes/<node>/drain",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    answers={202: ClusterNodeView},
    errors=(NotFound, NodeAmbiguous, NotPossible),
)
async def drain(node: str) -> ClusterNodeView:
    """Ask a node, by its id or its name, to hand over all it has and end.

    It is answered at once; the node is done when it is no longer listed.
    """
    cluster = services().cluster
    if cluster is None:
        raise NotPossible("The gateway shares with no other: nobody could take its sessions.")
    found = await _find(cluster, node)
    async with recorded("node.drain", found.id, name=found.name):
        if not await cluster.ask_to_drain(found.id):
            raise NotFound("node", node)
    return _view(attrs.evolve(found, state="draining"), cluster.node_id)


async def _find(cluster: Cluster, which: str) -> Node:
    nodes = await cluster.listing()
    for node in nodes:
        if node.id == which:
            return node
    match [node for node in nodes if node.name == which]:
        case [node]:
            return node
        case []:
            raise NotFound("node", which)
        case several:
            raise NodeAmbiguous(which, ", ".join(node.id for node in several))


def _view(node: Node, me: str | None) -> ClusterNodeView:
    load = node.load and LoadView(
        memory_bytes=node.load["memory"], memory_total_bytes=node.load["memoryTotal"]
    )
    return ClusterNodeView(
        id=node.id,
        name=node.name,
        url=node.url,
        version=node.version,
        state=NodeState(node.state),
        self_=node.id == me,
        sessions=node.sessions,
        duties=node.duties,
        load=load or None,
        started_at=node.started_at,
        expires_at=node.expires_at,
    )


async def _alone() -> ClusterNodeView:
    """The gateway that shares with no other, and has everything."""
    glance = services().glance
    return ClusterNodeView(
        id=None,
        name=socket.gethostname(),
        url=None,
        version=services().version,
        state=NodeState.RUNNING,
        self_=True,
        sessions=(await glance.sessions(None)).total,
        duties=sorted(DUTIES),
        load=None,
        started_at=glance.started_at,
        expires_at=None,
    )
