"""The checks of the kinds of values that requests carry: each says what was expected.

They take what JSON or a query string gave and return the value, or raise MismatchError.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from actors import passwords
from actors.session.content import KINDS
from actors.whatsapp.jid import phone_jid
from api.fields import (
    EVERYONE,
    TYPING_AUTO,
    About,
    Address,
    Base64,
    BatchSize,
    Choices,
    Chosen,
    Colour,
    Count,
    Description,
    Emoji,
    EventName,
    FileName,
    Flag,
    Font,
    HttpHeaders,
    Invite,
    Jids,
    JsonObject,
    Latitude,
    Lifetime,
    Limit,
    Line,
    Longitude,
    MediaId,
    Mentions,
    MessageId,
    MessageIds,
    MessageText,
    MessageTypes,
    Milliseconds,
    MimeType,
    Name,
    Names,
    Network,
    Paragraph,
    Participants,
    Password,
    Phone,
    ProfileName,
    ProxyUrl,
    Reference,
    Seconds,
    Secret,
    Selectable,
    ServerId,
    ServerIds,
    SessionId,
    Subject,
    Timer,
    Typing,
    Upload,
    UserName,
    Wait,
    WebUrl,
)

T = TypeVar("T")

_PHONE = re.compile(r"[1-9][0-9]{4,14}")
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USER_NAME = re.compile(r"[A-Za-z0-9._+@-]{1,64}")
EVENTS = frozenset(
    {
        "messages.upsert",
        "messages.update",
        "messages.edited",
        "messages.revoked",
        "messages.reaction",
        "messages.media",
        "messages.undecryptable",
        "messages.lost",
        "poll.vote",
        "event.response",
    }
    | {
        "session.status",
        "session.qr",
        "session.paired",
        "account.health",
        "account.update",
        "presence.update",
        "chat.presence",
    }
    | {
        "groups.upsert",
        "groups.update",
        "group-participants.update",
        "contacts.update",
        "call",
        "history.sync",
    }
)
_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
MIME_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,127}(; ?[A-Za-z0-9=\"_.+-]{1,100})*"
)
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_DATA_URL = re.compile(r"data:[^,]{0,300};base64,")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
INVITE = re.compile(r"(https://chat\.whatsapp\.com/(invite/)?)?[A-Za-z0-9_-]{10,64}/?(\?[!-~]{0,200})?")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADERS_OF_OURS = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
    }
    | {"webhook-id", "webhook-timestamp", "webhook-signature"}
)
_USER_SERVERS = {
    "s.whatsapp.net": re.compile(r"[1-9][0-9]{4,14}"),
    "lid": re.compile(r"[0-9]{1,20}"),
    "g.us": re.compile(r"[0-9]{5,20}(-[0-9]{5,20})?"),
    "newsletter": re.compile(r"[0-9]{5,25}"),
}


class MismatchError(ValueError):
    """A value is not what was expected; `path` leads from where it was found to the field at fault."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def text(value: Any) -> str:
    """Any text that PostgreSQL can store: Unicode without lone surrogates and NUL."""
    if not isinstance(value, str):
        raise MismatchError("expected a string")
    if "\0" in value:
        raise MismatchError("must not contain U+0000")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise MismatchError("must not contain lone surrogates") from None
    return value


def is_jid(value: str) -> bool:
    """Whether this is the JID of a user (by number or LID), a group or a channel."""
    user, _, server = value.partition("@")
    pattern = _USER_SERVERS.get(server)
    return pattern is not None and pattern.fullmatch(user) is not None


def is_phone(value: str) -> bool:
    """Whether this is a number in international form."""
    return _PHONE.fullmatch(value) is not None


def is_session_id(value: str) -> bool:
    """Whether a session could have this id."""
    return _SESSION_ID.fullmatch(value) is not None


def _user_name(value: Any) -> UserName:
    if _USER_NAME.fullmatch(text(value)) is None:
        raise MismatchError("expected 1 to 64 letters, digits, '.', '_', '-', '+' and '@'")
    return UserName(value)


def _password(value: Any) -> Password:
    if not passwords.LEAST <= len(text(value)) <= passwords.MOST:
        raise MismatchError(f"expected {passwords.LEAST} to {passwords.MOST} characters")
    return Password(value)


