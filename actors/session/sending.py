"""The sends of one session, one after the other: those that somebody waits for, and between them the queue's.

The client library sends one message of an account at a time anyway, so one worker costs no throughput and
keeps each chat's order. What is given to WhatsApp is stored as `sending` before, and its outcome after. A
message whose answer is lost becomes `unknown`; it is never sent again by itself.
"""

import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import trio
from attrs import define, evolve, field, frozen

from actors.errors import (
    AccountRestricted,
    NewChatCap,
    QueueFull,
    RateLimited,
    SessionDisconnected,
    SessionError,
    SessionLoggedOut,
    SessionRestarting,
)
from actors.limiter import TokenBucket
from actors.outgoing.compose import Composed, Composer
from actors.outgoing.intent import Intent, from_json, to_json
from actors.session.inbound import update_data
from actors.session.keys import PHONE_SERVER, Key
from actors.session.messages import Queued, Send, Sent
from actors.session.outbox import RETRY, Outbox
from actors.session.outcomes import error_text, reached_out_too_much, session_error
from actors.session.pace import Pace
from actors.session.queued import give_up, put_back, put_off, queue
from actors.session.recipients import Recipients
from actors.session.settings import Limits
from actors.session.stats import SessionStats
from actors.session.strangers import Strangers
from actors.session.typing import show_typing
from actors.whatsapp import errors as wa
from actors.whatsapp.client import Client, SendResult
from runtime import Ref, Reply
from storage.errors import DatabaseUnavailable, StorageError, WriteRefused
from storage.ids import new_id
from storage.reads import Reads
from storage.rows import Message, MessageStatus
from storage.writes import NewEvent, StoreMessage, UpdateMessage, Written

log = logging.getLogger("session")

_UNTIL_BETTER_KNOWN = timedelta(hours=1)
"""How long a message is put off that may not go now, where nobody said until when."""


class Account(Protocol):
    """What sending needs to know of its session."""

    session_id: str

    def connected_client(self) -> Client:
        """The client that is logged in now; raises a SessionError where there is none."""

    def own_jid(self) -> str:
        """The account's phone-number JID; raises a SessionError where there is none."""


@frozen
class _Outgoing:
    request: Send
    reply: Reply


@frozen
class _Ready:
    """A message that can be given to WhatsApp."""

    chat: str
    chat_alt: str | None
    composed: Composed
    begins: bool
    """Whether it begins a chat with a stranger, and was counted as that."""


