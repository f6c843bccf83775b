"""Routes that look into the supervision tree, live too, and steer it; and the dead letters.

Looking asks no actor anything, so a stuck one is shown as well.
"""

import json
import math
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
import trio
from attrs import define, field, frozen
from quart import Blueprint, Response, websocket

from actors.envelope import stamp
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import query_as
from api.caller import Caller, Scope
from api.causes import trace_of
from api.converter import SOMETIMES
from api.following import Ending, Teller, follow
from api.lookout import Views, changes
from api.nodes import Moments, nested
from api.operation import At, operation
from api.refusals import ChildNotRunning, NotFound, NotStarted, NotSteerable
from api.services import services
from api.steering import Act, Place, find, steer
from runtime import ChildRunning, ChildSpec, NotAnActor, State, Supervisor
from storage.rows import Json

routes = Blueprint("supervision", __name__)

_MOST_TASKS = 50


@frozen(kw_only=True)
class MailboxView:
    depth: int
    peak: int
    dropped: int
    oldest_since: datetime | None


@frozen(kw_only=True)
class CellView:
    """The client process behind a cell's actor."""

    pid: int | None
    memory_mb: int
    sessions: int
    starts: int
    retiring: str | None
    """Why another process is to take its place."""


@frozen(kw_only=True)
class NodeView:
    """An actor or supervisor. Times are the moments that ages count from."""

    id: str
    path: str
    type: str
    state: State
    since: datetime | None
    restarts: int
    last_exit: str | None
    due: datetime | None
    """When it will be started again."""
    mailbox: MailboxView | None
    message: str | None
    """What it has in hand: the type of the message, never what is in it."""
    message_since: datetime | None
    busy: float | None
    """Which share of the last time it was handling messages, 0 to 1."""
    cell: CellView | None = field(default=None, metadata={SOMETIMES: True})
    settings: Json | None = field(default=None, metadata={SOMETIMES: True})
    """What its supervisor knows it by, and how it restarts its own children."""
    children: "list[NodeView]"


@frozen(kw_only=True)
class TaskView:
    """Where a task of the actor stands."""

    name: str
    stack: list[str]


@frozen(kw_only=True)
class NodeInFullView(NodeView):
    traceback: list[str] | None
    """Of what it died of last."""
    tasks: list[TaskView]


@frozen(kw_only=True)
class DeadLetterView:
    recipient: str
    type: str
    reason: str


@frozen(kw_only=True)
class DeadLettersView:
    count: int
    """Of all since the start."""
    letters: list[DeadLetterView]
    """The last ones."""


_declared = partial(operation, routes, at=At.GATEWAY, scope=Scope.OPERATE)


@_declared("GET", "/tree", answers={200: NodeView})
async def tree() -> Response:
    """Every actor and supervisor."""
    root, now = services().root, trio.current_time()
    shown = nested(root.tree(now), "", now, _moments(), services().cells())
    return answer(shown | {"settings": _restarting(root)})


@_declared("GET", "/tree/<path:path>", answers={200: NodeInFullView}, errors=(NotFound,))
async def one(path: str) -> Response:
    """One child and all beneath it, with what it died of last, where it stands, and its settings."""
    return answer(_in_full(find(services().root, path)))


@define
class _Nothing:
    """No query."""


@routes.websocket("/api/tree/ws")
async def live() -> None:
    """The whole tree, then whatever changes."""
    query_as(_Nothing, websocket.args)

    async def teller_for(caller: Caller) -> Teller:
        return _TreeTeller(caller)

    await follow(Scope.OPERATE, teller_for)


@define(eq=False)
class _TreeTeller(Teller):
    """One watcher. A slow one is sent less often, and all that changed meanwhile at once."""

    async def tell(self) -> Ending:
        lookout = services().lookout
        known: Views | None = None
        while True:
            views = lookout.look()
            nodes, gone = changes(known or {}, views)
            if known is None:
                await websocket.send(_message("snapshot", nodes, gone))
            elif nodes or gone:
                await websocket.send(_message("changes", nodes, gone))
            known = views
            await trio.sleep(lookout.pause)

    def last_word(self) -> str:
        return "closing"


def _message(kind: str, nodes: list[Json], gone: list[str]) -> str:
    message = {"type": kind, "at": stamp(datetime.now(UTC)), "nodes": nodes, "gone": gone}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


@_declared(
    "POST",
    f"/tree/<path:path>/<any({', '.join(Act)}):act>",
    answers={200: NodeInFullView, 204: None},
    errors=(NotFound, NotSteerable, ChildNotRunning, NotStarted, ChildRunning, NotAnActor),
)
async def steered(path: str, act: str) -> Response:
    """Do something with one child, and tell how it is then; 204 when it is gone."""
    place = find(services().root, path)
    async with recorded(f"tree.{act}", path):
        await steer(place, Act(act))
    try:
        return answer(_in_full(place))
    except NotFound:
        return no_content()


@_declared("GET", "/dead-letters", answers={200: DeadLettersView})
async def dead_letters() -> DeadLettersView:
    """The last messages that reached nobody: for whom, of what type and why, never what was in them."""
    letters = services().root.dead_letters
    views = [DeadLetterView(**attrs.asdict(letter)) for letter in letters]
    return DeadLettersView(count=letters.count, letters=views)


def _moments() -> Moments:
    moments = services().lookout.moments
    moments.keep_right()
    return moments


def _in_full(place: Place) -> Json:
    info, spec, now = place.info, place.spec, trio.current_time()
    node = next(child for child in place.supervisor.tree(now).children if child.id == place.id)
    settings = _settings(spec)
    tasks: list[Json] = []
    if isinstance(info.value, Supervisor):
        settings |= _restarting(info.value)
    else:
        stacks = place.supervisor.stacks(place.id)[:_MOST_TASKS]
        tasks = [{"name": stack.name, "stack": stack.frames} for stack in stacks]
    cause = None if info.last_exit is None else info.last_exit.cause
    return nested(node, place.path, now, _moments(), services().cells()) | {
        "traceback": None if cause is None else trace_of(cause),
        "tasks": tasks,
        "settings": settings,
    }


def _settings(spec: ChildSpec) -> Json:
    """What its supervisor knows it by. A `shutdown` of null is as long as it takes."""
    backoff, mailbox = spec.backoff, spec.mailbox() if spec.is_actor else None
    brutal = spec.shutdown_is_brutal
    return {
        "restart": spec.restart,
        "shutdown": 0 if brutal else None if spec.patience == math.inf else spec.patience,
        "startTimeout": spec.start_timeout,
        "backoff": backoff
        and {
            "min": backoff.min,
            "max": backoff.max,
            "factor": backoff.factor,
            "jitter": backoff.jitter,
            "maxFailures": backoff.max_failures,
            "onExhausted": backoff.on_exhausted,
        },
        "mailbox": mailbox and {"capacity": mailbox.capacity, "overflow": mailbox.overflow},
    }


def _restarting(supervisor: Supervisor) -> dict[str, Any]:
    """How a supervisor restarts its children."""
    return {
        "strategy": supervisor.strategy,
        "intensity": supervisor.intensity,
        "period": supervisor.period,
    }
