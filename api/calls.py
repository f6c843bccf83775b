"""Calls: they can be declined, and nothing else."""

from attrs import frozen
from quart import Blueprint

from actors.session.calls import rejected
from actors.session.keys import phone_first
from actors.whatsapp.client import Client
from api.caller import Scope
from api.fields import Address
from api.operation import impossible, operation
from api.performing import PERFORMING, jid_of, perform
from api.refusals import InvalidJid
from api.services import services
from storage.writes import Append

routes = Blueprint("calls", __name__)


@frozen(kw_only=True)
class Caller:
    from_: Address
    """Who calls, as `from` or `fromAlt` of the `call` event has it, or a phone number."""


@operation(
    routes,
    "POST",
    "/calls/<call_id>/reject",
    scope=Scope.SEND,
    body=Caller,
    answers={204: None},
    errors=(*PERFORMING, InvalidJid),
)
async def reject(session_id: str, call_id: str, body: Caller) -> None:
    """Decline a call that was offered; a `call` event with the stage `rejected` follows.

    WhatsApp gives no answer: a call that is over is declined without an error.
    """
    caller = jid_of(body.from_)

    async def decline(client: Client) -> tuple[str, str | None]:
        lid = await client.lid_of(caller) if not caller.endswith("@lid") else caller
        await client.reject_call(lid or caller, call_id)  # calls come from LIDs
        return phone_first(lid or caller, await client.phone_of(lid) if lid else None)

    event = rejected(call_id, *await perform(session_id, "call.reject", decline))
    await services().writer.cast(Append(session_id, (event,)))


impossible(
    routes,
    "POST",
    "/calls",
    scope=Scope.SEND,
    summary="Call somebody.",
    why="The client library cannot make calls, nor carry voice or video.",
)
