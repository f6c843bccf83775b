"""Every error of every layer as an RFC 9457 problem document: one table from error to status, code and words.

A document has type, title, status, detail, instance, code, requestId, and where they apply sessionId,
retryAfterMs, until and errors[{path, message}]. Whatever a stranger sends is answered with one.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import attrs
from attrs import field, frozen
from werkzeug.exceptions import HTTPException

from actors import errors as session
from actors.egress import UrlForbidden
from actors.media import errors as media
from api import refusals
from runtime import ActorDied, ActorGone, CallTimeout, ChildRunning, MailboxFull, NotAnActor, NotRunning
from storage.errors import BadQuery, DatabaseUnavailable, EventsExpired, WriteRefused

CONTENT_TYPE = "application/problem+json"

# Seconds to advise where the error itself does not know: a supervised thing is on its way back, or only full.
_COMES_BACK = 2.0
_BUSY = 1.0


@frozen
class _Row:
    """A line of the table. `detail` is a format string over the error's fields."""

    status: int
    code: str
    title: str
    detail: str
    retry_after: float | None = None
    headers: Mapping[str, str] = field(factory=dict)


def _unauthorised(code: str, detail: str, scheme: str = "ApiKey") -> _Row:
    return _Row(401, code, "Not authenticated", detail, headers={"www-authenticate": scheme})


_UNKNOWN_EFFECT = "What was asked may or may not have had its effect."
_NO_SESSION = _Row(404, "session_not_found", "No such session", "There is no such session.")
_NOT_RUNNING = _Row(
    503, "not_ready", "Not running", "What would answer this is not running now.", _COMES_BACK
)

