"""The API's description in OpenAPI 3.1, made of the declarations that the routes themselves run by."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from actors import errors as session
from api import refusals
from api.access import COOKIE
from api.errors import problem_kind
from api.examples import example
from api.multipart import Part, parts_expected, takes_file
from api.operation import OPERATIONS, At, Operation, Where
from api.schemas import FILE, REF, Schemas
from runtime import ActorDied, ActorGone, CallTimeout, MailboxFull
from storage.errors import DatabaseUnavailable
from storage.rows import Json

_PART = re.compile(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>")
"""A part of a rule: its kind, that one's arguments, its name."""

RESPONSES = "#/components/responses/"

_ANYWHERE: tuple[type[Exception], ...] = (
    refusals.KeyMissing,
    refusals.KeyInvalid,
    refusals.KeyExpired,
    refusals.KeyRevoked,
    refusals.SignInExpired,
    refusals.ScopeDenied,
    refusals.AddressDenied,
    refusals.CsrfDenied,
    DatabaseUnavailable,
    MailboxFull,
)
_IN_A_SESSION = (session.SessionNotFound, refusals.ValidationFailed, ActorDied, ActorGone, CallTimeout)
_DONE_ELSEWHERE = {
    Where.SESSION: (session.SessionRestarting, refusals.NodeSilent),
    Where.WEBHOOKS: (refusals.NotReady, refusals.NodeSilent),
    Where.SINKS: (refusals.NotReady, refusals.NodeSilent),
    Where.ANY: (),
}
_WITH_A_BODY = (
    refusals.InvalidJson,
    refusals.ValidationFailed,
    refusals.ContentTypeUnsupported,
    RequestEntityTooLarge,
)
_WITH_PARTS = (refusals.NoSuchRoute, MethodNotAllowed)
"""A part that is none, or has a slash, makes another path."""
_ONCE_ONLY = (refusals.KeyReused, refusals.KeyInProgress, refusals.AnswerLost, refusals.ValidationFailed)

_ABOUT = """
A WhatsApp gateway for many numbers at once. Every call carries an API key in `x-api-key`, or the cookie of a
browser in which somebody has signed in. A session's own key acts on its session; a key of no session names
one in the path or in `x-session-id`. What changes something by the cookie needs the header `x-terzetto: 1`.

Errors are problem documents (RFC 9457): go by `code`. Whatever changes something takes an `Idempotency-Key`,
unless it carries a password.
"""

_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Which problem it is, for programs."},
        "requestId": {"type": "string", "description": "As in the header x-request-id, and in the log."},
        "sessionId": {"type": "string"},
        "messageId": {"type": "string"},
        "whatsappCode": {"type": "integer", "description": "WhatsApp's own code for it."},
        "retryAfterMs": {"type": "integer"},
        "until": {"type": "string", "format": "date-time"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def description(version: str) -> Json:
    """The whole document, of all routes declared by now."""
    schemas = Schemas()
    schemas.components["Problem"] = _PROBLEM
    paths: dict[str, Json] = defaultdict(dict)
    for declared in OPERATIONS:
        for number, rule in enumerate(declared.rules):
            paths[_path(rule)][declared.method.lower()] = _operation(declared, rule, number, schemas)
    _exemplify(paths, schemas.components)
    problems = _shared(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Terzetto", "version": version, "description": _ABOUT.strip()},
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}, {"cookie": []}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in OPERATIONS)],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "responses": problems,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _exemplify(paths: dict[str, Json], components: dict[str, Json]) -> None:
    """Put an example beside each schema of JSON, now that all objects are known."""
    for methods in paths.values():
        for operation in methods.values():
            for carried in (operation.get("requestBody", {}), *operation["responses"].values()):
                if schema := carried.get("content", {}).get("application/json", {}).get("schema"):
                    carried["content"]["application/json"]["example"] = example(schema, components)


def _shared(paths: dict[str, Json]) -> dict[str, Json]:
    """What goes wrong in many operations in the same way, by name; they refer to it."""
    names: dict[str, str] = {}
    shared: dict[str, Json] = {}
    for methods in paths.values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if answer.get("content", {}).keys() == {"application/problem+json"}:
                    name = names.setdefault(json.dumps(answer), f"Problem{status}-{len(names) + 1}")
                    shared[name] = answer
                    operation["responses"][status] = {"$ref": f"{RESPONSES}{name}"}
    return shared


def _path(rule: str) -> str:
    return _PART.sub(lambda found: "{" + found[3] + "}", rule)


