"""Whom to believe over TLS."""

import ssl
from functools import cache

import httpx

__all__ = ["trusted"]


@cache
def trusted() -> ssl.SSLContext:
    """For connections to others: the certificates that the machine, or SSL_CERT_FILE, says are good.

    One for the whole process, for they take 20 ms to read.
    """
    context: ssl.SSLContext = httpx.create_ssl_context()
    return context
