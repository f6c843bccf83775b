"""Linking a session to a phone: the QR code in five forms, or a code to type."""

import io
from datetime import datetime
from enum import StrEnum

import segno
from attrs import frozen
from quart import Blueprint, Response

from actors.errors import AlreadyRunning, NoQr, PairingRefused
from actors.session.messages import GetQr, PairWithCode, Qr
from api.answers import answer
from api.audit import recorded
from api.caller import Scope
from api.converter import unstructure
from api.fields import Phone
from api.operation import At, operation
from api.services import services

routes = Blueprint("pairing", __name__)

_CODE_WAIT = 60.0  # seconds for a stopped session to start and WhatsApp to give a code


class QrFormat(StrEnum):
    """How a QR code may be had."""

    PNG = "png"
    SVG = "svg"
    RAW = "raw"  # the text inside the code
    TEXT = "text"  # block characters for a terminal
    JSON = "json"


@frozen
class _QrQuery:
    format: QrFormat = QrFormat.PNG


@frozen(kw_only=True)
class QrView:
    code: str
    """The text inside the code."""
    expires_at: datetime
    """When WhatsApp replaces it by the next one."""


@frozen
class PairingPhone:
    phone: Phone
    """The number of the phone that the code will be typed into."""


@frozen(kw_only=True)
class PairingCodeView:
    code: str
    """`XXXX-XXXX`."""


@operation(
    routes,
    "GET",
    "/qr",
    at=At.ON_SESSION,
    scope=Scope.CONTROL,
    query=_QrQuery,
    answers={200: (QrView, "image/png", "image/svg+xml", "text/plain")},
    errors=(NoQr,),
)
async def qr(session_id: str, query: _QrQuery) -> Response:
    """The code to scan now; the header `expires` says when WhatsApp replaces it."""
    current: Qr = await services().sessions.ref(session_id).call(GetQr())
    if query.format is QrFormat.JSON:
        response = answer(unstructure(QrView(code=current.code, expires_at=current.expires_at)))
    else:
        body, content_type = render(current.code, query.format)
        response = Response(body, content_type=content_type)
    response.headers["cache-control"] = "no-store"
    response.expires = current.expires_at
    return response


@operation(
    routes,
    "POST",
    "/pairing-code",
    at=At.ON_SESSION,
    scope=Scope.CONTROL,
    body=PairingPhone,
    answers={200: PairingCodeView},
    errors=(PairingRefused, AlreadyRunning),
)
async def pairing_code(session_id: str, body: PairingPhone) -> PairingCodeView:
    """A code to type into the phone with this number. A session that is stopped is started for it."""
    asked = PairWithCode(body.phone)
    async with recorded("session.pairing_code", session_id):
        code: str = await services().sessions.ref(session_id).call(asked, timeout=_CODE_WAIT)
    return PairingCodeView(code=code)


def render(code: str, form: QrFormat) -> tuple[bytes, str]:
    """The QR code of a text in one of the forms, and its content type."""
    if form is QrFormat.RAW:
        return code.encode(), "text/plain; charset=utf-8"
    drawn = segno.make_qr(code, error="l")
    match form:
        case QrFormat.PNG:
            picture = io.BytesIO()
            drawn.save(picture, kind="png", scale=8, border=4)
            return picture.getvalue(), "image/png"
        case QrFormat.SVG:
            picture = io.BytesIO()
            drawn.save(picture, kind="svg", scale=8, border=4, xmldecl=False, dark="#000", light="#fff")
            return picture.getvalue(), "image/svg+xml"
        case _:
            text = io.StringIO()
            drawn.terminal(text, border=2, compact=True)
            return text.getvalue().encode(), "text/plain; charset=utf-8"
