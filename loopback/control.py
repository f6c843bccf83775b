"""The network's control: an HTTP API on loopback by which other processes move phones and ask for faults.

JSON in camelCase, errors as `application/problem+json`, a bearer token on every call.
"""

import base64
import binascii
import re
import secrets
from typing import Any

from google.protobuf.message import DecodeError
from quart import Response, jsonify, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from loopback import proto
from loopback.accounts import Device
from loopback.answers import Refused
from loopback.attachments import KINDS, Attachment, message_with, open_attachment
from loopback.faults import Kind
from loopback.network import Network
from loopback.pairing import PairingFailed
from loopback.phone import Phone
from loopback.problems import FLAG, NUMBER, OPTIONAL, PHONE_NUMBER, TEXT, Field, Problem, read
from loopback.shown import call_shown, deliveries_shown, fault_shown, phone_shown, received_shown, sent_shown
from loopback.signal import SignalError
from loopback.wire.node import GROUP, GROUPS, JID, PN, Node

__all__ = ["control"]

AT_ONCE = {Kind.DROP, Kind.STREAM_ERROR, Kind.REPLACED}
OBJECT = Field(dict, "must be an object")
MEDIA = {
    "kind": Field(str, f"must be one of {', '.join(KINDS)}", pattern=re.compile("|".join(KINDS))),
    "data": TEXT,
    "mimetype": TEXT,
    "fileName": OPTIONAL(TEXT),
    "caption": OPTIONAL(TEXT),
}
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