def integer(value: Any, low: int, high: int) -> int:
    """A whole number between two bounds, both included; `5.0` is one too, as JSON Schema has it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise MismatchError(f"expected a whole number from {low} to {high}")
    return value


def moment(value: Any) -> datetime:
    """An ISO 8601 time with its offset from UTC."""
    wrong = MismatchError("expected an ISO 8601 time with its offset, such as 2026-01-31T12:00:00Z")
    try:
        parsed = datetime.fromisoformat(text(value))
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None
    raise wrong


def _message_text(value: Any) -> MessageText:
    if not 1 <= len(text(value)) <= 65536:
        raise MismatchError("expected 1 to 65536 characters")
    return MessageText(value)


def _name(value: Any) -> Name:
    if not (1 <= len(text(value)) <= 200 and value.isprintable()):
        raise MismatchError("expected 1 to 200 printable characters")
    return Name(value)


def _reference(value: Any) -> Reference:
    if not (1 <= len(text(value)) <= 255 and value.isprintable()):
        raise MismatchError("expected 1 to 255 printable characters")
    return Reference(value)


def _session_id(value: Any) -> SessionId:
    if not is_session_id(text(value)):
        raise MismatchError("expected 1 to 64 letters, digits, - and _")
    return SessionId(value)


def _phone(value: Any) -> Phone:
    if not is_phone(text(value)):
        raise MismatchError("expected digits only with country code, such as 628123456789")
    return Phone(value)


def _address(value: Any) -> Address:
    if not 1 <= len(text(value)) <= 255:
        raise MismatchError("expected a phone number or a JID")
    return Address(value)


def _message_id(value: Any) -> MessageId:
    if not (1 <= len(text(value)) <= 255 and value.isprintable()):
        raise MismatchError("expected a message's id")
    return MessageId(value)


def _media_id(value: Any) -> MediaId:
    if _MEDIA_ID.fullmatch(text(value)) is None:
        raise MismatchError("expected a stored file's id")
    return MediaId(value)


def _message_ids(value: Any) -> MessageIds:
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise MismatchError("expected an array of 1 to 100 ids")
    return MessageIds(tuple(_each(value, _message_id)))


def _line(value: Any) -> Line:
    if not 1 <= len(text(value)) <= 255 or _CONTROL.search(value):
        raise MismatchError("expected 1 to 255 characters on one line")
    return Line(value)


def _paragraph(value: Any) -> Paragraph:
    if not 1 <= len(text(value)) <= 4096:
        raise MismatchError("expected 1 to 4096 characters")
    return Paragraph(value)


def _emoji(value: Any) -> Emoji:
    if len(text(value)) > 16 or (value.isascii() and value):
        raise MismatchError("expected an emoji, or nothing")
    return Emoji(value)


def _participants(value: Any) -> Participants:
    if not isinstance(value, list) or not 1 <= len(value) <= 1024:
        raise MismatchError("expected an array of 1 to 1024 phone numbers or JIDs")
    return Participants(tuple(dict.fromkeys(_each(value, _person))))


def _person(value: Any) -> str:
    jid = _mention(value)
    if jid.rpartition("@")[2] not in {"s.whatsapp.net", "lid"}:
        raise MismatchError("expected a phone number or the JID of a person")
    return jid


def _subject(value: Any) -> Subject:
    if not 1 <= len(text(value)) <= 100 or _CONTROL.search(value):
        raise MismatchError("expected 1 to 100 characters on one line")
    return Subject(value)


def _description(value: Any) -> Description:
    if len(text(value)) > 2048:
        raise MismatchError("expected up to 2048 characters")
    return Description(value)


def _timer(value: Any) -> Timer:
    if isinstance(value, bool) or value not in (0, 86400, 604800, 7776000):
        raise MismatchError("expected 0, 86400, 604800 or 7776000 seconds")
    return Timer(int(value))


def _invite(value: Any) -> Invite:
    if INVITE.fullmatch(text(value)) is None:
        raise MismatchError("expected a link to join a group, or its code")
    return Invite(value)


def _profile_name(value: Any) -> ProfileName:
    if not 1 <= len(text(value)) <= 25 or _CONTROL.search(value):
        raise MismatchError("expected 1 to 25 characters on one line")
    return ProfileName(value)


def _about(value: Any) -> About:
    if len(text(value)) > 139:
        raise MismatchError("expected up to 139 characters")
    return About(value)


def _server_ids(value: Any) -> ServerIds:
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise MismatchError("expected an array of 1 to 100 numbers of messages")
    return ServerIds(tuple(_each(value, lambda number: integer(number, 1, 10**9))))


def _mime_type(value: Any) -> MimeType:
    if MIME_TYPE.fullmatch(text(value)) is None:
        raise MismatchError("expected a media type such as image/png")
    return MimeType(value)


def _file_name(value: Any) -> FileName:
    if not 1 <= len(text(value)) <= 255 or _CONTROL.search(value) or "/" in value:
        raise MismatchError("expected 1 to 255 characters without a slash")
    return FileName(value)


def _upload(value: Any) -> Upload:
    if not isinstance(value, Upload):
        raise MismatchError("expected a file in a multipart/form-data body")
    if not value.data:
        raise MismatchError("must not be empty")
    return value


def _base64(value: Any) -> Base64:
    if not isinstance(value, str):
        raise MismatchError("expected base64")
    start = _DATA_URL.match(value)
    try:
        data = base64.b64decode(value[start.end() :] if start else value, validate=True)
    except ValueError:
        raise MismatchError("expected base64") from None
    if not data:
        raise MismatchError("must not be empty")
    return Base64(data)


def _mentions(value: Any) -> Mentions:
    if value in ("all", [*EVERYONE]):  # a form's one part is a list of one
        return EVERYONE
    if not isinstance(value, list) or len(value) > 1024:
        raise MismatchError('expected an array of at most 1024 phone numbers or JIDs, or "all"')
    return Mentions(tuple(_each(value, _mention)))


def _mention(value: Any) -> str:
    if not (is_phone(text(value)) or is_jid(value)):
        raise MismatchError("expected a phone number or a JID")
    return value if is_jid(value) else phone_jid(value)


def _each(values: list[Any], check: Callable[[Any], T]) -> Iterator[T]:
    for number, value in enumerate(values):
        try:
            yield check(value)
        except MismatchError as wrong:
            raise MismatchError(str(wrong), path=f"[{number}]") from None


def _degrees(most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not -most <= value <= most:
            raise MismatchError(f"expected a number from -{most} to {most}")
        return float(value)

    return check


def _typing(value: Any) -> Typing:
    if value == "auto":
        return TYPING_AUTO
    try:
        return Typing(integer(value, 0, 30_000))
    except MismatchError:
        raise MismatchError('expected a whole number from 0 to 30000, or "auto"') from None


def _different_texts(least: int) -> Callable[[Any], Any]:
    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not least <= len(value) <= 12:
            raise MismatchError(f"expected an array of {least} to 12 texts")
        texts = tuple(_each(value, _choice))
        if len(set(texts)) < len(texts):
            raise MismatchError("expected different texts")
        return texts

    return check


def _choice(value: Any) -> str:
    if not 1 <= len(text(value)) <= 100:
        raise MismatchError("expected 1 to 100 characters")
    return str(value)


def _colour(value: Any) -> Colour:
    if _COLOUR.fullmatch(text(value)) is None:
        raise MismatchError("expected a colour such as #128C7E")
    return Colour(value)


def _web_url(value: Any) -> WebUrl:
    if not _is_url(text(value), {"http", "https"}) or "@" in urlsplit(value).netloc:
        raise MismatchError("expected an http or https URL without user and password")
    return WebUrl(value)


def _proxy_url(value: Any) -> ProxyUrl:
    if not _is_url(text(value), {"http", "https", "socks5"}):
        raise MismatchError("expected an http, https or socks5 URL")
    return ProxyUrl(value)


def _is_url(value: str, schemes: set[str]) -> bool:
    if len(value) > 2048 or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # parsed, and checked, only when asked for
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def _network(value: Any) -> Network:
    try:
        ipaddress.ip_network(text(value))
    except ValueError:
        raise MismatchError("expected an IP address or a network such as 10.0.0.0/8") from None
    return Network(value)


def _event_name(value: Any) -> EventName:
    if text(value) not in EVENTS and not value.startswith("newsletter."):
        raise MismatchError("expected the name of an event")
    return EventName(value)


def _secret(value: Any) -> Secret:
    prefix, _, key = text(value).partition("_")
    try:
        length = len(base64.b64decode(key, validate=True))
    except ValueError:
        length = 0
    if prefix != "whsec" or not 24 <= length <= 64:
        raise MismatchError("expected whsec_ and 24 to 64 bytes in base64")
    return Secret(value)


def _http_headers(value: Any) -> HttpHeaders:
    if not isinstance(value, dict) or len(value) > 20:
        raise MismatchError("expected an object of at most 20 headers")
    for name, content in value.items():
        if HEADER_NAME.fullmatch(name) is None or name.lower() in _HEADERS_OF_OURS:
            raise MismatchError("no header that may be set", path=str(name))
        if not (
            isinstance(content, str) and content.isascii() and content.isprintable() and len(content) <= 4096
        ):
            raise MismatchError("expected printable ASCII", path=name)
    return HttpHeaders(value)


def _jids(value: Any) -> Jids:
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise MismatchError("expected an array of 1 to 100 JIDs")
    for number, jid in enumerate(value):
        if not is_jid(text(jid)):
            raise MismatchError("expected a JID", path=str(number))
    return Jids(tuple(value))


def _message_types(value: Any) -> MessageTypes:
    if not isinstance(value, list) or not value or not set(map(text, value)) <= KINDS:
        raise MismatchError(f"expected an array with any of {', '.join(sorted(KINDS))}")
    return MessageTypes(tuple(value))


def _json_object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise MismatchError("expected an object")
    if _weigh(value, depth=0) > 16384:
        raise MismatchError("expected at most 16384 characters")
    return JsonObject(value)


def _weigh(value: Any, depth: int) -> int:
    """About how many characters a JSON value takes, its texts checked on the way."""
    if depth > 16:
        raise MismatchError("expected at most 16 levels")
    if isinstance(value, dict):
        return sum(len(text(key)) + 4 + _weigh(inner, depth + 1) for key, inner in value.items())
    if isinstance(value, list):
        return sum(1 + _weigh(inner, depth + 1) for inner in value)
    return len(text(value)) + 2 if isinstance(value, str) else len(str(value))


def _from_query(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, str) or re.fullmatch(r"[0-9]{1,9}", value) is None:
            raise MismatchError(f"expected a whole number from {low} to {high}")
        return integer(int(value), low, high)

    return check


def _flag(value: Any) -> Flag:
    if value == "true" or value == "false":  # noqa: PLR1714 - what is unhashable is in no set
        return Flag(value == "true")
    raise MismatchError("expected true or false")


def _names(value: Any) -> Names:
    names = frozenset(name.strip() for name in text(value).split(","))
    if "" in names:
        raise MismatchError("expected names between commas")
    return Names(names)


CHECKS: dict[Any, Callable[[Any], Any]] = {
    str: text,
    datetime: moment,
    MessageText: _message_text,
    Name: _name,
    Reference: _reference,
    SessionId: _session_id,
    UserName: _user_name,
    Password: _password,
    Phone: _phone,
    Address: _address,
    MessageId: _message_id,
    MediaId: _media_id,
    MessageIds: _message_ids,
    Line: _line,
    Paragraph: _paragraph,
    Emoji: _emoji,
    MimeType: _mime_type,
    Participants: _participants,
    Subject: _subject,
    Description: _description,
    Timer: _timer,
    Invite: _invite,
    ProfileName: _profile_name,
    About: _about,
    ServerIds: _server_ids,
    FileName: _file_name,
    Upload: _upload,
    Base64: _base64,
    Mentions: _mentions,
    Latitude: _degrees(90),
    Longitude: _degrees(180),
    Lifetime: lambda value: integer(value, 0, 90 * 86400),
    Typing: _typing,
    Choices: _different_texts(2),
    Chosen: _different_texts(0),
    Selectable: lambda value: integer(value, 0, 12),
    Font: lambda value: integer(value, 0, 10),
    Colour: _colour,
    WebUrl: _web_url,
    ProxyUrl: _proxy_url,
    Network: _network,
    EventName: _event_name,
    Secret: _secret,
    HttpHeaders: _http_headers,
    Jids: _jids,
    MessageTypes: _message_types,
    JsonObject: _json_object,
    BatchSize: lambda value: integer(value, 1, 500),
    Milliseconds: lambda value: integer(value, 0, 10_000),
    Count: lambda value: integer(value, 1, 100_000),
    Seconds: lambda value: integer(value, 0, 30 * 86400),
    Limit: _from_query(1, 500),
    ServerId: _from_query(1, 10**9 - 1),
    Wait: _from_query(0, 60),
    Flag: _flag,
    Names: _names,
}