@define(eq=False)
class Sending:
    """A session's sends, and the worker that does them."""

    account: Account
    composer: Composer
    recipients: Recipients
    strangers: Strangers
    reads: Reads
    writer: Ref
    limits: Limits
    queued_max: int
    stats: SessionStats
    timeout: float  # seconds for WhatsApp's acknowledgement
    clock: Callable[[], float] = trio.current_time
    outbox: Outbox = field(init=False)
    pace: Pace = field(init=False)
    _direct: deque[_Outgoing] = field(factory=deque, init=False)
    _woken: trio.Event = field(factory=trio.Event, init=False)
    _in_the_air: set[trio.Event] = field(factory=set, init=False)
    _settling: trio.Nursery = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pace = Pace(TokenBucket(self.limits.per_minute, self.limits.burst))
        self.outbox = Outbox(
            session_id=self.account.session_id,
            reads=self.reads,
            writer=self.writer,
            most=self.queued_max,
            news=self.wake,
        )

    # --- what is asked -------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Take a token, when the session is connected and there is room for one more message.

        Raises QueueFull, RateLimited and what `connected_client` raises.
        """
        try:
            self.account.connected_client()
            self._admit(self.account.session_id)
        except SessionError:
            self.stats.sends["refused"] += 1
            raise

    def _admit(self, session_id: str) -> None:
        if len(self._direct) >= self.limits.queue:
            self.stats.limited["queue"] += 1
            raise QueueFull(session_id=session_id, retry_after=max(1.0, self.pace.bucket.interval))
        wait = self.pace.direct(self.clock())
        if wait > 0:
            self.stats.limited["rate"] += 1
            raise RateLimited(session_id=session_id, limit=self.limits.per_minute, retry_after=wait)

    def enqueue(self, request: Send, reply: Reply) -> None:
        """Send a message that was admitted; `reply` is answered when WhatsApp has acknowledged it."""
        self._direct.append(_Outgoing(request, reply))
        self.wake()

    def keep(self, send: Send) -> Awaitable[Queued]:
        """Queue a message, in the order of the calls; awaited, it is stored. Raises as `Outbox.add`.

        And, at once, what `Account.own_jid` raises.
        """
        row = queue(send, self.account.session_id, self.account.own_jid())
        return self.outbox.add(row, self.pace)

    def keep_batch(self, sends: tuple[Send, ...], batch_id: str) -> Awaitable[tuple[Queued, ...]]:
        """The same for the messages of a batch, all or none."""
        own_jid = self.account.own_jid()
        rows = tuple(queue(send, self.account.session_id, own_jid, batch_id) for send in sends)
        return self.outbox.add_batch(rows, batch_id, self.pace)

    def limit(self, limits: Limits) -> None:
        """Go on with other limits. At another rate the bucket starts full."""
        self.pace.change(limits.per_minute, limits.burst)
        self.strangers.limit(limits.new_chats_per_day)
        self.limits = limits
        self.wake()

    def wake(self) -> None:
        """Something may be possible now that was not before: look again."""
        self._woken.set()

    async def settled(self) -> None:
        """Wait until every message that WhatsApp has been given by now is stored with its id.

        Only then can a receipt find its message.
        """
        for event in tuple(self._in_the_air):
            await event.wait()

    @property
    def in_the_air(self) -> bool:
        """Whether a message has been given to WhatsApp and is not stored as sent."""
        return bool(self._in_the_air)

    # --- the worker ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send, for as long as the session's actor lives."""
        async with trio.open_nursery() as self._settling:
            self._settling.start_soon(self.outbox.watch)
            await self.outbox.recover()
            while True:
                self._woken = trio.Event()
                if self._direct:
                    await self._send_direct(self._direct.popleft())
                elif (wait := await self._send_queued()) > 0:
                    with trio.move_on_after(wait):
                        await self._woken.wait()

    async def _send_direct(self, outgoing: _Outgoing) -> None:
        request, reply = outgoing.request, outgoing.reply
        if reply.abandoned:
            self.pace.bucket.refund()
            self.stats.sends["withdrawn"] += 1
            return
        intent = Intent(to=request.to, content=request.content, options=request.options)
        try:
            client = self.account.connected_client()
            ready = await self._prepare(client, intent)
            message = self._message(request, intent, ready)
            await self.writer.call(StoreMessage(message=message), timeout=math.inf)
        except (SessionError, StorageError) as error:
            self.pace.bucket.refund()  # nothing reached WhatsApp's message service
            self.stats.sends["refused"] += 1
            reply.fail(error)
            return
        failure = await self._give(client, message, ready, reply)
        if failure is not None:
            await self._store_failure(message, ready, failure)
            reply.fail(await self._explain(failure, message))

    async def _send_queued(self) -> float:
        """Send the queue's next message. The seconds until there may be something to do; 0.0: look again."""
        try:
            client = self.account.connected_client()
        except SessionError:
            self.pace.free()
            return math.inf  # a change of the session's state wakes
        try:
            found = await self.outbox.next()
            if not isinstance(found, Message):
                self.pace.free()
                return found
            wait = self.pace.queued(self.clock())
            return wait if wait > 0 else await self._send_row(client, found)
        except DatabaseUnavailable:
            return RETRY

    async def _send_row(self, client: Client, row: Message) -> float:
        try:
            assert row.intent is not None  # it is queued
            ready = await self._prepare(client, from_json(row.intent))
        except (SessionRestarting, SessionDisconnected, SessionLoggedOut):
            return RETRY
        except (AccountRestricted, NewChatCap) as error:
            await self.writer.call(put_off(row, _until(error)), timeout=math.inf)
            return 0.0
        except SessionError as error:
            await self._give_up(row, error_text(error))
            return 0.0
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one message that cannot be made must not stop the others
            log.error("message_not_composed session=%s error=%s", row.session_id, type(error).__name__)  # noqa: TRY400
            await self._give_up(row, "internal_error")
            return 0.0
        try:
            written: Written = await self.writer.call(_begun(row, ready), timeout=math.inf)
        except WriteRefused as error:
            self._withdraw(ready)
            await self._give_up(row, str(error))
            return 0.0
        if not written.applied:  # cancelled or changed meanwhile
            self._withdraw(ready)
            return 0.0
        row = evolve(row, chat=ready.chat)
        failure = await self._give(client, row, ready, None)
        if isinstance(failure, wa.NotConnected):
            await self.writer.call(put_back(row), timeout=math.inf)
            return RETRY
        self.pace.spent()
        if failure is not None and reached_out_too_much(failure):
            refused = await self.strangers.refused()
            await self.writer.call(put_back(row, _until(refused)), timeout=math.inf)
        elif failure is not None:
            await self._store_failure(row, ready, failure)
        return 0.0

    async def _give_up(self, row: Message, why: str) -> None:
        self.stats.sends[MessageStatus.FAILED] += 1
        await self.writer.call(give_up(row, why), timeout=math.inf)

    # --- one message ---------------------------------------------------------------------------------------

    async def _prepare(self, client: Client, intent: Intent) -> _Ready:
        """All that comes before WhatsApp is given the message. Raises SessionError, DatabaseUnavailable."""
        try:
            chat, chat_alt = await self.recipients.find(client, intent.to)
        except wa.CellError as error:
            raise session_error(self.account.session_id, error) from error
        begins = await self.strangers.admit(chat, chat_alt)
        try:
            own_jid = self.account.own_jid()
            composed = await self.composer.compose(intent, chat=chat, own_jid=own_jid, client=client)
            await show_typing(client, chat, intent)
        except BaseException:
            if begins:
                self.strangers.withdraw()
            raise
        return _Ready(chat, chat_alt, composed, begins)

    def _message(self, request: Send, intent: Intent, ready: _Ready) -> Message:
        chat, composed = ready.chat, ready.composed
        return Message(
            session_id=self.account.session_id,
            id=new_id("msg"),
            chat=chat,
            sender=self.account.own_jid(),
            recipient_phone=chat.removesuffix(PHONE_SERVER) if chat.endswith(PHONE_SERVER) else None,
            from_me=True,
            type=composed.type,
            text=composed.text,
            payload=composed.payload,
            status=MessageStatus.SENDING,
            client_ref=request.client_ref,
            raw=composed.message.SerializeToString(),
            intent=to_json(intent),
            media_id=composed.media_id,
            priority=request.priority,
            expires_at=request.expires_at,
            batch_id=request.batch_id,
            claim_id=request.claim_id,
        )

    async def _give(
        self, client: Client, message: Message, ready: _Ready, reply: Reply | None
    ) -> wa.CellError | None:
        """Give a message that is stored as `sending` to WhatsApp; why it was not taken, if it was not.

        The next message need not wait until it is stored that this one was sent.
        """
        settled = trio.Event()
        self._in_the_air.add(settled)
        given = self.clock()
        try:
            result = await client.send(ready.chat, ready.composed.message, timeout=self.timeout)
        except wa.CellError as error:
            if not isinstance(error, wa.OutcomeUnknown):
                self._withdraw(ready)
            self._land(settled)
            return error
        self.stats.acknowledged.observe(self.clock() - given)
        self.strangers.wrote(ready.chat)
        self._settling.start_soon(self._settle, message, ready, result, reply, settled)
        return None

    async def _settle(
        self, message: Message, ready: _Ready, result: SendResult, reply: Reply | None, settled: trio.Event
    ) -> None:
        """Store that WhatsApp has the message, then answer: a caller can look up what it was told of."""
        at = datetime.fromtimestamp(result.timestamp, UTC)
        key = Key(chat=ready.chat, chat_alt=ready.chat_alt, from_me=True, id=result.message_id)
        await self.writer.call(
            UpdateMessage(
                session_id=message.session_id,
                id=message.id,
                wa_id=result.message_id,
                status=MessageStatus.SENT,
                occurred_at=at,
                events=(NewEvent("messages.update", update_data(key, MessageStatus.SENT, at), at),),
            ),
            timeout=math.inf,
        )
        for write in ready.composed.then(result):
            await self.writer.cast(write)
        self._land(settled)
        self.stats.sends[MessageStatus.SENT] += 1
        if reply is not None:
            reply.send(Sent(message_id=result.message_id, chat=ready.chat, timestamp=at))

    def _land(self, settled: trio.Event) -> None:
        self._in_the_air.discard(settled)
        settled.set()

    def _withdraw(self, ready: _Ready) -> None:
        """The message was not sent: it began no chat."""
        if ready.begins:
            self.strangers.withdraw()

    async def _store_failure(self, message: Message, ready: _Ready, error: wa.CellError) -> None:
        lost_answer = isinstance(error, wa.OutcomeUnknown)
        status = MessageStatus.UNKNOWN if lost_answer else MessageStatus.FAILED
        self.stats.sends[status] += 1
        at = datetime.now(UTC)
        key = Key(chat=ready.chat, chat_alt=ready.chat_alt, from_me=True, id=message.id)
        await self.writer.call(
            UpdateMessage(
                session_id=message.session_id,
                id=message.id,
                status=status,
                error=str(error),
                events=(NewEvent("messages.update", update_data(key, status, at, str(error)), at),),
            ),
            timeout=math.inf,
        )

    async def _explain(self, error: wa.CellError, message: Message) -> SessionError:
        """What to tell the caller; that strangers are out of reach from now on is remembered."""
        if reached_out_too_much(error):
            return await self.strangers.refused()
        return session_error(message.session_id, error, message.id)


def _begun(row: Message, ready: _Ready) -> UpdateMessage:
    """The queued message is given to WhatsApp next, unless somebody changed it since it was read."""
    return UpdateMessage(
        session_id=row.session_id,
        id=row.id,
        status=MessageStatus.SENDING,
        only_from=MessageStatus.QUEUED,
        unchanged_since=row.updated_at,
        chat_is=ready.chat,
        type=ready.composed.type,
        text=ready.composed.text,
        payload=ready.composed.payload,
        raw=ready.composed.message.SerializeToString(),
        media_id=ready.composed.media_id,
    )


def _until(error: AccountRestricted | NewChatCap) -> datetime:
    """When a message that may not go now may be tried again."""
    now = datetime.now(UTC)
    if isinstance(error, NewChatCap):
        return now + timedelta(seconds=error.retry_after)
    return error.until or now + _UNTIL_BETTER_KNOWN