def control(network: Network, token: str) -> QuartTrio:
    """The application; callers must show the token."""
    app = QuartTrio("loopback")
    app.json.sort_keys = False  # type: ignore[attr-defined]

    @app.before_request
    def authorise() -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise Problem(401, "unauthorized", "The token is missing or wrong")

    @app.errorhandler(Problem)
    async def refuse(problem: Problem) -> Response:
        response = jsonify(problem.as_json())
        response.status_code = problem.status
        response.content_type = "application/problem+json"
        return response

    @app.errorhandler(HTTPException)
    async def refuse_http(exception: HTTPException) -> Response:
        title = exception.name
        return await refuse(Problem(exception.code or 500, title.lower().replace(" ", "-"), title))

    def phone_of(number: str) -> Phone:
        if (phone := network.phones.get(number)) is None:
            raise Problem(404, "unknown-phone", "No phone has this number")
        return phone

    async def body(**fields: Field) -> dict[str, Any]:
        return read(await request.get_json(silent=True), fields)

    # --- Phones -------------------------------------------------------------------------------------------

    @app.post("/phones")
    async def register() -> tuple[Any, int]:
        given = await body(phone=PHONE_NUMBER, name=TEXT, autoRead=OPTIONAL(FLAG))
        try:
            phone = network.register(given["phone"], given["name"], auto_read=bool(given["autoRead"]))
        except ValueError as taken:
            raise Problem(409, "number-taken", "This number has a phone already") from taken
        return phone_shown(network, phone), 201

    @app.get("/phones")
    async def phones() -> Any:
        return {"phones": [phone_shown(network, phone) for phone in network.phones.values()]}

    @app.get("/phones/<number>")
    async def one_phone(number: str) -> Any:
        return phone_shown(network, phone_of(number))

    @app.patch("/phones/<number>")
    async def change(number: str) -> Any:
        phone = phone_of(number)
        given = await body(autoRead=OPTIONAL(FLAG))
        if given["autoRead"] is not None:
            phone.auto_read = given["autoRead"]
            network.store.commit()
        return phone_shown(network, phone)

    @app.post("/phones/<number>/scan")
    async def scan(number: str) -> Any:
        phone = phone_of(number)
        given = await body(qr=TEXT)
        return await link(phone, lambda: network.pairing.scan(phone, given["qr"]))

    @app.post("/phones/<number>/enter-code")
    async def enter_code(number: str) -> Any:
        phone = phone_of(number)
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

    @app.post("/phones/<number>/unlink")
    async def unlink(number: str) -> Any:
        account = phone_of(number).account
        given = await body(device=OPTIONAL(NUMBER))
        devices = [int(given["device"])] if given["device"] is not None else account.numbers[1:]
        try:
            for device in devices:
                network.unlink(account, device)
        except LookupError as unknown:
            raise Problem(404, "unknown-device", "The phone has no such companion") from unknown
        network.store.commit()
        return {"unlinked": devices}

    # --- Messages -----------------------------------------------------------------------------------------

    @app.post("/phones/<number>/messages")
    async def write(number: str) -> tuple[Any, int]:
        phone = phone_of(number)
        given = await body(to=TEXT, message=OPTIONAL(TEXT), media=OPTIONAL(OBJECT), raw=OPTIONAL(TEXT))
        try:
            sent = phone.write(_chat(given["to"]), _content(network, given))
        except LookupError as unknown:
            raise Problem(404, "unknown-chat", "The phone cannot write there", str(unknown)) from unknown
        network.store.commit()
        return {"messageId": sent.id, "timestamp": sent.timestamp}, 201

    @app.get("/phones/<number>/messages")
    async def inbox(number: str) -> Any:
        return {"messages": [received_shown(message) for message in phone_of(number).inbox]}

    @app.get("/phones/<number>/messages/<message_id>/media")
    async def download(number: str, message_id: str) -> Response:
        phone = phone_of(number)
        try:
            message = proto.e2e.Message.FromString(phone.find(message_id).raw)
            mimetype, data = open_attachment(message, network.media)
        except LookupError as missing:
            raise Problem(404, "no-media", "There is no such file", str(missing)) from missing
        except SignalError as damaged:
            raise Problem(502, "media-damaged", "The file is damaged", str(damaged)) from damaged
        return Response(data, content_type=mimetype)

    @app.post("/phones/<number>/messages/<message_id>/read")
    async def mark_read(number: str, message_id: str) -> Any:
        try:
            phone_of(number).read(message_id)
        except LookupError as missing:
            raise Problem(404, "unknown-message", "No such message has reached the phone") from missing
        network.store.commit()
        return {}

    @app.get("/phones/<number>/sent")
    async def sent(number: str) -> Any:
        return {"messages": [sent_shown(message) for message in phone_of(number).sent]}

    @app.post("/phones/<number>/typing")
    async def typing(number: str) -> Any:
        phone = phone_of(number)
        given = await body(to=TEXT, paused=OPTIONAL(FLAG))
        state = Node("paused" if given["paused"] else "composing")
        network.presence.typing(phone.account, Node("chatstate", {"to": _chat(given["to"])}, state))
        return {}

    @app.post("/phones/<number>/calls")
    async def ring(number: str) -> tuple[Any, int]:
        phone = phone_of(number)
        given = await body(to=PHONE_NUMBER)
        call = network.calls.ring(phone.account, phone_of(given["to"]).account)
        network.store.commit()
        return call_shown(call), 201

    @app.get("/phones/<number>/calls")
    async def calls(number: str) -> Any:
        return {"calls": [call_shown(call) for call in network.calls.of(phone_of(number).account)]}

    @app.delete("/phones/<number>/calls")
    async def hang_up(number: str) -> Any:
        account = phone_of(number).account
        ringing = [c for c in network.calls.of(account) if c.caller is account and c.state == "ringing"]
        for call in ringing:
            network.calls.hang_up(call)
        network.store.commit()
        return {"ended": [call.id for call in ringing]}

    @app.post("/phones/<number>/groups")
    async def create_group(number: str) -> tuple[Any, int]:
        phone = phone_of(number)
        people = Field(list, PHONE_NUMBER.says, of=PHONE_NUMBER)
        given = await body(subject=TEXT, participants=people)
        participants = [Node("participant", {"jid": JID(person, PN)}) for person in given["participants"]]
        create = Node("create", {"subject": given["subject"]}, participants)
        try:
            group = network.administration.answer(
                phone.account, None, Node("iq", {"to": GROUPS, "type": "set"}, create)
            )
        except Refused as refused:
            raise Problem(409, "group-refused", "The group was not made", str(refused)) from refused
        network.store.commit()
        assert group is not None
        return {"group": f"{group.attr('id')}@{GROUP}"}, 201

    # --- Faults and what came of them ---------------------------------------------------------------------

    @app.post("/faults")
    async def fail() -> tuple[Any, int]:
        given = await body(**FAULT)
        try:
            kind = Kind(given["kind"])
        except ValueError as unknown:
            known = ", ".join(Kind)
            errors = [{"path": "kind", "message": f"must be one of {known}"}]
            raise Problem(422, "invalid-fields", "Some fields are not right", errors=errors) from unknown
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

    @app.get("/faults")
    async def faults() -> Any:
        return {"faults": [fault_shown(fault) for fault in network.faults.in_force()]}

    @app.delete("/faults")
    async def lift_all() -> Any:
        return {"lifted": network.faults.lift()}

    @app.delete("/faults/<int:fault_id>")
    async def lift(fault_id: int) -> Any:
        if not network.faults.lift(fault_id):
            raise Problem(404, "unknown-fault", "No such fault is in force")
        return {"lifted": 1}

    @app.get("/deliveries")
    async def deliveries() -> Any:
        number = request.args.get("phone")
        phones = list(network.phones.values()) if number is None else [phone_of(number)]
        return {"devices": [shown for phone in phones for shown in deliveries_shown(network, phone)]}

    return app


def _content(network: Network, given: dict[str, Any]) -> Any:
    """The waE2E.Message asked for: a text, a file, or whatever `raw` holds."""
    if sum(given[field] is not None for field in ("message", "media", "raw")) != 1:
        errors = [{"path": "message", "message": "exactly one of message, media and raw is required"}]
        raise Problem(422, "invalid-fields", "Some fields are not right", errors=errors)
    if given["message"] is not None:
        return proto.e2e.Message(conversation=given["message"])
    try:
        if given["raw"] is not None:
            return proto.e2e.Message.FromString(base64.b64decode(given["raw"], validate=True))
        file = read(given["media"], MEDIA)
        data = base64.b64decode(file["data"], validate=True)
    except (binascii.Error, DecodeError) as malformed:
        errors = [{"path": "raw" if given["raw"] else "media.data", "message": "is not what it should be"}]
        raise Problem(422, "invalid-fields", "Some fields are not right", errors=errors) from malformed
    attachment = Attachment(file["kind"], data, file["mimetype"], file["fileName"], file["caption"])
    return message_with(attachment, network.media)


def _chat(to: str) -> JID:
    """A phone number, or a group's address."""
    try:
        return JID.parse(to) if "@" in to else JID(to.lstrip("+"), PN)
    except ValueError as malformed:
        errors = [{"path": "to", "message": "must be a phone number or a group's address"}]
        raise Problem(422, "invalid-fields", "Some fields are not right", errors=errors) from malformed