def _operation(declared: Operation, rule: str, number: int, schemas: Schemas) -> Json:
    summary, _, more = declared.about.partition("\n\n")
    scope = "a key" if declared.scope is None else f"the scope `{declared.scope}`"
    needs = "No key is asked for." if declared.at is At.ROOT else f"Needs {scope}."
    lacks = "" if declared.lacks is None else f"Not possible: {declared.lacks}"
    found: Json = {
        "operationId": f"{declared.tag}_{declared.name}" + ("_of_session" if number else ""),
        "tags": [declared.tag],
        "summary": " ".join(summary.split()).removesuffix("."),
        "description": "\n\n".join(filter(None, (more, lacks, needs))),
        "parameters": list(_parameters(declared, rule, number, schemas)),
        "responses": dict(sorted(_responses(declared, rule, schemas).items())),
    }
    if declared.at is At.ROOT:
        found["security"] = []
    if declared.lacks is not None:
        found["x-not-possible"] = declared.lacks
    if declared.body is not None:
        found["requestBody"] = _body(declared, schemas)
    return found


def _parameters(declared: Operation, rule: str, number: int, schemas: Schemas) -> Iterator[Json]:
    for found in _PART.finditer(rule):
        yield {"name": found[3], "in": "path", "required": True, "schema": _part(found[1], found[2])}
    if declared.query is not None:
        yield from schemas.parameters(declared.query)
    if len(declared.rules) > 1 and number == 0:
        told = "Which session, with a key of no session."
        yield {"name": "x-session-id", "in": "header", "description": told, "schema": {"type": "string"}}
    if declared.once_only:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same key and request again get the first answer, for 24 hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        }


def _part(kind: str | None, arguments: str | None) -> Json:
    """The schema of a part of the path."""
    match kind:
        case "int":
            return {"type": "integer", "minimum": 0}
        case "any":
            return {"type": "string", "enum": [each.strip() for each in str(arguments).split(",")]}
        case _:
            return {"type": "string", "minLength": 1}


def _body(declared: Operation, schemas: Schemas) -> Json:
    schema = schemas.of(declared.body, view=False)
    content: Json = {"application/json": {"schema": schema}}
    if takes_file(declared.body):
        content["multipart/form-data"] = {"schema": schemas.form(declared.body)} | _encoding(declared.body)
    if getattr(declared.body, "FILE_ALONE", False):
        content["application/octet-stream"] = {"schema": FILE}
    return {"content": content, "required": not declared.patch and schemas.needs_something(declared.body)}


def _encoding(body: Any) -> Json:
    """What is JSON in its part of a form."""
    names = sorted(n for n, part in parts_expected(body).items() if part is Part.JSON and n != "file")
    return {"encoding": {name: {"contentType": "application/json"} for name in names}}


def _responses(declared: Operation, rule: str, schemas: Schemas) -> dict[str, Json]:
    responses: dict[str, Json] = {}
    for status, kind in declared.answers.items():
        answer: Json = {"description": HTTPStatus(status).phrase}
        content: Json = {}
        for one in kind if isinstance(kind, tuple) else (kind,):
            if isinstance(one, str):
                content[one] = {}
            elif one is not None:
                content["application/json"] = {"schema": schemas.of(one, view=True)}
        if content:
            answer["content"] = content
        responses[str(status)] = answer
    problems: dict[int, dict[str, str]] = defaultdict(dict)
    for error in _errors(declared, rule):
        known = problem_kind(error)
        problems[known.status].setdefault(
            known.code.replace("{kind}", "…"), known.title.replace("{kind}", "thing")
        )
    for status, codes in problems.items():
        words = "; ".join(f"`{code}`: {title}" for code, title in codes.items())
        schema: Json = {"$ref": f"{REF}Problem"}
        if not any("…" in code for code in codes):
            schema = {"allOf": [schema, {"properties": {"code": {"enum": sorted(codes)}}}]}
        responses[str(status)] = {
            "description": words,
            "content": {"application/problem+json": {"schema": schema, "examples": _examples(status, codes)}},
        }
    return responses


def _examples(status: int, codes: dict[str, str]) -> Json:
    """A problem document for each code."""
    return {
        code: {
            "value": {
                "type": f"urn:terzetto:problem:{code}",
                "title": title,
                "status": status,
                "detail": f"{title}.",
                "code": code,
                "requestId": "7380df4537a840e3b62a37983693eb51",
            }
        }
        for code, title in codes.items()
        if "…" not in code
    }


def _errors(declared: Operation, rule: str) -> Iterator[type[Exception]]:
    if declared.at is not At.ROOT:
        yield from _ANYWHERE
    if len(declared.rules) > 1 or any("<session_id>" in rule for rule in declared.rules):
        yield from _IN_A_SESSION
    if "<" in rule:
        yield from _WITH_PARTS
    if declared.query is not None:
        yield refusals.ValidationFailed
    if declared.body is not None:
        yield from _WITH_A_BODY
    if declared.lacks is None and ("<session_id>" in rule or declared.where is not Where.SESSION):
        yield from _DONE_ELSEWHERE[declared.where]
    if declared.once_only:
        yield from _ONCE_ONLY
    yield from declared.errors
