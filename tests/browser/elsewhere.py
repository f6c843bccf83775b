"""Another party on this machine: pages of an origin that is not ours, and an endpoint for webhooks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field


@define(eq=False)
class Elsewhere:
    """What it shows by path, and what it was sent."""

    port: int = 0
    pages: dict[str, str] = field(factory=dict)
    answer: int = 200
    """The status that a POST is answered with."""
    posted: list[Any] = field(factory=list)
    """Bodies of what was posted, parsed."""

    @property
    def url(self) -> str:
        """Another origin than the gateway's, and of the same site: sites do not differ by port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def foreign_url(self) -> str:
        """The same pages as another site."""
        return f"http://localhost:{self.port}"

    def show(self, path: str, html: str) -> None:
        self.pages[path] = html


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """A server on a free port."""
    party = Elsewhere(pages={"/": "<h1>Elsewhere</h1>"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = party.pages.get(self.path.partition("?")[0])
            self._answer(404 if page is None else 200, (page or "").encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            party.posted.append(json.loads(body))
            self._answer(party.answer, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    party.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield party
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
