"""Signatures of webhook deliveries, as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

_PREFIX = "whsec_"


def new_secret() -> str:
    """A secret of 256 bits, in the form that receivers' libraries take."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(secrets_: Iterable[str], delivery_id: str, time: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver that has any of the secrets verifies a body sent at `time` (Unix)."""
    content = b".".join((delivery_id.encode(), str(time).encode(), body))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(time),
        "webhook-signature": " ".join(_signature(secret, content) for secret in secrets_),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
