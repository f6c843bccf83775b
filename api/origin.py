"""Whether what a browser sends along with its cookie was asked for by a page of our own.

A browser sends a cookie with whatever any page makes it ask for. SameSite=Strict keeps that within a site,
but a site is all ports of a host and all hosts of a domain. So what changes something with a cookie needs a
header besides, for which a page of another origin would have to ask our leave first; and a WebSocket, for
which no page needs anybody's leave, has to say that it comes from here.
"""

from typing import Any
from urllib.parse import urlsplit

from quart import has_websocket_context, request, websocket

from api.refusals import CsrfDenied

OWN_PAGE = "x-terzetto"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


def check_own_page() -> None:
    """Raises CsrfDenied where another's page may have sent this request, or opened this WebSocket."""
    if has_websocket_context():
        _check(websocket.headers, origin_required=True)
    elif request.method not in _READING:
        if request.headers.get(OWN_PAGE) != "1":
            raise CsrfDenied(f"Send the header {OWN_PAGE}: 1 with what changes something by a cookie.")
        check_origin()


def check_origin() -> None:
    """Raises CsrfDenied for a request that says it comes from another's page. Programs say nothing of it."""
    _check(request.headers, origin_required=False)


def is_own(origin: str, host: str) -> bool:
    """Whether a page from this origin was served by the host that it now calls, as the header Host has it.

    Host and port are compared and not the scheme: behind a proxy that ends TLS ours is http and the page's
    https. One port of a host is served by one party, so a page from there is ours.
    """
    try:
        page, ours = urlsplit(origin), urlsplit(f"//{host}")
        port, our_port = page.port or _PORTS.get(page.scheme), ours.port
    except ValueError:
        return False
    if page.hostname is None or page.hostname != ours.hostname:
        return False
    return port == our_port if our_port is not None else port in _PORTS.values()


def _check(headers: Any, *, origin_required: bool) -> None:
    origin = headers.get("origin")
    if origin is None and not origin_required:
        return
    if origin is None or not is_own(origin, headers.get("host", "")):
        raise CsrfDenied("This was sent by a page from elsewhere.")
