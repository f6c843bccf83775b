"""What people show of themselves, and whom they block."""

from typing import Any

from quart import Blueprint

from loopback.accounts import Business
from loopback.addresses import Attrs
from loopback.control.asked import body, decoded, phone_of
from loopback.control.problems import ANY_TEXT, FLAG, NUMBER, OBJECT, OPTIONAL, TEXT, Field, read
from loopback.control.shown import phone_shown
from loopback.network import Network
from loopback.phone import Phone
from loopback.wire.node import JID, PN, Node

__all__ = ["routes"]

BUSINESS = {"name": TEXT} | dict.fromkeys(
    ("description", "category", "address", "email", "website"), OPTIONAL(TEXT)
)
PROFILE = {
    "autoRead": OPTIONAL(FLAG),
    "name": OPTIONAL(TEXT),
    "about": OPTIONAL(ANY_TEXT),
    "privacy": OPTIONAL(OBJECT),
    "disappearingSeconds": OPTIONAL(NUMBER),
    "business": OPTIONAL(OBJECT),
}


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("profiles", __name__)

    @at.patch("/phones/<number>")
    async def change(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(**PROFILE)
        if given["autoRead"] is not None:
            phone.auto_read = given["autoRead"]
        if given["name"] is not None:
            phone.rename(given["name"])
        if given["about"] is not None:
            network.profiles.set_about(phone.account, {"input": {"text": given["about"]}})
        if given["privacy"] is not None:
            network.profiles.set_privacy(phone.account, read(given["privacy"], _texts(given["privacy"])))
        if given["disappearingSeconds"] is not None:
            network.profiles.set_disappearing(phone.account, int(given["disappearingSeconds"]))
        if given["business"] is not None:
            shown = read(given["business"], BUSINESS)
            rest = {name: value for name, value in shown.items() if value is not None}
            phone.become_business(Business(certificate=b"", **rest))
        return phone_shown(network, phone)

    @at.put("/phones/<number>/picture")
    async def picture(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(data=TEXT)
        set_picture(phone, Node("picture", {"type": "image"}, decoded(given["data"], "data")))
        return phone_shown(network, phone)

    @at.delete("/phones/<number>/picture")
    async def no_picture(number: str) -> Any:
        phone = phone_of(network, number)
        set_picture(phone, None)
        return phone_shown(network, phone)

    @at.put("/phones/<number>/blocked/<other>")
    async def block(number: str, other: str) -> Any:
        return blocked(phone_of(network, number), other, "block")

    @at.delete("/phones/<number>/blocked/<other>")
    async def unblock(number: str, other: str) -> Any:
        return blocked(phone_of(network, number), other, "unblock")

    def set_picture(phone: Phone, picture: Node | None) -> None:
        network.pictures.answer(phone.account, None, Node("iq", {"type": "set"}, picture))

    def blocked(phone: Phone, other: str, action: str) -> Any:
        attrs: Attrs = {"jid": JID(other, PN), "action": action}
        network.profiles.blocklist(phone.account, None, Node("iq", {"type": "set"}, Node("item", attrs)))
        return phone_shown(network, phone)

    return at


def _texts(given: dict[str, Any]) -> dict[str, Field]:
    """Any names, each with a text: which ones there are the network says."""
    return dict.fromkeys(given, TEXT)