_TABLE: dict[type[Exception], _Row] = {
    # The request
    refusals.InvalidJson: _Row(400, "invalid_json", "The body is not JSON", "{reason}"),
    refusals.ValidationFailed: _Row(400, "validation_failed", "The request does not fit", "{summary}"),
    refusals.ContentTypeUnsupported: _Row(
        415,
        "media_type_unsupported",
        "Not read here",
        "Send application/json.",
        headers={"accept": "application/json"},
    ),
    refusals.InvalidJid: _Row(
        404,
        "invalid_jid",
        "No such address",
        "The address is neither a phone number nor a JID that WhatsApp uses.",
    ),
    refusals.NoSuchRoute: _Row(404, "route_not_found", "Not found", "There is nothing at this path."),
    refusals.NotFound: _Row(404, "{kind}_not_found", "No such {kind}", "There is no such {kind}."),
    refusals.KeyReused: _Row(
        422,
        "idempotency_key_reused",
        "Another request had this Idempotency-Key",
        "This Idempotency-Key was used with another request. Nothing was done.",
    ),
    refusals.KeyInProgress: _Row(
        409,
        "idempotency_in_progress",
        "Still being answered",
        "The first request with this Idempotency-Key is not answered yet.",
    ),
    refusals.AnswerLost: _Row(
        504, "upstream_timeout", "The gateway stopped before it could answer", _UNKNOWN_EFFECT
    ),
    refusals.NodeSilent: _Row(
        504, "upstream_timeout", "The node that does this did not answer", _UNKNOWN_EFFECT
    ),
    refusals.NotQueued: _Row(
        409, "not_queued", "It does not wait", "The message is {status}: only one that waits can be changed."
    ),
    refusals.NotRetryable: _Row(
        409,
        "not_retryable",
        "It cannot be sent again",
        "Only a message of your own that failed, or whose outcome is unknown, can be sent again.",
    ),
    refusals.BatchCancelled: _Row(
        409, "batch_cancelled", "The batch is cancelled", "A cancelled batch neither pauses nor goes on."
    ),
    refusals.NotPossible: _Row(501, "not_possible", "Not possible", "{reason}"),
    UrlForbidden: _Row(
        422, "url_forbidden", "This URL may not be requested", "The URL may not be requested: {reason}."
    ),
    # Who calls
    refusals.KeyMissing: _unauthorised("key_missing", "Send an API key in the header x-api-key, or sign in."),
    refusals.KeyInvalid: _unauthorised("key_invalid", "This API key is not known."),
    refusals.KeyExpired: _unauthorised("key_expired", "This API key has expired."),
    refusals.KeyRevoked: _unauthorised("key_revoked", "This API key was revoked or rotated."),
    refusals.SignInExpired: _unauthorised("sign_in_expired", "Sign in again.", "Cookie"),
    refusals.SignInFailed: _unauthorised("sign_in_failed", "Name and password do not fit.", "Cookie"),
    refusals.TooManyTries: _Row(
        429, "too_many_tries", "Too many tries", "Too many tries to sign in have failed. Wait a little."
    ),
    refusals.CsrfDenied: _Row(403, "csrf_denied", "Not from a page of the gateway", "{detail}"),
    refusals.ScopeDenied: _Row(403, "scope_denied", "Not allowed", "{detail}"),
    refusals.AddressDenied: _Row(
        403, "ip_denied", "The key does not allow this", "This API key may not be used from your address."
    ),
    refusals.UserExists: _Row(409, "user_exists", "Conflict", "There is a user with this name."),
    refusals.LastAdmin: _Row(
        409, "last_admin", "The last admin", "Somebody has to be admin: make another one first."
    ),
    # The session
    session.SessionNotFound: _NO_SESSION,
    session.SessionExists: _Row(409, "session_exists", "Conflict", "A session with this id exists."),
    session.AlreadyRunning: _Row(409, "already_running", "Conflict", "The session is running already."),
    session.SessionDisconnected: _Row(
        403,
        "session_disconnected",
        "The session is not connected",
        "The session is {state}: nothing can be sent through it now.",
    ),
    session.SessionLoggedOut: _Row(
        403,
        "session_logged_out",
        "The session is logged out",
        "This device was unlinked from its account. Pair it again.",
    ),
    session.SessionRestarting: _Row(
        503,
        "session_restarting",
        "The session is on its way back",
        "The session lost its connection and is connecting again. Nothing was sent.",
    ),
    session.AccountRestricted: _Row(403, "account_restricted", "WhatsApp restricts this account", "{reason}"),
    session.RateLimited: _Row(
        429,
        "rate_limited",
        "Too many messages",
        "This session may send {limit} messages a minute. Nothing was sent.",
    ),
    session.QueueFull: _Row(
        429,
        "queue_full",
        "Too many messages wait",
        "More messages wait than the session keeps. Nothing was sent.",
    ),
    session.RecipientNotOnWhatsApp: _Row(
        404,
        "recipient_not_on_whatsapp",
        "The recipient is not on WhatsApp",
        "WhatsApp knows no account with this number. Nothing was sent.",
    ),
    session.NewChatCap: _Row(
        429,
        "new_chat_cap",
        "Too many new chats",
        "This session may begin {limit} chats a day. Nothing was sent.",
    ),
    session.MessageNotFound: _Row(404, "message_not_found", "No such message", "There is no such message."),
    session.MessageUnsuitable: _Row(
        422,
        "message_unsuitable",
        "Not possible with this message",
        "This cannot be done with that message: {reason}. Nothing was sent.",
    ),
    # Files
    session.MediaNotFound: _Row(404, "media_not_found", "No such file", "There is no such file."),
    session.MediaGone: _Row(404, "media_not_found", "No such file", "{reason}"),
    media.MediaFetchFailed: _Row(
        422, "media_fetch_failed", "The file could not be fetched", "The URL gave no file: {reason}."
    ),
    media.MediaTooLarge: _Row(
        413, "media_too_large", "The file is too large", "The file has more than {limit}."
    ),
    media.MediaTypeUnsupported: _Row(
        415, "media_type_unsupported", "The file cannot be sent so", "The file cannot be sent so: {reason}."
    ),
    media.MediaBusy: _Row(
        503, "not_ready", "Too many files", "More files wait to be converted than may. Nothing was done."
    ),
    refusals.RangeOutside: _Row(
        416, "range_outside", "Not in the file", "The file has {file_size} bytes: the range is not within."
    ),
    session.NotSupported: _Row(501, "not_possible", "Not possible", "{reason}"),
    session.GroupNotFound: _Row(404, "group_not_found", "No such group", "WhatsApp knows no such group."),
    session.NotGroupMember: _Row(
        403, "not_group_member", "Not in the group", "The account is not in this group."
    ),
    session.NotGroupAdmin: _Row(
        403, "not_group_admin", "Not an admin of the group", "Only an admin of the group may do this."
    ),
    session.InviteInvalid: _Row(404, "invite_not_found", "No such invitation", "The link leads to no group."),
    session.InviteRevoked: _Row(
        410, "invite_revoked", "The invitation is void", "The link was revoked, or is not for this account."
    ),
    session.PictureUnsuitable: _Row(
        415, "media_type_unsupported", "Not taken as a picture", "WhatsApp takes JPEG pictures only."
    ),
    session.PictureNotFound: _Row(404, "picture_not_found", "No picture", "{reason}"),
    session.ChannelNotFound: _Row(
        404, "channel_not_found", "No such channel", "WhatsApp knows no such channel."
    ),
    session.NotChannelAdmin: _Row(
        403,
        "not_channel_admin",
        "The channel does not allow this",
        "The channel does not let the account do this.",
    ),
    session.NoPushName: _Row(
        409, "no_push_name", "The account has no name", "Set a name first: nobody is online without one."
    ),
    session.NotBusiness: _Row(
        404, "business_not_found", "No such business", "WhatsApp tells of no verified business here."
    ),
    session.NoQr: _Row(
        409, "no_qr", "No QR code now", "The session is {state}: there is no QR code to scan."
    ),
    session.PairingRefused: _Row(502, "whatsapp_error", "WhatsApp gave no pairing code", "{reason}"),
    session.WhatsAppFailed: _Row(502, "whatsapp_error", "WhatsApp answered with an error", "{reason}"),
    session.OutcomeUnknown: _Row(504, "upstream_timeout", "WhatsApp did not answer in time", _UNKNOWN_EFFECT),
    # The actors
    ActorDied: _Row(503, "session_restarting", "Failed while answering", _UNKNOWN_EFFECT, _COMES_BACK),
    ActorGone: _NOT_RUNNING,
    NotRunning: _NOT_RUNNING,
    MailboxFull: _Row(
        429, "queue_full", "Too much is waiting", "More requests wait than are kept. Nothing was done.", _BUSY
    ),
    CallTimeout: _Row(504, "upstream_timeout", "No answer in time", _UNKNOWN_EFFECT),
    # Steering
    ChildRunning: _Row(409, "already_running", "Conflict", "This child of the tree is running already."),
    NotAnActor: _Row(
        409, "not_an_actor", "No actor", "This child of the tree is no actor: it takes no messages."
    ),
    refusals.NotSteerable: _Row(409, "not_steerable", "Not possible with this child", "{reason}"),
    refusals.ChildNotRunning: _Row(
        409, "not_running", "Not running", "This child of the tree is {state}: that needs one that runs."
    ),
    refusals.NotStarted: _Row(503, "start_failed", "It did not start", "It could not be started: {reason}."),
    EventsExpired: _Row(
        410,
        "cursor_expired",
        "No longer kept",
        "Events that came next are no longer kept. Without `after` the log is read from the oldest that is.",
    ),
    # The gateway
    refusals.TooManyListeners: _Row(
        429,
        "too_many_listeners",
        "Too many listeners",
        "{limit} WebSockets of this key or user listen already.",
        _BUSY,
    ),
    refusals.NodeAmbiguous: _Row(
        409, "node_ambiguous", "Several nodes have this name", "Name it by its id. There are: {ids}."
    ),
    refusals.Draining: _Row(
        503, "draining", "This node ends", "This node is about to end: ask another. Nothing was done.", _BUSY
    ),
    refusals.NotReady: _Row(503, "not_ready", "Not ready", "{reason}", _COMES_BACK),
    DatabaseUnavailable: _Row(
        503, "not_ready", "No database", "The database cannot be reached now. It is tried again.", _COMES_BACK
    ),
}

