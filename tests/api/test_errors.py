"""The table of problems: complete, and telling no more than it should."""

import inspect
import json

import attrs
import pytest
from werkzeug.exceptions import HTTPException, default_exceptions

import runtime
from actors import errors as session
from api import refusals
from api.errors import bare_problem, is_foreseen, problem_of
from storage.errors import BadQuery, DatabaseUnavailable, WriteRefused
from tests.api.stage import SENT_AT

SAMPLE = {
    "session_id": "ana",
    "until": SENT_AT,
    "retry_after": 1.5,
    "limit": 10,
    "errors": (refusals.FieldError("a.b", "is required"),),
    "error": refusals.InvalidJid("a@b"),
}


def leaves(module: object, base: type[Exception]) -> list[type[Exception]]:
    found = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)]
    return [kind for kind in found if kind is not base]


def sample(kind: type[Exception]) -> Exception:
    """An instance with something in every field."""
    fields = {a.name: SAMPLE.get(a.name, 418 if a.name == "status" else a.name) for a in attrs.fields(kind)}  # type: ignore[arg-type]
    return kind(**fields)


LEAVES = leaves(session, session.SessionError) + leaves(refusals, refusals.Refusal)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_of_sessions_and_requests_has_a_problem_of_its_own(kind: type[Exception]) -> None:
    error = sample(kind)
    problem = problem_of(error)
    assert is_foreseen(error)
    assert 400 <= problem.status < 600
    document = json.loads(problem.document(instance="/x", request_id="r"))
    assert list(document)[:4] == ["type", "title", "status", "detail"]
    assert document["type"] == f"urn:terzetto:problem:{document['code']}"
    assert (document["instance"], document["requestId"]) == ("/x", "r")
    assert "{" not in document["detail"] + document["code"] + document["title"]
    if hasattr(error, "retry_after"):
        assert (document["retryAfterMs"], problem.headers["retry-after"]) == (1500, "2")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (runtime.ActorDied(runtime.Exit.error(ValueError("secret"))), 503, "session_restarting"),
        (runtime.ActorGone("ana"), 503, "not_ready"),
        (runtime.NotRunning("ana"), 503, "not_ready"),
        (runtime.MailboxFull("ana"), 429, "queue_full"),
        (runtime.CallTimeout("ana", 5.0), 504, "upstream_timeout"),
        (DatabaseUnavailable(), 503, "not_ready"),
        (WriteRefused("missing_reference"), 404, "session_not_found"),
        (WriteRefused("unknown_session"), 404, "session_not_found"),
        (WriteRefused("lease_moved"), 409, "lease_moved"),
        (BadQuery("cursor"), 400, "validation_failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_the_layers_below_raise_is_in_the_table(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    assert b"secret" not in problem.document()


@pytest.mark.parametrize(
    "error", [KeyError("secret"), WriteRefused("invalid_value", field="secret")], ids=repr
)
def test_what_nobody_foresaw_is_a_500_that_tells_nothing(error: Exception) -> None:
    problem = problem_of(error)
    assert not is_foreseen(error)
    assert (problem.status, problem.code) == (500, "internal_error")
    assert b"secret" not in problem.document()


@pytest.mark.parametrize("kind", default_exceptions.values(), ids=lambda kind: kind.__name__)
def test_whatever_the_framework_raises_keeps_its_status(kind: type[HTTPException]) -> None:
    problem = problem_of(kind())
    assert problem.status == (kind.code if kind.code is not None and kind.code < 500 else 500)


@pytest.mark.parametrize("status", [400, 403, 413, 431, 500, 501])
def test_a_refusal_below_the_application_says_how_long_it_is(status: int) -> None:
    headers, body = bare_problem(status)
    assert (b"content-length", str(len(body)).encode()) in headers
    assert json.loads(body)["status"] in {status, 500}
