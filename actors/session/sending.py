"""The sends of one session, in the order they were asked: intent stored, given to WhatsApp, outcome stored.

The client library sends one message of an account at a time anyway, so a queue costs no throughput and keeps
each chat's order. A message that was given to WhatsApp and whose answer is lost becomes `unknown`; it is
never sent again by itself.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import trio
from attrs import define, evolve, field, frozen

from actors.errors import (
    AccountRestricted,
    OutcomeUnknown,
    QueueFull,
    RateLimited,
    RecipientNotOnWhatsApp,
    SessionError,
    SessionRestarting,
    WhatsAppFailed,
)
from actors.limiter import TokenBucket
from actors.outgoing.compose import Composed, Composer
from actors.outgoing.intent import Intent, to_json
from actors.session.contacts import KnownContacts
from actors.session.inbound import PHONE_SERVER, Key, phone_first, update_data
from actors.session.messages import ContactCheck, Send, Sent
from actors.session.settings import Limits
from actors.session.stats import SessionStats
from actors.whatsapp import errors as wa
from actors.whatsapp.client import Client, OnWhatsApp, SendResult
from runtime import Ref, Reply
from storage.errors import WriteRefused
from storage.ids import new_id
from storage.rows import Message, MessageStatus
from storage.writes import NewEvent, StoreMessage, UpdateMessage

# WhatsApp's answer to a message to a stranger from an account that wrote to too many of them.
_REACHED_OUT_TOO_MUCH = 463


class Account(Protocol):
    """What sending needs to know of its session."""

    session_id: str

    def connected_client(self) -> Client:
        """The client that is logged in now; raises a SessionError where there is none."""

    def own_jid(self) -> str:
        """The account's phone-number JID."""


@frozen
class _Outgoing:
    request: Send
    reply: Reply


@frozen
class _Acknowledged:
    """WhatsApp has it."""

    intent: Message
    composed: Composed
    chat_alt: str | None
    result: SendResult


