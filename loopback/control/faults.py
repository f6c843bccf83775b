"""Faults asked for and lifted, and the records for those who count losses and watch who logs in."""

from typing import Any

from attrs import asdict
from quart import Blueprint, request

from loopback.control.asked import body, invalid, phone_of
from loopback.control.problems import NUMBER, OPTIONAL, PHONE_NUMBER, TEXT, Problem
from loopback.control.shown import deliveries_shown, fault_shown, login_shown
from loopback.faults import Kind
from loopback.network import Network

__all__ = ["routes"]

AT_ONCE = {Kind.DROP, Kind.STREAM_ERROR, Kind.REPLACED}
FAULT = {
    "kind": TEXT,
    "phone": OPTIONAL(PHONE_NUMBER),
    "code": OPTIONAL(NUMBER),
    "delayMs": OPTIONAL(NUMBER),
    "count": OPTIONAL(NUMBER),
    "durationMs": OPTIONAL(NUMBER),
    "banCode": OPTIONAL(NUMBER),
    "banSeconds": OPTIONAL(NUMBER),
}


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("faults", __name__)

    @at.post("/faults")
    async def fail() -> tuple[Any, int]:
        given = await body(**FAULT)
        try:
            kind = Kind(given["kind"])
        except ValueError as unknown:
            raise invalid("kind", f"must be one of {', '.join(Kind)}") from unknown
        code = None if given["code"] is None else int(given["code"])
        if kind in AT_ONCE:
            return {"kind": kind, "struck": await network.strike_now(kind, given["phone"], code)}, 200
        fault = network.faults.add(
            kind,
            phone=given["phone"],
            code=code,
            delay_ms=int(given["delayMs"] or 0),
            ban_code=int(given["banCode"] or 101),
            ban_seconds=None if given["banSeconds"] is None else int(given["banSeconds"]),
            count=None if given["count"] is None else int(given["count"]),
            duration=None if given["durationMs"] is None else given["durationMs"] / 1000,
        )
        return fault_shown(fault), 201

    @at.get("/faults")
    async def faults() -> Any:
        return {"faults": [fault_shown(fault) for fault in network.faults.in_force()]}

    @at.delete("/faults")
    async def lift_all() -> Any:
        return {"lifted": network.faults.lift()}

    @at.delete("/faults/<int:fault_id>")
    async def lift(fault_id: int) -> Any:
        if not network.faults.lift(fault_id):
            raise Problem(404, "unknown-fault", "No such fault is in force")
        return {"lifted": 1}

    @at.get("/deliveries")
    async def deliveries() -> Any:
        number = request.args.get("phone")
        phones = list(network.phones.values()) if number is None else [phone_of(network, number)]
        return {"devices": [shown for phone in phones for shown in deliveries_shown(network, phone)]}

    @at.get("/logins")
    async def logins() -> Any:
        after, number = request.args.get("after", "0"), request.args.get("phone")
        if not after.isdecimal():
            raise invalid("after", "must be the number of a login")
        phone = None if number is None else phone_of(network, number).account.phone
        return {"logins": [login_shown(login) for login in network.logins.since(int(after), phone)]}

    @at.get("/attempts")
    async def attempts() -> Any:
        since = _since(request.args.get("since", "0"))
        return {
            "connections": [at for at in network.attempts.connections if at >= since],
            "logins": [asdict(login) for login in network.attempts.logins if login.at >= since],
        }

    return at


def _since(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise invalid("since", "must be Unix seconds") from None
