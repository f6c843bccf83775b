"""Chats: what is set for them, and the address book; told to companions through the synced settings."""

from typing import Any

from quart import Blueprint

from loopback.accounts import Account
from loopback.control.asked import body, chat_of, phone_of
from loopback.control.problems import FLAG, OPTIONAL, PHONE_NUMBER, TEXT, Field, Problem
from loopback.control.shown import chats_shown, contacts_shown
from loopback.network import Network
from loopback.wire.node import JID

__all__ = ["routes"]

SECONDS = Field((int, float), "must be a Unix time in seconds, 0 for no longer, -1 for ever", negative=True)
SETTINGS = {
    "chat": OPTIONAL(TEXT),
    "archived": OPTIONAL(FLAG),
    "pinned": OPTIONAL(FLAG),
    "mutedUntil": OPTIONAL(SECONDS),
    "contact": OPTIONAL(PHONE_NUMBER),
    "fullName": OPTIONAL(TEXT),
    "firstName": OPTIONAL(TEXT),
}


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("chats", __name__)

    @at.get("/phones/<number>/chats")
    async def chats(number: str) -> Any:
        return {"chats": chats_shown(network, phone_of(network, number))}

    @at.patch("/phones/<number>/settings")
    async def change(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(**SETTINGS)
        if given["chat"] is not None:
            chat = address(given["chat"])
            if given["archived"] is not None:
                phone.synced.archive(chat, archived=given["archived"])
            if given["pinned"] is not None:
                phone.synced.pin(chat, pinned=given["pinned"])
            if given["mutedUntil"] is not None:
                phone.synced.mute(chat, until=int(given["mutedUntil"]))
        if given["contact"] is not None:
            full_name = given["fullName"] or given["firstName"] or given["contact"]
            phone.name_contact(person(given["contact"]), full_name, given["firstName"] or full_name)
        return {"chats": chats_shown(network, phone), "contacts": contacts_shown(network, phone)}

    @at.get("/phones/<number>/contacts")
    async def contacts(number: str) -> Any:
        return {"contacts": contacts_shown(network, phone_of(network, number))}

    @at.post("/phones/<number>/stars")
    async def star(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(messageId=TEXT, starred=OPTIONAL(FLAG))
        known = phone.memory.known(given["messageId"])
        phone.synced.star(
            known.chat,
            known.id,
            from_me=known.from_me,
            sender=known.author,
            starred=given["starred"] is not False,
        )
        return {}

    def person(number: str) -> Account:
        account = network.accounts.by_phone(number)
        if account is None:
            raise Problem(404, "unknown-phone", "No phone has this number")
        return account

    def address(chat: str) -> JID:
        """As settings name chats: people by their numbers."""
        jid = chat_of(chat, "chat")
        account = network.accounts.resolve(jid)
        return account.pn_jid if account is not None else jid

    return at