# What the web framework, or the server below it, refuses by itself.
_BY_STATUS = {
    400: _Row(400, "bad_request", "Bad request", "The request could not be read."),
    404: _TABLE[refusals.NoSuchRoute],
    405: _Row(
        405, "method_not_allowed", "Method not allowed", "This path takes other methods, named in Allow."
    ),
    408: _Row(408, "request_timeout", "Request timeout", "The request did not arrive in time."),
    413: _Row(413, "media_too_large", "The body is too large", "The body is larger than is taken here."),
    415: _TABLE[refusals.ContentTypeUnsupported],
    431: _Row(
        431, "headers_too_large", "The headers are too large", "The headers are larger than is taken here."
    ),
}
_MOVED = _Row(
    409,
    "lease_moved",
    "It has moved to another node",
    "Another node has taken over what this was about. Nothing was done: try again.",
)
_INTERNAL = _Row(
    500,
    "internal_error",
    "Internal error",
    "Something failed inside the gateway. Its log tells what and where.",
)


@frozen(kw_only=True)
class Problem:
    """One answer to an error: the document's members and the headers beside it."""

    status: int
    members: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The problem's code, by which programs tell problems apart."""
        return str(self.members["code"])

    def document(self, *, instance: str | None = None, request_id: str | None = None) -> bytes:
        """The JSON document."""
        members = dict(self.members)
        if instance is not None:
            members["instance"] = instance
        if request_id is not None:
            members["requestId"] = request_id
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@frozen
class ProblemKind:
    """What every problem of one error has in common."""

    status: int
    code: str
    """With `{kind}` in it where it depends on what was looked for."""
    title: str