@define(eq=False)
class Sending:
    """A session's queue of outgoing messages, its worker, and its checks of phone numbers."""

    account: Account
    composer: Composer
    writer: Ref
    limits: Limits
    stats: SessionStats
    timeout: float  # seconds for WhatsApp's acknowledgement
    clock: Callable[[], float] = trio.current_time
    contacts: KnownContacts = field(factory=KnownContacts)
    _bucket: TokenBucket = field(init=False)
    _in_the_air: set[trio.Event] = field(factory=set, init=False)
    _put: trio.MemorySendChannel[_Outgoing] = field(init=False)
    _take: trio.MemoryReceiveChannel[_Outgoing] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bucket = TokenBucket(self.limits.per_minute, self.limits.burst)
        self._put, self._take = trio.open_memory_channel[_Outgoing](self.limits.queue)

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
        if self._put.statistics().current_buffer_used >= self.limits.queue:
            self.stats.limited["queue"] += 1
            raise QueueFull(session_id=session_id, retry_after=max(1.0, 60 / self.limits.per_minute))
        wait = self._bucket.take(self.clock())
        if wait > 0:
            self.stats.limited["rate"] += 1
            raise RateLimited(session_id=session_id, limit=self.limits.per_minute, retry_after=wait)

    def enqueue(self, request: Send, reply: Reply) -> None:
        """Queue a message that was admitted; `reply` is answered when WhatsApp has acknowledged it."""
        self._put.send_nowait(_Outgoing(request, reply))

    def limit(self, limits: Limits) -> None:
        """Go on with other limits. The bucket starts full, the queue keeps its size."""
        if (limits.per_minute, limits.burst) != (self.limits.per_minute, self.limits.burst):
            self._bucket = TokenBucket(limits.per_minute, limits.burst)
        self.limits = evolve(limits, queue=self.limits.queue)

    async def run(self) -> None:
        """Send what is queued, for as long as the session's actor lives."""
        async with trio.open_nursery() as settling:
            async for outgoing in self._take:
                if outgoing.reply.abandoned:
                    self._bucket.refund()
                    self.stats.sends["withdrawn"] += 1
                    continue
                settled = trio.Event()
                try:
                    acknowledged = await self._send(outgoing.request, settled)
                except (SessionError, WriteRefused) as error:
                    outgoing.reply.fail(error)
                    self._in_the_air.discard(settled)
                    settled.set()
                else:
                    # The next message need not wait for the commit.
                    settling.start_soon(self._settle, outgoing.reply, acknowledged, settled)

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

    async def check(self, phones: tuple[str, ...], reply: Reply) -> None:
        """Answer CheckContacts."""
        try:
            answers = await self._ask(self.account.connected_client(), list(dict.fromkeys(phones)))
        except SessionError as error:
            reply.fail(error)
            return
        found = {answer.phone: answer for answer in answers}
        reply.send(
            tuple(
                ContactCheck(
                    phone=phone, exists=found[phone].exists, jid=found[phone].jid, lid=found[phone].lid
                )
                for phone in phones
            )
        )

    async def _send(self, request: Send, settled: trio.Event) -> _Acknowledged:
        try:
            client = self.account.connected_client()
            chat, chat_alt = await self._recipient(client, request.to)
            asked = Intent(to=request.to, content=request.content, options=request.options)
            own_jid = self.account.own_jid()
            composed = await self.composer.compose(asked, chat=chat, own_jid=own_jid, client=client)
            intent = self._intent(request, asked, chat, composed)
            await self.writer.call(StoreMessage(message=intent), timeout=math.inf)
        except (SessionError, WriteRefused):
            self._bucket.refund()  # nothing reached WhatsApp's message service
            self.stats.sends["refused"] += 1
            raise
        self._in_the_air.add(settled)
        given = self.clock()
        try:
            result = await client.send(chat, composed.message, timeout=self.timeout)
        except wa.CellError as error:
            await self._failed(intent, chat_alt, error)
            raise self.as_session_error(error, intent.id) from error
        self.stats.acknowledged.observe(self.clock() - given)
        return _Acknowledged(intent, composed, chat_alt, result)

    async def _settle(self, reply: Reply, acknowledged: _Acknowledged, settled: trio.Event) -> None:
        """Store that WhatsApp has the message, then answer: a caller can look up what it was told of."""
        intent, result = acknowledged.intent, acknowledged.result
        at = datetime.fromtimestamp(result.timestamp, UTC)
        key = Key(chat=intent.chat, chat_alt=acknowledged.chat_alt, from_me=True, id=result.message_id)
        await self.writer.call(
            UpdateMessage(
                session_id=intent.session_id,
                id=intent.id,
                wa_id=result.message_id,
                status=MessageStatus.SENT,
                occurred_at=at,
                events=(NewEvent("messages.update", update_data(key, MessageStatus.SENT, at), at),),
            ),
            timeout=math.inf,
        )
        for write in acknowledged.composed.then(result):
            await self.writer.cast(write)
        self._in_the_air.discard(settled)
        settled.set()
        self.stats.sends[MessageStatus.SENT] += 1
        reply.send(Sent(message_id=result.message_id, chat=intent.chat, timestamp=at))

    def _intent(self, request: Send, asked: Intent, chat: str, composed: Composed) -> Message:
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
            intent=to_json(asked),
            media_id=composed.media_id,
            priority=request.priority,
            send_at=request.send_at,
            expires_at=request.expires_at,
            batch_id=request.batch_id,
            claim_id=request.claim_id,
        )

    async def _failed(self, intent: Message, chat_alt: str | None, error: wa.CellError) -> None:
        lost_answer = isinstance(error, wa.OutcomeUnknown)
        status = MessageStatus.UNKNOWN if lost_answer else MessageStatus.FAILED
        self.stats.sends[status] += 1
        at = datetime.now(UTC)
        key = Key(chat=intent.chat, chat_alt=chat_alt, from_me=True, id=intent.id)
        await self.writer.call(
            UpdateMessage(
                session_id=intent.session_id,
                id=intent.id,
                status=status,
                error=str(error),
                events=(NewEvent("messages.update", update_data(key, status, at, str(error)), at),),
            ),
            timeout=math.inf,
        )

    async def _recipient(self, client: Client, to: str) -> tuple[str, str | None]:
        """The chat to send to, and its other address. A phone number is looked up first."""
        if to.endswith(PHONE_SERVER):
            to = to.removesuffix(PHONE_SERVER)
        if "@" in to:
            return to, None
        known = self.contacts.get(to, self.clock()) or (await self._ask(client, [to]))[0]
        if not known.exists or known.jid is None:
            raise RecipientNotOnWhatsApp(recipient=to)
        return phone_first(known.jid, known.lid)

    async def _ask(self, client: Client, phones: list[str]) -> list[OnWhatsApp]:
        try:
            answers = await client.is_on_whatsapp(phones, timeout=self.timeout)
        except wa.CellError as error:
            raise self.as_session_error(error, None) from error
        self.contacts.remember(answers, self.clock())
        return answers

    def as_session_error(self, error: wa.CellError, message_id: str | None) -> SessionError:
        """What a failed call means to the caller; `message_id` where a message was given to WhatsApp."""
        session_id = self.account.session_id
        match error:
            case wa.OutcomeUnknown() if message_id is not None:
                return OutcomeUnknown(session_id=session_id, message_id=message_id)
            case wa.OutcomeUnknown() | wa.NotConnected():
                return SessionRestarting(session_id=session_id, retry_after=1.0)
            case wa.WhatsAppError(code=code) if code == _REACHED_OUT_TOO_MUCH:
                return AccountRestricted(session_id=session_id, reason="too many messages to new contacts")
            case wa.WhatsAppError(code=code, text=text):
                return WhatsAppFailed(session_id=session_id, reason=text, code=code)
            case _:
                return WhatsAppFailed(session_id=session_id, reason=str(error))
