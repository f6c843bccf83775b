"""Routes that look into the supervision tree and at the dead letters, as they are now."""

from datetime import UTC, datetime

import attrs
import trio
from quart import Blueprint, Response

from api.access import Scope, admit
from api.answers import answer
from api.services import services
from api.tree import as_json

routes = Blueprint("supervision", __name__)


@routes.get("/api/tree")
async def tree() -> Response:
    """Every actor and supervisor. Nothing is asked of them, so a stuck one is shown too."""
    await admit(Scope.ADMIN)
    return answer(as_json(services().root.tree(), trio.current_time(), datetime.now(UTC)))


@routes.get("/api/dead-letters")
async def dead_letters() -> Response:
    """The last messages that reached nobody: for whom, of what type and why, never what was in them."""
    await admit(Scope.ADMIN)
    letters = services().root.dead_letters
    return answer({"count": letters.count, "letters": [attrs.asdict(letter) for letter in letters]})
