"""What a send is answered: at once, when it waits its turn, and when it is asked about again."""

import math
from typing import Literal

from attrs import frozen
from quart import Response

from actors import errors
from actors.session.messages import Queued, Sent
from api.answers import answer
from api.converter import unstructure
from api.refusals import KeyInProgress
from storage.rows import Message, MessageStatus, now


@frozen(kw_only=True)
class KeyView:
    """Which message of which chat, as WhatsApp's clients name it."""

    remote_jid: str
    from_me: bool
    id: str


@frozen(kw_only=True)
class SentView:
    """WhatsApp has acknowledged the message. Clients depend on each byte of it."""

    message_id: str
    status: Literal["sent"] = "sent"
    timestamp: int
    chat: str
    key: KeyView


@frozen(kw_only=True)
class QueuedView:
    """The message is stored and waits its turn."""

    message_id: str
    status: Literal["queued"] = "queued"
    position: int
    """So many messages go before it."""
    eta_ms: int
    """About when it will be sent, in milliseconds from now."""
    status_url: str


@frozen(kw_only=True)
class BatchStartedView:
    """The messages of a batch are stored and wait their turn."""

    batch_id: str
    status: Literal["queued"] = "queued"
    total: int
    status_url: str
    messages: tuple[QueuedView, ...] = ()
    """In the order in which they were given; none where the answer is given again after a restart."""


SENDING = (
    errors.SessionDisconnected,
    errors.SessionLoggedOut,
    errors.SessionRestarting,
    errors.AccountRestricted,
    errors.RateLimited,
    errors.NewChatCap,
    errors.QueueFull,
    errors.RecipientNotOnWhatsApp,
    errors.WhatsAppFailed,
    errors.OutcomeUnknown,
)
"""What may go wrong with every send."""


def sent_view(sent: Sent) -> SentView:
    key = KeyView(remote_jid=sent.chat, from_me=True, id=sent.message_id)
    at = int(sent.timestamp.timestamp())
    return SentView(message_id=sent.message_id, timestamp=at, chat=sent.chat, key=key)


def queued_view(queued: Queued) -> QueuedView:
    eta = max(0, math.ceil((queued.eta - now()).total_seconds() * 1000))
    url = f"/api/messages/{queued.message_id}"
    return QueuedView(message_id=queued.message_id, position=queued.position, eta_ms=eta, status_url=url)


def batch_view(batch_id: str, total: int, queued: tuple[Queued, ...] = ()) -> BatchStartedView:
    return BatchStartedView(
        batch_id=batch_id,
        total=total,
        status_url=f"/api/batches/{batch_id}",
        messages=tuple(map(queued_view, queued)),
    )


async def answer_of(message: Message) -> Response:
    """The answer to the request that stored this message and was left unanswered, by what became of it.

    Raises KeyInProgress while that is not known, and what the send itself would have.
    """
    match message.status:
        case MessageStatus.SENDING:
            raise KeyInProgress
        case MessageStatus.QUEUED:
            soonest = message.send_at or now()
            queued = Queued(message_id=message.id, chat=message.chat, position=0, eta=soonest)
            return answer(unstructure(queued_view(queued)), 202)
        case MessageStatus.UNKNOWN:
            raise errors.OutcomeUnknown(session_id=message.session_id, message_id=message.id)
        case MessageStatus.FAILED:
            raise errors.WhatsAppFailed(session_id=message.session_id, reason=message.error or "failed")
        case _:
            sent = Sent(message_id=message.public_id, chat=message.chat, timestamp=message.occurred_at)
            return answer(unstructure(sent_view(sent)))
