"""Routes that act on a session, each at two paths: for the session's own key, and naming the session."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from quart import Blueprint, Response

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Response]])


def on_session(routes: Blueprint, method: str, rule: str = "") -> Callable[[Handler], Handler]:
    """`/api/session{rule}` and `/api/sessions/<session_id>{rule}`; the handler gets what the path says."""
    return _at(routes, method, f"/api/session{rule}", f"/api/sessions/<session_id>{rule}")


def in_session(routes: Blueprint, method: str, rule: str) -> Callable[[Handler], Handler]:
    """`/api{rule}` and `/api/sessions/<session_id>{rule}`; the handler gets what the path says."""
    return _at(routes, method, f"/api{rule}", f"/api/sessions/<session_id>{rule}")


def _at(routes: Blueprint, method: str, *rules: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        for rule in rules:
            routes.add_url_rule(rule, view_func=handler, methods=[method])
        return handler

    return add