def problem_kind(error: type[Exception]) -> ProblemKind:
    """How errors of a class are answered. Raises KeyError for one that is in neither table."""
    row = next((_TABLE[ancestor] for ancestor in error.__mro__ if ancestor in _TABLE), None)
    if row is None:
        row = _BY_STATUS[getattr(error, "code", 0)]
    return ProblemKind(row.status, row.code, row.title)


def is_foreseen(error: Exception) -> bool:
    """Whether an error has an answer of its own; one that has not is a fault of ours."""
    return _row(error) is not _INTERNAL


def problem_of(error: Exception) -> Problem:
    """The problem that an error is; 500 for one that nobody foresaw, which tells nothing of its inside."""
    if isinstance(error, refusals.ItemRefused):
        problem = problem_of(error.error)
        found = [{"path": f"items[{error.number}]", "message": problem.members["detail"]}]
        return attrs.evolve(problem, members={**problem.members, "errors": found})
    if isinstance(error, BadQuery):
        error = refusals.ValidationFailed((refusals.FieldError(error.field or "", "cannot be looked for"),))
    row = _row(error)
    facts: dict[str, Any] = {}
    if attrs.has(type(error)) and row is not _INTERNAL:
        facts = attrs.asdict(error, recurse=False)  # type: ignore[arg-type]
    if isinstance(error, refusals.ValidationFailed):
        facts["summary"] = "; ".join(f"{wrong.path}: {wrong.message}" for wrong in error.errors)
    return _problem(row, facts, valid_methods=getattr(error, "valid_methods", None))


def bare_problem(status: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body for a refusal that never reached the application; the connection closes after it."""
    row = _BY_STATUS.get(status) or (_INTERNAL if status >= 500 else _other(status))
    problem = _problem(row, {})
    body = problem.document()
    headers = {**problem.headers, "content-length": str(len(body)), "connection": "close"}
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


def _row(error: Exception) -> _Row:
    for ancestor in type(error).__mro__:
        if (row := _TABLE.get(ancestor)) is not None:
            return row
    match error:
        case refusals.ItemRefused(error=inner):
            return _row(inner)
        case BadQuery():
            return _TABLE[refusals.ValidationFailed]
        case refusals.UpstreamRefused(status=status):
            return _Row(status, "loopback_refused", "The loopback network refused", "{detail}")
        case WriteRefused(reason="unknown_session" | "missing_reference"):
            return _NO_SESSION
        case WriteRefused(reason="lease_moved"):
            return _MOVED
        case HTTPException(code=int(status)) if status < 500:
            return _BY_STATUS.get(status) or _other(status)
        case _:
            return _INTERNAL


def _other(status: int) -> _Row:
    return _Row(status, "bad_request", HTTPStatus(status).phrase, "The request could not be read.")


def _problem(row: _Row, facts: dict[str, Any], *, valid_methods: Any = None) -> Problem:
    code = row.code.format_map(facts)
    members: dict[str, Any] = {
        "type": f"urn:terzetto:problem:{code}",
        "title": row.title.format_map(facts),
        "status": row.status,
        "detail": row.detail.format_map(facts),
        "code": code,
    }
    headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store", **row.headers}
    retry_after = facts.get("retry_after", row.retry_after)
    if retry_after is not None:
        members["retryAfterMs"] = math.ceil(retry_after * 1000)
        headers["retry-after"] = str(max(1, math.ceil(retry_after)))
    for fact, member in (("session_id", "sessionId"), ("message_id", "messageId"), ("code", "whatsappCode")):
        if facts.get(fact) is not None:
            members[member] = facts[fact]
    if isinstance(until := facts.get("until"), datetime):
        members["until"] = until.astimezone(UTC).isoformat().replace("+00:00", "Z")
    # Of messages a minute; what other limits count by is no rate of requests.
    limit = facts.get("limit") if row.code == "rate_limited" else None
    if limit is not None:
        headers |= {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": "0",
            "ratelimit-reset": headers["retry-after"],
            "ratelimit-policy": f"{limit};w=60",
        }
    if (file_size := facts.get("file_size")) is not None:
        headers["content-range"] = f"bytes */{file_size}"
    if "errors" in facts:
        members["errors"] = [{"path": wrong.path, "message": wrong.message} for wrong in facts["errors"]]
    if valid_methods:
        headers["allow"] = ", ".join(sorted(valid_methods))
    return Problem(status=row.status, members=members, headers=headers)
