"""Connections on behalf of others, to addresses that were judged; and why one failed, without an address.

A name is looked up once for a connection, and the address that was judged is the one that is connected to: a
name that leads elsewhere a moment later leads nowhere.
"""

import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address

import httpcore
import httpx
import trio

from actors.egress import Egress

_NO_NAME = "the name was not found"

FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
    ssl.SSLError,
)
"""What a request may raise when it is not answered, `words` for each."""


class Guarded(httpcore.AsyncNetworkBackend):
    """Makes connections to permitted addresses only. Raises UrlForbidden where a name leads to none."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._inner = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            with trio.fail_after(timeout or float("inf")):
                found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except trio.TooSlowError:
            raise httpcore.ConnectTimeout from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(_NO_NAME) from None
        address = self._egress.permitted([ip_address(str(each[4][0]).partition("%")[0]) for each in found])
        return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


def target(url: str) -> httpcore.URL:
    """The URL as it is requested. Raises httpx.InvalidURL."""
    parsed = httpx.URL(url)  # international names become those of the DNS
    return httpcore.URL(
        scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
    )


def words(error: BaseException) -> str:
    """Why a request was not answered, in words that tell nothing of our network."""
    match error:
        case trio.TooSlowError() | httpcore.ReadTimeout():
            return "no answer in time"
        case httpcore.ConnectTimeout():
            return "no connection in time"
        case httpcore.ConnectError(args=(text,)) if text == _NO_NAME:
            return _NO_NAME
        case httpcore.ConnectError():
            return "the certificate is not trusted" if _untrusted(error) else "no connection"
        case httpcore.RemoteProtocolError() | httpcore.ReadError():
            return "the connection broke off"
        case _:
            return type(error).__name__


def _untrusted(error: BaseException | None) -> bool:
    """Whether the endpoint's certificate is at the bottom of it."""
    return error is not None and (
        isinstance(error, ssl.SSLCertVerificationError) or _untrusted(error.__cause__ or error.__context__)
    )
