"""A route of the API as one declaration: who may call it, what it takes and gives, and what may go wrong.

The wrapper enforces the declaration, and /openapi.json is made of it: there is no second description.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import wraps
from inspect import cleandoc
from typing import Any, NoReturn

from attrs import field, frozen
from quart import Blueprint, Response

from api.access import admit, admit_across_sessions, admit_to_session, caller
from api.answers import answer, no_content
from api.bodies import given_in_body, query_as
from api.caller import Scope
from api.converter import unstructure
from api.idempotency import Derive, digest_of_request, given_key
from api.multipart import body_or_form_as
from api.refusals import NotPossible
from api.services import services

Handler = Callable[..., Awaitable[Any]]


class At(Enum):
    """Where a route lies, before its own rule."""

    ROOT = ("",)
    """Outside of the API proper; no key is asked for, unless the handler does."""
    GATEWAY = ("/api",)
    """One path; the handler gets no session."""
    IN_SESSION = ("/api", "/api/sessions/<session_id>")
    """For a session's own key, and naming the session; the handler gets `session_id`."""
    ON_SESSION = ("/api/session", "/api/sessions/<session_id>")
    """The same, of the session itself."""


class Where(Enum):
    """Which of many nodes does it; each other one passes it on."""

    SESSION = "session"
    """The one that has the session; where none is named, whichever was asked."""
    ANY = "any"
    """Whichever was asked: it needs nothing but the database."""
    WEBHOOKS = "webhooks"
    SINKS = "sinks"
    """The one that has this duty."""


@frozen(kw_only=True)
class Operation:
    """What is declared of a route."""

    method: str
    at: At
    rules: tuple[str, ...]
    name: str
    """Unique among those of its tag."""
    about: str
    """What it does, in a line; what else there is to say follows in paragraphs."""
    scope: Scope | None
    """None: any good key, and whoever has signed in."""
    across: bool
    """Where none is named it is about all of the caller's sessions: the handler gets these, None: all."""
    secret: bool
    """Its body holds a password: nothing of it is kept, so it takes no Idempotency-Key."""
    body: Any
    """An attrs class, or a union of some told apart by `type`; one with a `file` may come as a form."""
    patch: bool
    """The body names what is to change, and nothing is required of it."""
    query: type | None
    answers: Mapping[int, Any]
    """By status: an attrs class, `list[one]`, a media type as text for what is not JSON, a tuple of some of
    these, or None: no body."""
    errors: tuple[type[Exception], ...]
    """What may go wrong besides what may with every route of its kind."""
    tag: str
    where: Where = Where.SESSION
    lacks: str | None = None
    """Why it cannot be done: it is always answered with 501."""

    @property
    def once_only(self) -> bool:
        """Whether it takes an Idempotency-Key."""
        return self.method != "GET" and self.lacks is None and not self.secret


@frozen
class Answer:
    """What a handler answers where the first declared status, or no header, will not do."""

    body: Any
    status: int
    headers: dict[str, str] = field(factory=dict)


OPERATIONS: list[Operation] = []
"""Every declared route, in the order of declaration."""


