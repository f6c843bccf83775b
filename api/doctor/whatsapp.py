"""The way to WhatsApp: one connection to its server, or to the proxy before it, and nothing said."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from api.config import WhatsApp
from api.doctor.finding import Finding, ok, problem

HOST, PORT = "web.whatsapp.com", 443
TIMEOUT = 5.0
"""Seconds for each address."""

_PORTS = {"socks5": 1080, "http": 80, "https": 443}


def check(whatsapp: WhatsApp, server: tuple[str, int] = (HOST, PORT)) -> Iterator[Finding]:
    """Connect once, and close again: through TLS to the `server`, or to the proxy."""
    if proxy := whatsapp.proxy or _proxy_of_the_environment():
        yield _reach_proxy(proxy)
        return
    host, port = server
    try:
        context = ssl.create_default_context(cafile=whatsapp.ca_file or None)
        with (
            socket.create_connection((host, port), TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            yield ok("whatsapp", f"{host}:{port} answers, {secured.version()}")
    except ssl.SSLCertVerificationError as error:
        yield problem(
            "whatsapp",
            f"{host}:{port} shows a certificate that is not trusted: {error.verify_message}",
            "install the system's certificates (ca-certificates), and set the clock right;"
            " if something here looks into TLS, let this connection pass it",
        )
    except FileNotFoundError:
        yield problem("whatsapp", f"ca_file {whatsapp.ca_file} is not there", "correct [whatsapp] ca_file")
    except OSError as error:
        yield _unreached(f"{host}:{port}", error)


def _reach_proxy(url: str) -> Finding:
    """Only whether it takes connections: what it lets through is between it and the client."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or not port:
        return problem(
            "whatsapp", "the proxy's URL is none", "give it as socks5://HOST:PORT or http://HOST:PORT"
        )
    where = f"the proxy {host}:{port}"
    try:
        with socket.create_connection((host, port), TIMEOUT):
            return ok("whatsapp", f"{where} takes connections")
    except OSError as error:
        return _unreached(where, error)


def _unreached(where: str, error: OSError) -> Finding:
    reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
    return problem(
        "whatsapp",
        f"{where} cannot be reached: {reason}",
        f"let this machine connect to {where} (TCP), or set [whatsapp] proxy",
    )


def _proxy_of_the_environment() -> str:
    """What the client library goes by where no proxy is configured."""
    return "" if proxy_bypass(HOST) else getproxies_environment().get("https", "")
