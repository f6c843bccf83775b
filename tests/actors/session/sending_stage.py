"""A session's sends over a real database, and a client that is told what becomes of each message."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import trio
from attrs import define, field

from actors.errors import SessionRestarting
from actors.outgoing.compose import Composer
from actors.outgoing.content import Text
from actors.session.health import AccountHealth, Health
from actors.session.messages import Send, Sent
from actors.session.recipients import Recipients
from actors.session.sending import Sending
from actors.session.settings import Limits
from actors.session.stats import AllSessionStats
from actors.session.strangers import Strangers
from actors.whatsapp.client import Client, OnWhatsApp, SendResult
from runtime import Actor, ChildSpec, Ref, Supervisor
from storage.media import MediaStore
from storage.rows import Message, MessageStatus, Session
from storage.writes import Insert, NewEvent, Update, Write
from tests.storage.gateway import Gateway, running_writer

SESSION = "ana"
BUDI, CITRA, DEWI = "628110000002", "628110000003", "628110000004"
SENT_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT_WILL = Limits(per_minute=1_000_000, burst=1_000_000)


def jid(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


def queued(text: str, to: str = BUDI, **more: Any) -> Send:
    return Send(to=to, content=Text(text=text), queued=True, **more)


@define(eq=False)
class Line:
    """What a session sees of WhatsApp: every number has an account, and every message is taken."""

    session_id: str = SESSION
    sent: list[tuple[str, str]] = field(factory=list)
    """Phone and text of what was given to WhatsApp."""
    presence: list[tuple[str, bool]] = field(factory=list)
    failures: dict[str, Exception] = field(factory=dict)
    """By text: why a message is not taken, once."""
    looked_up: Callable[[], Any] | None = None
    """An async function that runs while a number is looked up."""
    gate: trio.Event | None = None
    """Messages wait for it on their way out."""

    async def is_on_whatsapp(self, phones: list[str], timeout: float) -> list[OnWhatsApp]:
        del timeout
        if self.looked_up is not None:
            await self.looked_up()
        return [
            OnWhatsApp(phone, exists=True, jid=jid(phone), lid=None, verified_name=None) for phone in phones
        ]

    async def send(self, to: str, message: Any, timeout: float) -> SendResult:
        del timeout
        text = message.conversation or message.extendedTextMessage.text
        if (failure := self.failures.pop(text, None)) is not None:
            raise failure
        self.sent.append((to.partition("@")[0], text))
        if self.gate is not None:
            await self.gate.wait()
        return SendResult(message_id=f"WA{len(self.sent)}", timestamp=SENT_AT.timestamp(), server_id=None)

    async def send_chat_presence(self, chat: str, *, composing: bool, audio: bool) -> None:
        del audio
        self.presence.append((chat, composing))


class _Asking(Actor):
    """Gives a send to Sending as the session's actor does."""

    domain_errors = (Exception,)

    def __init__(self, sending: Sending) -> None:
        self.sending = sending

    async def handle(self, message: Send) -> None:
        self.sending.admit()
        self.sending.enqueue(message, self.defer())


@define(eq=False)
class Stage:
    """The sends of one session, which is the Account that they ask."""

    gateway: Gateway
    line: Line = field(factory=Line)
    connected: bool = True
    session_id: str = SESSION
    sending: Sending = field(init=False)
    asking: Ref = field(init=False)

    def connected_client(self) -> Client:
        if not self.connected:
            raise SessionRestarting(session_id=SESSION, retry_after=1.0)
        return cast("Client", self.line)

    def own_jid(self) -> str:
        return jid("628110000001")

    def connect(self, *, up: bool) -> None:
        self.connected = up
        self.sending.wake()

    async def keep(self, *texts: str, **more: Any) -> list[str]:
        """Queue texts; their ids."""
        return [(await self.sending.keep(queued(text, **more))).message_id for text in texts]

    async def ask(self, text: str, to: str = BUDI) -> Sent:
        """Send a text and wait for WhatsApp's answer."""
        answer: Sent = await self.asking.call(Send(to=to, content=Text(text=text)), timeout=30)
        return answer

    async def write(self, change: Write) -> None:
        """Change something in the database and tell the session of it."""
        await self.gateway.writer.call(change)
        self.sending.outbox.changed()

    async def message(self, message_id: str) -> Message:
        found = await self.gateway.reads.message(SESSION, message_id)
        assert found is not None
        return found

    async def becomes(self, message_id: str, status: MessageStatus) -> Message:
        """Wait until a message has this status."""
        with trio.fail_after(10):
            while (message := await self.message(message_id)).status is not status:
                await trio.sleep(0.005)
            return message

    async def told(self, name: str) -> list[dict[str, Any]]:
        events = await self.gateway.reads.session_events_after(SESSION, 0, events=[name])
        return [event.data for event in events]


@asynccontextmanager
async def sends(
    database: str, *, limits: Limits = AT_WILL, queued_max: int = 100, before: Sequence[Write] = ()
) -> AsyncIterator[Stage]:
    """Run the sends of a session, with `before` stored already."""
    async with running_writer(database, batch_ms=1) as gateway:
        await gateway.writer.call(Insert(Session(id=SESSION, name="Ana", phone="628110000001")))
        for write in before:
            await gateway.writer.call(write)
        stage = Stage(gateway)

        async def store(changes: dict[str, Any], events: tuple[NewEvent, ...]) -> None:
            await gateway.writer.call(Update(Session, SESSION, changes, events))

        health = AccountHealth(Health(), store)
        stage.sending = Sending(
            account=stage,
            composer=Composer(SESSION, gateway.reads, cast("MediaStore", None)),
            recipients=Recipients(timeout=1.0),
            strangers=Strangers(
                session_id=SESSION,
                reads=gateway.reads,
                health=health,
                lock=timedelta(hours=24),
                per_day=limits.new_chats_per_day,
            ),
            reads=gateway.reads,
            writer=gateway.writer,
            limits=limits,
            queued_max=queued_max,
            stats=AllSessionStats().of(SESSION),
            timeout=1.0,
        )
        asking = Supervisor([ChildSpec("asking", partial(_Asking, stage.sending))])
        async with trio.open_nursery() as nursery:
            await nursery.start(asking.run)
            stage.asking = asking.ref("asking")
            nursery.start_soon(health.watch)
            nursery.start_soon(stage.sending.run)
            yield stage
            nursery.cancel_scope.cancel()
