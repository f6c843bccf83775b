"""What can be asked of a session actor, and what it answers.

Errors are those of `actors.errors`. Every request may also raise the runtime's `ActorDied`, `ActorGone`,
`MailboxFull` and `CallTimeout`.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from attrs import field, frozen

from actors.outgoing.content import Content, Options
from actors.whatsapp.client import Client


@frozen
class Start:
    """Run, and stay running over restarts of the gateway. Answers None; raises AlreadyRunning."""


@frozen
class Stop:
    """Disconnect cleanly and stay stopped over restarts of the gateway. Answers None once disconnected."""


@frozen
class Leave:
    """Disconnect cleanly, to go on elsewhere. Answers None when it is; all received is then mostly stored."""


@frozen
class TakeLeftovers:
    """Store what other nodes have handed in of this session. To be cast."""


@frozen
class RestartClient:
    """Disconnect cleanly and connect again, with the stored device if any. Answers None at once."""


@frozen
class Logout:
    """Unlink this device from the account and forget its keys. Answers None."""


@frozen
class GetQr:
    """Answers the current Qr; raises NoQr."""


@frozen
class Qr:
    """What the phone scans: the text inside the code, and when WhatsApp replaces it by the next one."""

    code: str
    expires_at: datetime


@frozen
class PairWithCode:
    """Pair by a code that the user types into the phone with this number (digits only).

    Starts the session if it is stopped. Answers the code, `XXXX-XXXX`. Raises PairingRefused, AlreadyRunning
    (when the session is paired).
    """

    phone: str


@frozen
class Reload:
    """Take over the settings stored in the session's row. Device name and proxy count from the next start."""


@frozen
class GetStatus:
    """Answers SessionStatus."""


@frozen(kw_only=True)
class SessionStatus:
    """A session as it is now."""

    session_id: str
    desired: str  # running | stopped
    actual: str  # a SessionState
    since: datetime
    restarts: int  # clients started anew since the actor came up
    last_error: str | None
    last_inbound_at: datetime | None  # the last thing WhatsApp delivered
    last_pong_at: datetime | None  # the last proof that WhatsApp answers
    jid: str | None
    lid: str | None
    phone: str | None
    push_name: str | None
    cell: str | None  # id of the cell that hosts the client


@frozen(kw_only=True)
class Send:
    """Send a message. Answers Sent once WhatsApp's server has acknowledged it.

    With `queued`, or a `send_at`, it answers Queued once it is stored, and is sent when its turn comes.
    `to` is a JID, or a phone number in digits with country code. Raises SessionDisconnected,
    SessionLoggedOut, SessionRestarting, AccountRestricted, RateLimited, NewChatCap, QueueFull,
    RecipientNotOnWhatsApp, MessageNotFound, WhatsAppFailed, OutcomeUnknown.
    """

    to: str
    content: Content
    options: Options = field(factory=Options)
    client_ref: str | None = None
    priority: int = 0
    queued: bool = False
    send_at: datetime | None = None
    expires_at: datetime | None = None
    batch_id: str | None = None
    claim_id: str | None = None


@frozen(kw_only=True)
class Queued:
    """A message that waits to be sent."""

    message_id: str  # ours
    chat: str
    position: int  # so many go before it
    eta: datetime  # when it is likely to be sent


@frozen(kw_only=True)
class SendMany:
    """Queue messages as one batch, all or none. Answers a tuple of Queued, once all are stored.

    The batch's row is stored with them; the answers are in their order. Raises SessionDisconnected,
    SessionLoggedOut, QueueFull.
    """

    batch_id: str
    sends: tuple[Send, ...]


@frozen
class QueueChanged:
    """Queued messages were changed, or put back into the queue, by somebody else. Answers None."""


@frozen
class GetPace:
    """Answers the session's QueuePace."""


@frozen(kw_only=True)
class QueuePace:
    """How fast a queue moves while its session is connected."""

    first: float  # seconds until one message may go; below zero: more than one may at once
    interval: float  # seconds from one to the next

    def wait(self, position: int) -> float:
        """Seconds until the turn of the message at this position, 0 the first."""
        return max(0.0, self.first + position * self.interval)


@frozen
class Perform:
    """Do something with the connected client, in a task of the session's own; answers what `act` returns.

    `name` is what it is called in the tree and in logs, such as `group.leave`. Raises as Send without the
    limiter; what `act` raises as a SessionError is answered as it is.
    """

    name: str
    act: Callable[[Client], Awaitable[Any]]


@frozen(kw_only=True)
class Sent:
    """WhatsApp's acknowledgement of a message."""

    message_id: str  # WhatsApp's id of the message
    chat: str  # the JID it went to
    timestamp: datetime


@frozen
class CheckContacts:
    """Ask WhatsApp which of these numbers (digits with country code) have an account.

    Answers a tuple of ContactCheck in the order asked. Raises as Send, without the limiter.
    """

    phones: tuple[str, ...]


@frozen(kw_only=True)
class ContactCheck:
    phone: str
    exists: bool
    jid: str | None
    lid: str | None


@frozen
class MarkRead:
    """Send read receipts for messages of one chat. Answers None. Raises as CheckContacts."""

    chat: str
    sender: str
    message_ids: tuple[str, ...]


SessionRequest = (
    Leave
    | Start
    | Stop
    | RestartClient
    | Logout
    | GetQr
    | PairWithCode
    | GetStatus
    | Send
    | SendMany
    | QueueChanged
    | GetPace
    | Perform
    | CheckContacts
    | MarkRead
)
