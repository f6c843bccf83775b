"""Phones: registered, looked at, and the companions that are linked to them."""

from typing import Any

from quart import Blueprint

from loopback.accounts import Device
from loopback.control.asked import body, phone_of
from loopback.control.problems import FLAG, NUMBER, OPTIONAL, PHONE_NUMBER, TEXT, Problem
from loopback.control.shown import phone_shown
from loopback.network import Network
from loopback.pairing import PairingFailed
from loopback.phone import Phone

__all__ = ["routes"]


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("phones", __name__)

    @at.post("/phones")
    async def register() -> tuple[Any, int]:
        given = await body(phone=PHONE_NUMBER, name=TEXT, autoRead=OPTIONAL(FLAG))
        try:
            phone = network.register(given["phone"], given["name"], auto_read=bool(given["autoRead"]))
        except ValueError as taken:
            raise Problem(409, "number-taken", "This number has a phone already") from taken
        return phone_shown(network, phone), 201

    @at.get("/phones")
    async def phones() -> Any:
        return {"phones": [phone_shown(network, phone) for phone in network.phones.values()]}

    @at.get("/phones/<number>")
    async def one_phone(number: str) -> Any:
        return phone_shown(network, phone_of(network, number))

    @at.post("/phones/<number>/scan")
    async def scan(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(qr=TEXT)
        return await link(phone, lambda: network.pairing.scan(phone, given["qr"]))

    @at.post("/phones/<number>/enter-code")
    async def enter_code(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(code=TEXT)
        return await link(phone, lambda: network.pairing.enter_code(phone, given["code"]))

    async def link(phone: Phone, attempt: Any) -> Any:
        try:
            device: Device = await attempt()
        except PairingFailed as failed:
            status = 422 if failed.code.startswith("malformed") else 409
            raise Problem(status, failed.code, "The companion was not linked", str(failed)) from failed
        account = phone.account
        return {
            "device": device.number,
            "jid": str(account.pn_jid.with_device(device.number)),
            "lid": str(account.lid_jid.with_device(device.number)),
        }

    @at.post("/phones/<number>/unlink")
    async def unlink(number: str) -> Any:
        account = phone_of(network, number).account
        given = await body(device=OPTIONAL(NUMBER))
        devices = [int(given["device"])] if given["device"] is not None else account.numbers[1:]
        try:
            for device in devices:
                network.unlink(account, device)
        except LookupError as unknown:
            raise Problem(404, "unknown-device", "The phone has no such companion") from unknown
        return {"unlinked": devices}

    @at.post("/phones/<number>/presence")
    async def presence(number: str) -> Any:
        account = phone_of(network, number).account
        given = await body(available=FLAG)
        network.presence.set_phone(account, available=given["available"])
        return {}

    return at
