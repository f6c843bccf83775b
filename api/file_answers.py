"""A stored file as an answer: whole or a range of it, part by part, and never as a page in a browser."""

import re
from urllib.parse import quote

from quart import Response, request
from werkzeug.datastructures import Headers

from api.refusals import RangeOutside
from api.services import services
from storage.media import MediaFile

OCTETS = "application/octet-stream"
ANY = "*/*"
"""The media type of such an answer, as a route declares it."""

# What a browser may show by itself. Anything else is saved, and what it could run is not even named.
_SHOWN = re.compile(r"image/(jpeg|png|gif|webp)|(audio|video)/[a-z0-9.+-]+")
_NAMED = re.compile(
    r"application/(pdf|zip|msword|vnd\.(openxmlformats|oasis|ms-)[a-z0-9.+-]*)|text/(plain|csv)"
)


def file_answer(file: MediaFile) -> Response:
    """The answer to a GET or HEAD of a file, as Range, If-Range and If-None-Match ask.

    Raises RangeOutside.
    """
    headers = _headers(file)
    if request.if_none_match.contains_weak(file.sha256.hex()):
        return Response(b"", 304, headers)
    start, end = _asked(file)
    status = 200
    if (start, end) != (0, file.size):
        status = 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    body = b"" if request.method == "HEAD" else services().media.read(file, start, end)
    response = Response(body, status, headers)
    response.headers["content-length"] = str(end - start)
    return response


def _asked(file: MediaFile) -> tuple[int, int]:
    """From where up to where; everything unless one range is asked for, of this very file."""
    asked, condition = request.range, request.if_range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return 0, file.size
    if condition.date is not None or condition.etag not in {None, file.sha256.hex()}:
        return 0, file.size
    found = asked.range_for_length(file.size)
    if found is None:
        raise RangeOutside(file.size)
    return found


def _headers(file: MediaFile) -> Headers:
    kind = file.mime_type.partition(";")[0]
    shown = _SHOWN.fullmatch(kind) is not None
    return Headers(
        {
            "content-type": file.mime_type if shown or _NAMED.fullmatch(kind) else OCTETS,
            "content-disposition": _disposition("inline" if shown else "attachment", file.file_name),
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            "etag": f'"{file.sha256.hex()}"',
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
        }
    )


def _disposition(kind: str, name: str | None) -> str:
    if not name:
        return kind
    name = re.split(r"[/\\]", name)[-1]  # strangers name their files
    plain = re.sub(r'[^ -~]|["%]', "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