def operation(
    routes: Blueprint,
    method: str,
    rule: str,
    *,
    at: At = At.IN_SESSION,
    across: bool = False,
    where: Where = Where.SESSION,
    secret: bool = False,
    scope: Scope | None,
    body: Any = None,
    patch: bool = False,
    query: type | None = None,
    answers: Mapping[int, Any],
    errors: tuple[type[Exception], ...] = (),
    tag: str | None = None,
    derive: Derive | None = None,
) -> Callable[[Handler], Handler]:
    """Declare a route. It honours Idempotency-Key unless it only reads; `derive` is for `Idempotency.once`.

    Its handler gets, by name, the parts of the path, and as declared `session_id` or `sessions`, `body` (with
    `patch` a dict of what was given) and `query`; it returns a view, an `Answer`, a Response or None.
    """

    def declare(handler: Handler) -> Handler:
        declared = Operation(
            method=method,
            at=at,
            rules=tuple(f"{place}{rule}" for place in at.value),
            name=handler.__name__,
            about=cleandoc(handler.__doc__ or ""),
            scope=scope,
            across=across,
            secret=secret,
            body=body,
            patch=patch,
            query=query,
            answers=answers,
            errors=errors,
            tag=tag or routes.name,
            where=where,
        )
        OPERATIONS.append(declared)

        @wraps(handler)
        async def handle(session_id: str | None = None, **parts: Any) -> Response:
            if at is At.ROOT:
                pass
            elif at is At.GATEWAY:
                await admit(scope)
                if session_id is not None:
                    parts["session_id"] = session_id
            elif across:
                parts["sessions"] = await admit_across_sessions(scope or Scope.READ, session_id)
            else:
                parts["session_id"] = await admit_to_session(scope or Scope.READ, session_id)
            if (forwarded := await _done_elsewhere(where, parts)) is not None:
                return forwarded
            key = given_key() if declared.once_only else None
            about = _one_session(parts)
            writer = services().writer
            if key is not None and derive is not None and about is not None:
                writer = services().sessions.writer_for(about)
            digest = b"" if key is None else await digest_of_request()
            if query is not None:
                parts["query"] = query_as(query)
            if body is not None:
                parts["body"] = await (given_in_body(body) if patch else body_or_form_as(body))

            async def execute() -> Response:
                return _response(await handler(**parts), next(iter(answers)))

            if key is None:
                return await execute()
            owner = about or caller().id
            return await services().idempotency.once(owner, key, digest, execute, derive, writer=writer)

        for path in declared.rules:
            routes.add_url_rule(path, view_func=handle, methods=[method])
        return handle

    return declare


def impossible(
    routes: Blueprint, method: str, rule: str, *, scope: Scope, summary: str, why: str, tag: str | None = None
) -> None:
    """Declare a route of sessions that cannot be: who may call it is answered with NotPossible and `why`.

    Neither a body nor an Idempotency-Key is read: nothing happens that could happen twice.
    """
    declared = Operation(
        method=method,
        at=At.IN_SESSION,
        rules=tuple(f"{place}{rule}" for place in At.IN_SESSION.value),
        name="_".join((method.lower(), *re.findall(r"\w+", rule))),
        about=summary,
        scope=scope,
        across=False,
        secret=False,
        body=None,
        patch=False,
        query=None,
        answers={},
        errors=(NotPossible,),
        tag=tag or routes.name,
        lacks=why,
    )
    OPERATIONS.append(declared)

    async def refuse(session_id: str | None = None, **_: object) -> NoReturn:
        await admit_to_session(scope, session_id)
        raise NotPossible(why)

    for path in declared.rules:
        routes.add_url_rule(path, declared.name, refuse, methods=[method])


async def _done_elsewhere(where: Where, parts: dict[str, Any]) -> Response | None:
    """The answer of the node that does it; None: this one does, or there are no others."""
    match where:
        case Where.SESSION:
            session_id = _one_session(parts)
            return None if session_id is None else await services().forwarding.to_owner(session_id)
        case Where.WEBHOOKS | Where.SINKS:
            return await services().forwarding.to_holder(where.value)
        case Where.ANY:
            return None


def _one_session(parts: dict[str, Any]) -> str | None:
    """The session that a request is about; None: none, or several."""
    sessions: frozenset[str] | None = parts.get("sessions")
    if sessions is not None and len(sessions) == 1:
        return next(iter(sessions))
    session_id: str | None = parts.get("session_id")
    return session_id


def _response(given: Any, status: int) -> Response:
    match given:
        case Response():
            return given
        case None:
            return no_content()
        case Answer(body=body, status=other, headers=headers):
            return answer(unstructure(body), other, headers)
        case _:
            return answer(unstructure(given), status)
