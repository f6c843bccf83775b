"""Calls as far as they ring: a phone calls, companions see it and may refuse. Nobody can talk."""

import secrets
import time

from attrs import define

from loopback.accounts import Account
from loopback.addresses import Attrs
from loopback.answers import new_id
from loopback.deliveries import Deliveries
from loopback.log import log
from loopback.wire.node import Node

__all__ = ["Call", "Calls"]


@define(eq=False)
class Call:
    """One call; `state` is ringing, rejected or ended."""

    id: str
    caller: Account
    callee: Account
    started: int  # Unix seconds
    state: str = "ringing"


class Calls:
    """The calls since this process started."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._calls: dict[str, Call] = {}

    def ring(self, caller: Account, callee: Account) -> Call:
        """A phone calls somebody, whose companions ring."""
        call = Call(secrets.token_hex(16).upper(), caller, callee, int(time.time()))
        self._calls[call.id] = call
        if caller.lid not in callee.blocked:
            self._tell(call, Node("offer", self._about(call), Node("audio", {"enc": "opus", "rate": 16000})))
        log("call_started", phone=caller.phone, call=call.id)
        return call

    def hang_up(self, call: Call) -> None:
        """The caller gives up."""
        if call.state == "ringing":
            call.state = "ended"
            self._tell(call, Node("terminate", self._about(call) | {"reason": "timeout"}))

    def of(self, account: Account) -> list[Call]:
        """Calls from or to an account, oldest first."""
        return [call for call in self._calls.values() if account in {call.caller, call.callee}]

    def accept(self, account: Account, node: Node) -> Node:
        """Take a `call` stanza of one of the account's devices; its acknowledgement."""
        rejected = node.child("reject")
        call = self._calls.get(rejected.attr("call-id") or "") if rejected is not None else None
        if call is not None and call.callee is account and call.state == "ringing":
            call.state = "rejected"
            log("call_rejected", phone=account.phone, call=call.id)
        return Node("ack", {"class": "call", "id": node.attr("id"), "from": node.jid("to")})

    @staticmethod
    def _about(call: Call) -> Attrs:
        return {
            "call-id": call.id,
            "call-creator": call.caller.lid_jid,
            "caller_pn": call.caller.pn_jid,
        }

    def _tell(self, call: Call, child: Node) -> None:
        attrs: Attrs = {
            "from": call.caller.lid_jid,
            "id": new_id(),
            "t": int(time.time()),
            "notify": call.caller.name,
            "platform": "android",
            "version": "2.26.40.1",
        }
        self._deliveries.put_to_companions(call.callee, Node("call", attrs, child))
