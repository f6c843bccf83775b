"""Calls as far as they ring: phones place, accept and refuse them, companions see it and may refuse.

Nobody can talk.
"""

import secrets
import time

from attrs import define

from loopback.accounts import PHONE, Account
from loopback.addresses import Attrs
from loopback.answers import new_id
from loopback.deliveries import Deliveries
from loopback.groups import Group
from loopback.log import log
from loopback.wire.node import Node

__all__ = ["Call", "Calls"]


@define(eq=False)
class Call:
    """One call; `state` is ringing, accepted, rejected or ended."""

    id: str
    caller: Account
    callee: Account
    started: int  # Unix seconds
    video: bool = False
    group: Group | None = None  # whose members are called
    state: str = "ringing"


class Calls:
    """The calls since this process started."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._calls: dict[str, Call] = {}

    def ring(
        self, caller: Account, callee: Account, *, video: bool = False, group: Group | None = None
    ) -> Call:
        """A phone calls somebody, whose companions ring."""
        call = Call(secrets.token_hex(16).upper(), caller, callee, int(time.time()), video, group)
        self._calls[call.id] = call
        if callee.shows("calladd", caller):
            media = [Node("audio", {"enc": "opus", "rate": 16000})]
            if video:
                media.append(Node("video", {"enc": "vp8", "dec": "vp8", "orientation": "0"}))
            if group is None:
                self._tell(call, Node("offer", self._about(call), media))
            else:
                attrs = self._about(call) | {"media": "video" if video else "audio", "type": "group"}
                self._tell(call, Node("offer_notice", attrs))
        log("call_started", phone=caller.phone, call=call.id)
        return call

    def pick_up(self, call: Call) -> None:
        """The called person's phone accepts; their companions stop ringing."""
        if call.state == "ringing":
            call.state = "accepted"
            self._tell(call, Node("accept", self._about(call)))
            self._tell(call, Node("terminate", self._about(call) | {"reason": "accepted_elsewhere"}))

    def refuse(self, call: Call, number: int = PHONE) -> None:
        """One of the called person's devices refuses; the others stop ringing."""
        if call.state == "ringing":
            call.state = "rejected"
            end = Node("terminate", self._about(call) | {"reason": "rejected_elsewhere"})
            self._tell(call, end, but=number)
            log("call_rejected", phone=call.callee.phone, call=call.id)

    def hang_up(self, call: Call) -> None:
        """Somebody ends the call, or the caller gives up."""
        if call.state in {"ringing", "accepted"}:
            reason = "timeout" if call.state == "ringing" else None
            call.state = "ended"
            self._tell(call, Node("terminate", self._about(call) | {"reason": reason}))

    def of(self, account: Account) -> list[Call]:
        """Calls from or to an account, oldest first."""
        return [call for call in self._calls.values() if account in {call.caller, call.callee}]

    def accept(self, account: Account, number: int, node: Node) -> Node:
        """Take a `call` stanza of one of the account's devices; its acknowledgement."""
        rejected = node.child("reject")
        call = self._calls.get(rejected.attr("call-id") or "") if rejected is not None else None
        if call is not None and call.callee is account:
            self.refuse(call, number)
        return Node("ack", {"class": "call", "id": node.attr("id"), "from": node.jid("to")})

    @staticmethod
    def _about(call: Call) -> Attrs:
        return {
            "call-id": call.id,
            "call-creator": call.caller.lid_jid,
            "caller_pn": call.caller.pn_jid,
            "group-jid": call.group.jid if call.group is not None else None,
        }

    def _tell(self, call: Call, child: Node, *, but: int | None = None) -> None:
        attrs: Attrs = {
            "from": call.caller.lid_jid,
            "id": new_id(),
            "t": int(time.time()),
            "notify": call.caller.name,
            "platform": "android",
            "version": "2.26.40.1",
        }
        self._deliveries.put_to_companions(call.callee, Node("call", attrs, child), but=but)
