"""Routes that look into the supervision tree, live too, and steer it; and the dead letters.

Looking asks no actor anything, so a stuck one is shown as well.
"""

import json
import math
from datetime import UTC, datetime
from typing import Any

import attrs
import trio
from attrs import define
from quart import Blueprint, Response, websocket

from actors.envelope import stamp
from api.access import Scope, admit
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import query_as
from api.causes import trace_of
from api.following import Ending, Teller, follow
from api.lookout import Views, changes
from api.nodes import Moments, nested
from api.refusals import NotFound
from api.services import services
from api.steering import Act, Place, find, steer
from runtime import ChildSpec, Supervisor
from storage.rows import Json, Key

routes = Blueprint("supervision", __name__)

_MOST_TASKS = 50


@routes.get("/api/tree")
async def tree() -> Response:
    """Every actor and supervisor."""
    await admit(Scope.ADMIN)
    root, now = services().root, trio.current_time()
    shown = nested(root.tree(now), "", now, _moments(), services().cells())
    return answer(shown | {"settings": _restarting(root)})


@routes.get("/api/tree/<path:path>")
async def one(path: str) -> Response:
    """One child and all beneath it, with what it died of last, where it stands, and its settings."""
    await admit(Scope.ADMIN)
    return answer(_in_full(find(services().root, path)))


@define
class _Nothing:
    """No query."""


@routes.websocket("/api/tree/ws")
async def live() -> None:
    """The whole tree, then whatever changes."""
    query_as(_Nothing, websocket.args)

    async def teller_for(key: Key) -> Teller:
        return _TreeTeller(key)

    await follow(Scope.ADMIN, teller_for)


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


@routes.post(f"/api/tree/<path:path>/<any({', '.join(Act)}):act>")
async def steered(path: str, act: str) -> Response:
    """Do something with one child, and tell how it is then; 204 when it is gone."""
    await admit(Scope.ADMIN)
    place = find(services().root, path)
    async with recorded(f"tree.{act}", path):
        await steer(place, Act(act))
    try:
        return answer(_in_full(place))
    except NotFound:
        return no_content()


@routes.get("/api/dead-letters")
async def dead_letters() -> Response:
    """The last messages that reached nobody: for whom, of what type and why, never what was in them."""
    await admit(Scope.ADMIN)
    letters = services().root.dead_letters
    return answer({"count": letters.count, "letters": [attrs.asdict(letter) for letter in letters]})


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
