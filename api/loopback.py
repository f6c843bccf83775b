"""The sandbox's simulated phones: `/api/loopback/…` is the loopback network's control API, behind our keys.

Outside a sandbox there is nothing here.
"""

import re

import httpx
from attrs import frozen
from quart import Blueprint, Response, request

from actors.session.messages import GetQr, Qr
from api.access import admit
from api.bodies import body_as
from api.caller import Scope
from api.checks import MismatchError
from api.fields import MessageText, SessionId
from api.refusals import NoSuchRoute, NotReady, UpstreamRefused
from api.services import LoopbackControl, services

routes = Blueprint("loopback", __name__, url_prefix="/api/loopback")

_TIMEOUT = 60.0  # seconds; a scan is answered when the client is linked
_PLAIN = re.compile(r"(phones|faults)(/[A-Za-z0-9_-]{1,64}){0,4}")


@frozen(kw_only=True)
class _Scan:
    session_id: SessionId | None = None
    qr: MessageText | None = None

    def __attrs_post_init__(self) -> None:
        if (self.session_id is None) == (self.qr is None):
            raise MismatchError("give exactly one of sessionId and qr", path="sessionId")


@routes.post("/phones/<phone>/scan")
async def scan(phone: str) -> Response:
    """Let a phone scan the QR code that a session shows now, or one that is given."""
    control = await _control(path := f"phones/{phone}/scan")
    asked = await body_as(_Scan)
    code: str | None = asked.qr
    if asked.session_id is not None:
        shown: Qr = await services().sessions.ref(asked.session_id).call(GetQr())
        code = shown.code
    return await _forward(control, path, json={"qr": code})


@routes.route("/<path:path>", methods=["GET", "POST", "PATCH", "DELETE"])
async def pass_on(path: str) -> Response:
    """Everything else goes to the network as it is: its phones, their messages, the faults it is to have."""
    control = await _control(path)
    content: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return await _forward(control, path, content=content)


async def _control(path: str) -> LoopbackControl:
    control = services().loopback
    if control is None or _PLAIN.fullmatch(path) is None:
        raise NoSuchRoute
    await admit(Scope.ADMIN)
    return control


async def _forward(
    control: LoopbackControl, path: str, *, content: bytes | None = None, json: object = None
) -> Response:
    headers = {"authorization": f"Bearer {control.token}", "content-type": "application/json"}
    # A client of its own each time: rare calls, and no pool to spoil when this one is cancelled.
    async with httpx.AsyncClient(base_url=control.url, timeout=_TIMEOUT, trust_env=False) as network:
        try:
            answered = await network.request(
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
        raise UpstreamRefused(answered.status_code, _detail(answered))
    return Response(answered.content, answered.status_code, content_type=answered.headers.get("content-type"))


def _detail(refused: httpx.Response) -> str:
    """The network's own words: of its problem document, or as they are."""
    try:
        problem = refused.json()
        return str(problem["detail"] or problem["title"])
    except (ValueError, KeyError, TypeError):
        return refused.text[:500]
