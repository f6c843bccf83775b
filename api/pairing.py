"""Linking a session to a phone: the QR code in five forms, or a code to type."""

import io
from enum import StrEnum

import segno
from attrs import frozen
from quart import Blueprint, Response

from actors.session.messages import GetQr, PairWithCode, Qr
from api.access import Scope, admit_to_session
from api.answers import answer
from api.bodies import body_as, query_as
from api.fields import Phone
from api.routing import on_session
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


@frozen
class _PairingCode:
    phone: Phone


@on_session(routes, "GET", "/qr")
async def qr(session_id: str | None = None) -> Response:
    """The code to scan now; `expires` says when WhatsApp replaces it."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    asked = query_as(_QrQuery)
    current: Qr = await services().sessions.ref(session_id).call(GetQr())
    if asked.format is QrFormat.JSON:
        response = answer({"code": current.code, "expiresAt": current.expires_at})
    else:
        body, content_type = render(current.code, asked.format)
        response = Response(body, content_type=content_type)
    response.headers["cache-control"] = "no-store"
    response.expires = current.expires_at
    return response


@on_session(routes, "POST", "/pairing-code")
async def pairing_code(session_id: str | None = None) -> Response:
    """A code to type into the phone with this number."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    asked = await body_as(_PairingCode)
    code: str = await services().sessions.ref(session_id).call(PairWithCode(asked.phone), timeout=_CODE_WAIT)
    return answer({"code": code})


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
