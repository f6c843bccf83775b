"""What schemathesis has to be told of the API beyond its description; loaded by schemathesis.toml."""

import json
import re
from typing import Any
from uuid import uuid4

import schemathesis

_HOST = re.compile(r"(?<=://)(?!chat\.whatsapp\.com)[^/?#\s]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
_SOMETIME = {
    "sendAt": "2097-01-01T00:00:00Z",
    "expiresAt": "2098-01-01T00:00:00Z",
    "startsAt": "2097-01-01T00:00:00Z",
    "endsAt": "2098-01-01T00:00:00Z",
}

_BEYOND_SCHEMAS = re.compile(
    r"cursor|cannot be looked for"  # only the gateway makes those that are good
    r"|printable characters|expected a message's id"  # of all Unicode
    r"|U\+0000|lone surrogates"  # anywhere in a text
    r"|an http, https or socks5 URL|an http or https URL"  # what may be a host
    r"|an IP address or a network"
    r"|an ISO 8601 time"  # of those in RFC 3339, no leap second, and no year 0
    r"|more than there are options|expected 1 to 100 rows in all"  # no two fields are compared
    r"|expected at most 16"  # of a free object: characters and levels
    r"|an array of at most 1024 phone numbers"  # in a form for a union its JSON is sent in parts
    r"|a session's key cannot have the scopes|is for viewers only"  # by what is stored
)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Requests that stay on this machine, and that no other request and no moment stands in the way of."""
    if key := case.headers.get("Idempotency-Key"):
        # One that comes again with another request is refused, as it should be.
        case.headers["Idempotency-Key"] = f"{uuid4().hex}{key}"[: max(len(key), 32)]
    if isinstance(case.body, dict | list):
        body = _here(case.body)
        if body != case.body:
            case.body = body


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one: not where a value was refused by a rule that JSON Schema has no words for."""
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = json.loads(response.content)
    wrong = [each["message"] for each in problem.get("errors", ())]
    return not wrong or not all(_BEYOND_SCHEMAS.search(each) for each in wrong)


def _here(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {key: _here(inner, key) for key, inner in value.items()}
        case list():
            return [_here(inner) for inner in value]
        case str() if "://" in value:
            return _HOST.sub("127.0.0.1:9", value)
        case str() if name in _SOMETIME and _MOMENT.match(value):
            return _SOMETIME[name]
        case _:
            return value
