"""The media host: files by the hash of their bytes (encrypted, channels' excepted), and where they lie."""

import base64
import hashlib
import json
import secrets
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from loopback.accounts import Account, Device
from loopback.addresses import Attrs
from loopback.faults import Faults, Kind
from loopback.wire.http import HttpRequest, HttpResponse
from loopback.wire.node import Node

__all__ = ["HOST", "PICTURE_HOST", "PLAIN", "Media"]

HOST = "mmg.whatsapp.net"
PICTURE_HOST = "pps.whatsapp.net"
PLAIN = "newsletter-"  # files for channels, which are not encrypted
LIFETIME = 3600  # seconds a device may use what it was told


class Media:
    """Files in a directory, or in memory without one."""

    def __init__(self, directory: Path | None, faults: Faults) -> None:
        self._directory = directory
        self._faults = faults
        self._files: dict[str, bytes] = {}
        self._tickets: set[str] = set()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Tell a device where to upload (`w:m`)."""
        del account, device, iq
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        attrs: Attrs = {
            "auth": ticket,
            "ttl": LIFETIME,
            "auth_ttl": LIFETIME,
            "max_buckets": 12,
            "max_auto_download_retry": 3,
            "max_manual_retry": 3,
        }
        return Node("media_conn", attrs, Node("host", {"hostname": HOST, "type": "primary"}))

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to one of the media hosts."""
        if (fault := self._faults.strike(Kind.MEDIA_ERROR, None)) is not None:
            return HttpResponse(fault.code or 503)
        url = urlsplit(request.target)
        match request.method, url.path.strip("/").split("/"):
            case "POST", ["mms" | "newsletter", kind, token] if (
                parse_qs(url.query).get("auth", [""])[0] in self._tickets
            ):
                return self._upload(kind, token, request.body)
            case "POST", _:
                return HttpResponse(401)
            case "GET", _:
                data = self.at(request.target)
                return HttpResponse(404) if data is None else HttpResponse(200, {}, data)
            case "DELETE", _:
                return HttpResponse(200)  # a device is done with a file of its history; others may not be
            case _:
                return HttpResponse(404)

    def store(self, kind: str, data: bytes) -> str:
        """Keep a file; the path (`direct_path`) under which it is found."""
        token = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        if self._directory is not None:
            (self._directory / f"{kind}.{token}").write_bytes(data)
        else:
            self._files[f"{kind}.{token}"] = data
        # whatsmeow appends its own parameters with an ampersand: there must be a question mark already.
        return f"/v/{kind}/{token}?ccb=11-4&oh=loopback"

    def at(self, path: str) -> bytes | None:
        """The file that a direct path, with or without a client's additions, leads to."""
        match urlsplit(path).path.strip("/").split("/"):
            case ["v", kind, token] if self._directory is None:
                return self._files.get(f"{kind}.{token}")
            case ["v", kind, token] if self._directory is not None:
                file = self._directory / f"{kind}.{token}"
                return file.read_bytes() if file.is_file() else None
            case _:
                return None

    def _upload(self, kind: str, token: str, data: bytes) -> HttpResponse:
        claimed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if claimed != hashlib.sha256(data).digest() or not kind.replace("-", "").isalnum():
            return HttpResponse(400)
        path = self.store(kind, data)
        answer = {"url": f"https://{HOST}{path}", "direct_path": path}
        if kind.startswith(PLAIN):
            answer["handle"] = secrets.token_urlsafe(24)
        return HttpResponse(200, {"content-type": "application/json"}, json.dumps(answer).encode())
