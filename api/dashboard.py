"""The dashboard's files: the page at `/`, and what it loads below `/ui/`. Who may see what, the API decides.

They are read once, and sent zipped to who takes that. Their names never change and their contents do with a
new version, so a browser asks each time whether what it has is still good (ETag).
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from attrs import field, frozen
from quart import Blueprint, Response, request

from api.refusals import NoSuchRoute

routes = Blueprint("dashboard", __name__)

_FILES = Path(__file__).parent / "pages" / "dashboard"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-cache",
    "vary": "accept-encoding",
}


@frozen
class _File:
    content: bytes = field(repr=False)
    zipped: bytes = field(repr=False)
    kind: str
    tag: str


@routes.get("/")
async def page() -> Response:
    """The dashboard, which is one page."""
    return _sent("index.html")


@routes.get("/ui/<path:name>")
async def file(name: str) -> Response:
    """What it loads."""
    return _sent(name)


@cache
def _files() -> dict[str, _File]:
    found = (path for path in _FILES.rglob("*") if path.suffix in _TYPES)
    return {str(path.relative_to(_FILES)): _read(path) for path in found}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(
        content,
        gzip.compress(content, mtime=0),
        _TYPES[path.suffix],
        hashlib.sha256(content).hexdigest()[:32],
    )


def _sent(name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise NoSuchRoute
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(found.zipped if zipped else found.content, content_type=found.kind)
    response.headers.update(_HEADERS)
    if zipped:
        response.headers["content-encoding"] = "gzip"
    # Weak: the same file either way.
    response.set_etag(found.tag, weak=True)
    if request.if_none_match.contains_weak(found.tag):
        response.status_code = 304
        response.set_data(b"")
    return response
