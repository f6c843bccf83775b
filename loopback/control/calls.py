"""Calls as people place, accept, refuse and end them on their phones."""

from typing import Any

from quart import Blueprint

from loopback.control.asked import body, chat_of, phone_of
from loopback.control.problems import FLAG, OPTIONAL, PHONE_NUMBER, TEXT, Problem, one_of
from loopback.control.shown import call_shown
from loopback.network import Network

__all__ = ["routes"]

ACTIONS = ("accept", "reject", "end")


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("calls", __name__)

    @at.post("/phones/<number>/calls")
    async def ring(number: str) -> tuple[Any, int]:
        caller = phone_of(network, number).account
        given = await body(to=PHONE_NUMBER, video=OPTIONAL(FLAG), group=OPTIONAL(TEXT))
        callee = phone_of(network, given["to"]).account
        group = None
        if given["group"] is not None:
            group = network.groups.find(chat_of(given["group"], "group"))
            if group is None:
                raise Problem(404, "unknown-group", "There is no such group")
        call = network.calls.ring(caller, callee, video=bool(given["video"]), group=group)
        return call_shown(call), 201

    @at.get("/phones/<number>/calls")
    async def calls(number: str) -> Any:
        account = phone_of(network, number).account
        return {"calls": [call_shown(call) for call in network.calls.of(account)]}

    @at.post("/phones/<number>/calls/<call_id>")
    async def act(number: str, call_id: str) -> Any:
        account = phone_of(network, number).account
        given = await body(action=one_of(ACTIONS))
        call = next((call for call in network.calls.of(account) if call.id == call_id), None)
        if call is None:
            raise Problem(404, "unknown-call", "There is no such call")
        if given["action"] == "end":
            network.calls.hang_up(call)
        elif call.callee is not account:
            raise Problem(409, "not-called", "Only who is called accepts or refuses")
        elif given["action"] == "accept":
            network.calls.pick_up(call)
        else:
            network.calls.refuse(call)
        return call_shown(call)

    @at.delete("/phones/<number>/calls")
    async def hang_up(number: str) -> Any:
        account = phone_of(network, number).account
        ringing = [c for c in network.calls.of(account) if c.caller is account and c.state == "ringing"]
        for call in ringing:
            network.calls.hang_up(call)
        return {"ended": [call.id for call in ringing]}

    return at
