"""From a draft to its session: whom it goes to, its file taken in, asked of the session, and answered."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from quart import request

from actors.egress import UrlForbidden
from actors.errors import MediaNotFound, MessageNotFound, MessageUnsuitable, NotSupported
from actors.media.errors import MediaBusy, MediaFetchFailed, MediaTooLarge, MediaTypeUnsupported
from actors.media.intake import FromBytes, FromStore, FromUrl, Source
from actors.media.preview import link_in, preview
from actors.outgoing import Content, LinkPreview, Text
from actors.session.messages import Queued, Send, Sent
from api.attachments import Attachment
from api.checks import is_jid, is_phone
from api.draft import RANKS, STATUS, Draft
from api.drafts import LinkPreviewDraft, TextDraft
from api.operation import Answer
from api.refusals import InvalidJid, NotFound
from api.sent import SENDING, SentView, queued_view, sent_view
from api.services import services
from api.trace import trace
from storage.media import MediaFile
from storage.rows import Message

ABOUT = (*SENDING, InvalidJid, MessageNotFound, MessageUnsuitable, NotSupported)
"""What may go wrong with what is sent about another message."""

FILES = (
    *ABOUT,
    MediaNotFound,
    MediaFetchFailed,
    MediaTooLarge,
    MediaTypeUnsupported,
    MediaBusy,
    UrlForbidden,
)
"""What may go wrong with what carries a file."""

RESPOND_ASYNC = "respond-async"

Obtain = Callable[[str, Attachment], Awaitable[MediaFile]]

_ACK_WAIT = 90.0  # seconds; the session itself gives up on WhatsApp's acknowledgement before
_UPLOAD_WAIT = 80.0  # and on putting a file there


async def submit(session_id: str, asked: Send) -> SentView | Answer:
    """Have it sent: its acknowledgement, or where it waits.

    When the client goes away meanwhile, a message that its session has begun to send is sent all the same.
    Raises what `Send` raises.
    """
    answer = await ask(session_id, asked)
    match answer:
        case Sent():
            return sent_view(answer)
        case Queued():
            return waiting(queued_view(answer))
        case _:
            assert_never(answer)


async def ask(session_id: str, asked: Send) -> Sent | Queued:
    """The session's own answer to a send."""
    typing = max(0, asked.options.typing_ms or 0) / 1000
    answered: Sent | Queued = (
        await services().sessions.ref(session_id).call(asked, timeout=_ACK_WAIT + _UPLOAD_WAIT + typing)
    )
    return answered


def waiting(view: object) -> Answer:
    """The answer about something that is to be sent later."""
    return Answer(view, 202, {"preference-applied": RESPOND_ASYNC} if prefers_async() else {})


def prefers_async() -> bool:
    """Whether the client asked not to wait for WhatsApp's acknowledgement: `Prefer: respond-async`."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any(each.partition(";")[0].strip().lower() == RESPOND_ASYNC for each in preferences)


async def obtained(session_id: str, attachment: Attachment) -> MediaFile:
    """Its file in the media store, as it is to be sent. Raises what `Intake.obtain` raises."""
    name: str | None = attachment.file_name
    kind: str | None = attachment.mime_type
    if (upload := attachment.upload) is not None:
        name, kind = name or upload.name, kind or upload.mime_type
    return await services().intake.obtain(
        session_id, source_of(attachment), attachment.kind, file_name=name, mime_type=kind
    )


async def request_for(session_id: str, draft: Draft, obtain: Obtain = obtained) -> Send:
    """What is asked of the session for this draft, its file taken in.

    Raises InvalidJid, NotFound, and what `Intake.obtain` raises.
    """
    to = await recipient_of(session_id, draft)
    return addressed(draft, to, await _content(session_id, draft, obtain))


def addressed(draft: Draft, to: str, content: Content) -> Send:
    """A request with what every draft may carry."""
    return Send(
        to=to,
        content=content,
        options=draft.extras,
        client_ref=draft.client_ref,
        priority=RANKS[draft.priority],
        queued=prefers_async(),
        send_at=draft.send_at,
        expires_at=draft.expires_at,
        claim_id=trace().claim_id,
    )


async def recipient_of(session_id: str, draft: Draft) -> str:
    """A JID, or a phone number. Raises InvalidJid, NotFound."""
    to = draft.recipient
    if to is None:
        about: str = draft.message_id  # type: ignore[attr-defined]
        return (await stored(session_id, about)).chat
    if not (is_phone(to) or is_jid(to) or to == STATUS):
        raise InvalidJid(to)
    return to


async def stored(session_id: str, message_id: str) -> Message:
    """A message by our id or WhatsApp's. Raises NotFound."""
    message = await services().reads.message(session_id, message_id)
    if message is None:
        raise NotFound("message", message_id)
    return message


def source_of(attachment: Attachment) -> Source:
    """Where its file comes from."""
    match attachment:
        case Attachment(url=str(url)):
            return FromUrl(url)
        case Attachment(data=bytes(data)):
            return FromBytes(data)
        case Attachment(media_id=str(media_id)):
            return FromStore(media_id)
        case _:
            assert attachment.upload is not None  # it has exactly one source
            return FromBytes(attachment.upload.data)


async def _content(session_id: str, draft: Draft, obtain: Obtain) -> Content:
    match draft:
        case Attachment():
            file = await obtain(session_id, draft)
            return draft.media(file.id, file.file_name)
        case TextDraft(message=text):
            return Text(text=text, preview=await _preview(session_id, draft))
        case _:
            return draft.content


async def _preview(session_id: str, draft: TextDraft) -> LinkPreview | None:
    """The card below the text, if it is to have one."""
    intake = services().intake
    match draft.link_preview:
        case LinkPreviewDraft(image_url=image) as card:
            picture = None if image is None else (await intake.thumbnail(session_id, image)).id
            description = card.description or ""
            return LinkPreview(url=card.url, title=card.title, description=description, thumbnail=picture)
        case True if (link := link_in(draft.message)) is not None:
            return await preview(intake, session_id, link)
        case _:
            return None
