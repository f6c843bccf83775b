"""HTTP/1.1 for the media hosts: whole requests in, whole responses out."""

from collections.abc import Awaitable, Callable, Mapping

from attrs import field, frozen

__all__ = ["HttpRequest", "HttpResponse", "OnHttp"]


@frozen
class HttpRequest:
    """A request to a media host. Header names are in lower case; the body is whole and never shown."""

    host: str
    method: str
    target: str  # path and query, as sent
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@frozen
class HttpResponse:
    """The answer to one; the length is added."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)


OnHttp = Callable[[HttpRequest], Awaitable[HttpResponse]]
