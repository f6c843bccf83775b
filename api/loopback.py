"""The sandbox's simulated phones: `/api/loopback/…` is the loopback network's control API, behind our keys.

Outside a sandbox there is nothing here.
"""

import httpx
from attrs import frozen
from quart import Blueprint, Response, request

from actors.session.messages import GetQr, Qr
from api.access import Scope, admit
from api.bodies import body_as
from api.fields import SessionId
from api.refusals import NoSuchRoute, NotReady, UpstreamRefused
from api.services import LoopbackControl, services

routes = Blueprint("loopback", __name__, url_prefix="/api/loopback")

_TIMEOUT = 30.0  # seconds; pairing and delivery happen before the network answers


@frozen
class _Scan:
    session_id: SessionId


@routes.post("/phones/<phone>/scan")
async def scan(phone: str) -> Response:
    """Let a phone scan the QR code that a session shows now."""
    control = await _control()
    asked = await body_as(_Scan)
    qr: Qr = await services().sessions.ref(asked.session_id).call(GetQr())
    return await _forward(control, f"/phones/{_safe(phone)}/scan", json={"qr": qr.code})


@routes.route("/phones", methods=["GET", "POST"])
async def phones() -> Response:
    """The simulated phones; POST adds one."""
    return await _pass_on("/phones")


@routes.post("/phones/<phone>/<any('enter-code', 'unlink'):action>")
async def act(phone: str, action: str) -> Response:
    """Type a pairing code into a phone, or unlink a device there."""
    return await _pass_on(f"/phones/{_safe(phone)}/{action}")


@routes.route("/phones/<phone>/messages", methods=["GET", "POST"])
async def messages(phone: str) -> Response:
    """What a phone has; POST lets it send."""
    return await _pass_on(f"/phones/{_safe(phone)}/messages")


@routes.route("/faults", methods=["GET", "POST", "DELETE"])
async def faults() -> Response:
    """What goes wrong on the network on purpose."""
    return await _pass_on("/faults")


async def _control() -> LoopbackControl:
    control = services().loopback
    if control is None:
        raise NoSuchRoute
    await admit(Scope.ADMIN)
    return control


async def _pass_on(path: str) -> Response:
    control = await _control()
    content: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return await _forward(control, path, content=content)


async def _forward(
    control: LoopbackControl, path: str, *, content: bytes | None = None, json: object = None
) -> Response:
    headers = {"authorization": f"Bearer {control.token}", "content-type": "application/json"}
    # A client of its own each time: rare calls, and no pool to poison when this one is cancelled.
    async with httpx.AsyncClient(base_url=control.url, timeout=_TIMEOUT, trust_env=False) as client:
        try:
            answered = await client.request(
                request.method,
                path,
                params=request.args.to_dict(),
                content=content,
                json=json,
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise NotReady(f"The loopback network does not answer ({type(error).__name__}).") from None
    if not answered.is_success:
        raise UpstreamRefused(answered.status_code, answered.text[:500])
    return Response(answered.content, answered.status_code, content_type=answered.headers.get("content-type"))


def _safe(phone: str) -> str:
    if not (phone.isascii() and phone.isdecimal()):
        raise NoSuchRoute
    return phone
