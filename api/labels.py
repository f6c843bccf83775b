"""Labels of WhatsApp Business, which the client library can neither read nor write: every route says so."""

from typing import NoReturn

from attrs import frozen
from quart import Blueprint

from api.access import Scope
from api.fields import Name
from api.operation import operation
from api.refusals import NotPossible

routes = Blueprint("labels", __name__)

_READING = (
    "Labels are settings that the phone shares with its devices. The client library keeps none of them, and"
    " tells nothing of their changes."
)
_WRITING = "The client library cannot write the settings that labels are kept in."


@frozen(kw_only=True)
class LabelDraft:
    name: Name
    colour: int = 0
    """One of WhatsApp's colours, by number."""


@frozen(kw_only=True)
class LabelView:
    id: str
    name: str
    colour: int


@frozen(kw_only=True)
class LabelsView:
    labels: list[LabelView]


@operation(routes, "GET", "/labels", scope=Scope.READ, answers={200: LabelsView}, errors=(NotPossible,))
async def listing(**_: object) -> NoReturn:
    """All labels. Not possible."""
    raise NotPossible(_READING)


@operation(
    routes,
    "POST",
    "/labels",
    scope=Scope.SETTINGS,
    body=LabelDraft,
    answers={201: LabelView},
    errors=(NotPossible,),
)
async def create(**_: object) -> NoReturn:
    """A new label. Not possible."""
    raise NotPossible(_WRITING)


@operation(
    routes,
    "PATCH",
    "/labels/<label_id>",
    scope=Scope.SETTINGS,
    body=LabelDraft,
    answers={200: LabelView},
    errors=(NotPossible,),
)
async def patch(**_: object) -> NoReturn:
    """Change a label's name or colour. Not possible."""
    raise NotPossible(_WRITING)


@operation(
    routes,
    "DELETE",
    "/labels/<label_id>",
    scope=Scope.SETTINGS,
    answers={204: None},
    errors=(NotPossible,),
)
async def delete(**_: object) -> NoReturn:
    """Remove a label. Not possible."""
    raise NotPossible(_WRITING)


@operation(
    routes,
    "GET",
    "/chats/<jid>/labels",
    scope=Scope.READ,
    answers={200: LabelsView},
    errors=(NotPossible,),
)
async def of_chat(**_: object) -> NoReturn:
    """A chat's labels. Not possible."""
    raise NotPossible(_READING)


@operation(
    routes,
    "PUT",
    "/chats/<jid>/labels/<label_id>",
    scope=Scope.SETTINGS,
    answers={204: None},
    errors=(NotPossible,),
)
async def put_on_chat(**_: object) -> NoReturn:
    """Put a label on a chat. Not possible."""
    raise NotPossible(_WRITING)


@operation(
    routes,
    "DELETE",
    "/chats/<jid>/labels/<label_id>",
    scope=Scope.SETTINGS,
    answers={204: None},
    errors=(NotPossible,),
)
async def take_off_chat(**_: object) -> NoReturn:
    """Take a label off a chat. Not possible."""
    raise NotPossible(_WRITING)
