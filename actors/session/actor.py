"""The session actor: one WhatsApp account's client, kept where the user wants it.

`handle` only decides (state.py) and starts things; whatever waits for WhatsApp runs in the actor's nursery:

    keeper    attaches and detaches the client, one step after the other
    sending   the queue of outgoing messages
    timer     feeds `Due` when the machine's time has come
    histories stores what the phone hands over of the past
    lost      tells of messages that came again and are not stored
    prover    asks WhatsApp for a sign of life when there was none for a while
    downloads brings the files of messages into the media store
"""

import logging
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, assert_never

import trio
from attrs import evolve, frozen

from actors.cells import CellPool
from actors.errors import (
    AccountRestricted,
    AlreadyRunning,
    NoQr,
    OutcomeUnknown,
    PairingRefused,
    SessionDisconnected,
    SessionError,
    SessionLoggedOut,
    SessionNotFound,
    SessionRestarting,
)
from actors.media.download import Downloader
from actors.outgoing.compose import Composer
from actors.session import messages as ask
from actors.session import state
from actors.session.addresses import Addresses
from actors.session.arrival import Known
from actors.session.calls import turn_down
from actors.session.content import Content
from actors.session.downloads import Downloads
from actors.session.earlier import EarlierMessages
from actors.session.health import AccountHealth, Health, HealthState
from actors.session.histories import Histories
from actors.session.inbound import writes_for
from actors.session.keeper import (
    Answer,
    AttachClient,
    AttachFailed,
    DetachClient,
    ForgetKeys,
    Keeper,
)
from actors.session.liveness import Liveness
from actors.session.lost import LostMessages
from actors.session.outcomes import session_error
from actors.session.pairing import Pairing
from actors.session.reading import read_content
from actors.session.receipts import SETTLING, Receipts
from actors.session.recipients import Recipients
from actors.session.sending import Sending
from actors.session.settings import HistoryDepth, SessionConfig, settings_of
from actors.session.signals import input_for, is_sign_of_life
from actors.session.state import RUNNING_STATES, Machine, SessionState
from actors.session.stats import AllSessionStats
from actors.session.strangers import Strangers
from actors.whatsapp import events as wa
from actors.whatsapp.client import Client, ClientLost, ClientNotice
from actors.whatsapp.decode import decode
from actors.whatsapp.errors import CellError
from actors.whatsapp.errors import OutcomeUnknown as UnknownToClient
from actors.whatsapp.jid import phone_jid
from runtime import Actor, Exit, Ref, Reply
from storage.errors import DatabaseUnavailable, StorageError
from storage.media import MediaStore
from storage.reads import Reads
from storage.rows import Session
from storage.writes import Append, ForgetLeftovers, NewEvent, StoreMessage, Update

log = logging.getLogger("session")


@frozen
class _Fed:
    """An input for the state machine from the actor's own tasks; `tell` is called once it took effect."""

    event: state.Input
    tell: Callable[[], object] | None = None


@frozen
class _Handled:
    """Sets an event once everything that came before it was handled."""

    event: trio.Event


_LEFTOVERS = 100  # records of another node's journal that are stored at once
_LAST_WRITES = 3.0  # seconds to store what a client that leaves had received; its journal keeps the rest


class SessionActor(Actor):
    """One WhatsApp session. Its protocol is `actors.session.messages`."""

    domain_errors = (SessionError,)

    def __init__(
        self,
        session_id: str,
        *,
        config: SessionConfig,
        pool: CellPool,
        writer: Ref,
        reads: Reads,
        media: MediaStore,
        downloader: Downloader | None = None,
        epoch: int | None = None,
        stats: AllSessionStats | None = None,
    ) -> None:
        """Without a `downloader` the files of messages are downloaded only when somebody asks for them.

        With many nodes `epoch` says how often the session has come to another: each time has its own journal.
        """
        self.session_id = session_id
        self._media = media
        self._epoch = epoch
        self._downloader = downloader
        self._config = config
        self._pool = pool
        self._writer = writer
        self._reads = reads
        self._stats = stats or AllSessionStats()
        self._pairing = Pairing(session_id)
        self._liveness = Liveness(config.liveness_window, config.probe_timeout)
        self._addresses = Addresses()
        self._due_changed = trio.Event()

    # --- life ----------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        row = self._row = await self._stored()
        self._seen = row.journal_seq
        self._settings = settings_of(row.settings, self._config)
        self._counts = self._stats.of(self.session_id)
        self._keeper = Keeper(self.session_id, self.ref, self._pool, self._config, self._counts, self._epoch)
        self._recipients = Recipients(timeout=self._config.send_timeout)
        self._health = AccountHealth(Health.from_json(row.health), self._change)
        self._sending = Sending(
            account=self,
            composer=Composer(self.session_id, self._reads, self._media, self._settled),
            recipients=self._recipients,
            strangers=Strangers(
                session_id=self.session_id,
                reads=self._reads,
                health=self._health,
                lock=timedelta(seconds=self._config.stranger_lock),
                per_day=self._settings.limits.new_chats_per_day,
            ),
            reads=self._reads,
            writer=self._writer,
            limits=self._settings.limits,
            queued_max=self._config.queued_max,
            stats=self._counts,
            timeout=self._config.send_timeout,
        )
        self._receipts = Receipts(self._sending.settled, self._writer)
        self._earlier = EarlierMessages(self.session_id, self._reads, self._writer, self._settled)
        self._lost = LostMessages(self.session_id, self._reads, self._writer)
        self._histories = Histories(
            self.session_id,
            self._reads,
            self._writer,
            own=self._own_addresses,
            ignores=self._ignores,
        )
        self._machine = Machine(
            state=SessionState(row.status),
            desired=row.desired,
            paired=row.jid is not None,
            error=row.last_error,
        )
        for task in (
            self._keeper.run,
            self._sending.run,
            self._health.watch,
            self._lost.run,
            self._histories.run,
            self._timer,
            self._prover,
        ):
            self.nursery.start_soon(task)
        self._downloads = None
        if self._downloader is not None:
            self._downloads = Downloads(
                self.session_id, self._downloader, self._writer, self.connected_client
            )
            self.nursery.start_soon(self._downloads.run)
        await self._advance(state.Begin())

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002, ARG002 - the runtime's
        await self._keeper.detach()

    async def handle(self, message: Any) -> Any:
        match message:
            case ClientNotice():
                await self._notice(message)
            case ClientLost(client=client, reason=reason):
                if self._keeper.lost(client):
                    await self._advance(state.ClientEnded(reason))
            case AttachFailed(reason=reason, device_missing=True):
                await self._advance(state.LoggedOutRemotely(reason))
            case AttachFailed(reason=reason):
                await self._advance(state.ClientEnded(reason))
            case _Fed(event=event, tell=tell):
                await self._advance(event, tell)
            case _Handled(event=event):
                event.set()
            case ask.TakeLeftovers():
                try:
                    await self._take_leftovers()
                except DatabaseUnavailable:  # whoever asked for it asks again
                    log.info("leftovers_not_taken session=%s", self.session_id)
            case _:
                return await self._asked(message)
        return None

    async def _advance(self, event: state.Input, tell: Callable[[], object] | None = None) -> None:
        """Feed the machine, carry its effects out, store and announce a new state; then call `tell`."""
        before = self._machine
        self._machine, effects = state.advance(before, event, trio.current_time(), self._config.policy)
        for effect in effects:
            match effect:
                case state.Attach(pairing=pairing, wait=wait):
                    self._pairing.end()
                    self._keeper.do(
                        AttachClient(
                            at=trio.current_time() + wait,
                            jid=None if pairing else self._row.jid,
                            # What is taken over is not stored yet: until it is, the journal keeps it.
                            after=self._row.journal_seq,
                            seen=self._seen,
                            device_name=self._settings.device_name,
                            full_history=self._settings.history is HistoryDepth.FULL,
                            proxy=self._settings.proxy,
                        )
                    )
                case state.Detach():
                    self._keeper.do(DetachClient())
                case state.ForgetDevice():
                    self._keeper.do(ForgetKeys(self._row.jid))
                case _:
                    assert_never(effect)
        if tell is not None:
            self._keeper.do(Answer(tell))
        if self._machine.due != before.due:
            self._due_changed.set()
        await self._record(before)

    async def _record(self, before: Machine) -> None:
        """Store what changed of the session, with its event where the state did."""
        now = self._machine
        self._stats.states[self.session_id] = now.state
        changes: dict[str, Any] = {}
        announced: tuple[NewEvent, ...] = ()
        if now.desired != before.desired:
            changes["desired"] = now.desired
        if before.paired and not now.paired:
            changes |= {"jid": None, "lid": None}
        if now.state != before.state:
            log.info("session_state session=%s from=%s to=%s", self.session_id, before.state, now.state)
            at = datetime.now(UTC)
            changes |= {"status": str(now.state), "status_since": at, "last_error": now.error}
            data = {"status": str(now.state), "previous": str(before.state), "reason": now.error}
            announced = (NewEvent("session.status", data, at),)
        if changes:
            await self._change(changes, announced)
        if now.state != before.state:
            await self._judge(now)
            self._sending.wake()

    async def _judge(self, now: Machine) -> None:
        """What the new state says of the account's health."""
        match now.state:
            case SessionState.CONNECTED:
                await self._health.mend(HealthState.BANNED, HealthState.LOGGED_OUT)
            case SessionState.RESTRICTED:
                await self._health.add(HealthState.BANNED, now.error, self._due_at())
            case SessionState.LOGGED_OUT if now.error is not None:  # not because the user asked for it
                await self._health.add(HealthState.LOGGED_OUT, now.error)

    async def _change(self, changes: dict[str, Any], announced: tuple[NewEvent, ...] = ()) -> None:
        self._row = evolve(self._row, **changes)
        await self._writer.cast(Update(Session, self.session_id, changes, announced))

    # --- what users ask ------------------------------------------------------------------------------------

    async def _asked(self, request: ask.SessionRequest) -> Any:
        match request:
            case ask.Start():
                if self._machine.state in RUNNING_STATES:
                    raise AlreadyRunning(session_id=self.session_id)
                await self._advance(state.StartAsked())
            case ask.Stop():
                await self._advance(state.StopAsked(), partial(self.defer().send, None))
            case ask.Leave():
                self.nursery.start_soon(self._answer_when, self._leave(), self.defer())
            case ask.RestartClient():
                await self._advance(state.RestartAsked())
            case ask.Logout():
                self.nursery.start_soon(self._log_out, self.defer())
            case ask.GetQr():
                if self._pairing.qr is None or self._machine.state is not SessionState.PAIRING:
                    raise NoQr(session_id=self.session_id, state=str(self._machine.state))
                return self._pairing.qr
            case ask.PairWithCode(phone=phone):
                if self._machine.paired and self._machine.state in RUNNING_STATES:
                    raise AlreadyRunning(session_id=self.session_id)
                self._pairing.ask(phone, self.defer())
                if self._machine.state is SessionState.PAIRING:
                    self._request_code()
                else:
                    await self._advance(state.StartAsked())
            case ask.Reload():
                row = await self._stored()
                self._settings = settings_of(row.settings, self._config)
                self._row = evolve(self._row, push_name=row.push_name)
                self._sending.limit(self._settings.limits)
            case ask.GetStatus():
                return self._status()
            case ask.Send() if request.queued or request.send_at is not None:
                self.nursery.start_soon(self._answer_when, self._sending.keep(request), self.defer())
            case ask.SendMany(batch_id=batch_id, sends=sends):
                keeping = self._sending.keep_batch(sends, batch_id)
                self.nursery.start_soon(self._answer_when, keeping, self.defer())
            case ask.QueueChanged():
                self._sending.outbox.changed()
            case ask.GetPace():
                return self._sending.pace.of_queue(trio.current_time())
            case ask.Send():
                self._sending.admit()
                self._sending.enqueue(request, self.defer())
            case ask.Perform(act=act):
                self.nursery.start_soon(self._answer_when, act(self.connected_client()), self.defer())
            case ask.CheckContacts(phones=phones):
                checking = self._recipients.check(self.connected_client(), phones)
                self.nursery.start_soon(self._answer_when, checking, self.defer())
            case ask.MarkRead(chat=chat, sender=sender, message_ids=ids):
                marking = self.connected_client().mark_read(ids, chat=chat, sender=sender)
                self.nursery.start_soon(self._answer_when, marking, self.defer())
            case _:
                assert_never(request)
        return None

    def connected_client(self) -> Client:
        """The client that is logged in now; raises a SessionError where there is none."""
        machine, session_id = self._machine, self.session_id
        match machine.state:
            case SessionState.CONNECTED if self._keeper.client is not None:
                return self._keeper.client
            case SessionState.LOGGED_OUT:
                raise SessionLoggedOut(session_id=session_id)
            case SessionState.RESTRICTED:
                reason, until = machine.error or "", self._due_at()
                raise AccountRestricted(session_id=session_id, reason=reason, until=until)
            case SessionState.RECONNECTING:
                known = machine.due is not None and not machine.hosted
                wait = machine.due - trio.current_time() if machine.due is not None and known else 1.0
                raise SessionRestarting(session_id=session_id, retry_after=max(1.0, wait))
            case SessionState.STARTING if machine.paired:
                raise SessionRestarting(session_id=session_id, retry_after=1.0)
            case _:
                raise SessionDisconnected(session_id=session_id, state=str(machine.state))

    def _due_at(self) -> datetime | None:
        """When the machine's time has come, on the wall clock."""
        due = self._machine.due
        return None if due is None else datetime.now(UTC) + timedelta(seconds=due - trio.current_time())

    def own_jid(self) -> str:
        """The account's phone-number JID; raises a SessionError where there is none (any more)."""
        if self._machine.state is SessionState.LOGGED_OUT:
            raise SessionLoggedOut(session_id=self.session_id)
        if self._row.phone is None:
            raise SessionDisconnected(session_id=self.session_id, state=str(self._machine.state))
        return phone_jid(self._row.phone)

    async def _settled(self) -> None:
        await self._sending.settled()

    def _ignores(self, chat: str) -> bool:
        return self._settings.ignored.covers_chat(chat)

    def _own_addresses(self) -> tuple[str, ...]:
        phone, lid = self._row.phone, self._row.lid
        return tuple(address for address in (phone and phone_jid(phone), lid) if address)

    def _status(self) -> ask.SessionStatus:
        client, paired = self._keeper.client, self._machine.paired and self._row.phone is not None
        return ask.SessionStatus(
            session_id=self.session_id,
            desired=str(self._machine.desired),
            actual=str(self._machine.state),
            since=self._row.status_since,
            restarts=max(0, self._keeper.attached - 1),
            last_error=self._machine.error,
            last_inbound_at=self._liveness.last_inbound_at,
            last_pong_at=self._liveness.last_pong_at,
            jid=self.own_jid() if paired else None,
            lid=self._row.lid if paired else None,
            phone=self._row.phone if paired else None,
            push_name=self._row.push_name if paired else None,
            cell=client.cell_id if client else None,
        )

    async def _log_out(self, reply: Reply) -> None:
        """Unlink at WhatsApp where there is a connection; the keys are forgotten in any case."""
        client = self._keeper.client
        if client is not None and self._machine.state is SessionState.CONNECTED:
            try:
                await client.logout(timeout=self._config.probe_timeout)
            except CellError as error:
                log.warning("logout_not_confirmed session=%s error=%s", self.session_id, type(error).__name__)
        await self.ref.cast(_Fed(state.LogoutAsked(), partial(reply.send, None)))

    def _request_code(self) -> None:
        """WhatsApp gives a pairing code only to a client that was shown its first QR code."""
        client = self._keeper.client
        asked = self._pairing.take_asked() if client is not None else None
        if client is None or asked is None:
            return
        phone, reply = asked

        async def request(client: Client) -> None:
            try:
                reply.send(await client.pair_phone(phone, timeout=self._config.probe_timeout))
            except CellError as error:
                reply.fail(PairingRefused(session_id=self.session_id, reason=str(error)))

        self.nursery.start_soon(request, client)

    async def _answer_when(self, call: Awaitable[Any], reply: Reply) -> None:
        try:
            answer = await call
        except UnknownToClient:
            reply.fail(OutcomeUnknown(session_id=self.session_id))
        except CellError as error:
            reply.fail(session_error(self.session_id, error))
        except (SessionError, StorageError) as error:
            reply.fail(error)
        else:
            reply.send(answer)

    # --- what the client tells -----------------------------------------------------------------------------

    async def _notice(self, notice: ClientNotice) -> None:
        if notice.seq <= self._seen:
            return  # taken over before, and replayed
        self._seen = notice.seq
        event = await self._addresses.completed(notice.event, notice.client)
        await self._take(event, notice.seq)
        match event:
            case wa.Identified():
                await self._identified(event)
            case wa.LoggedOut(reason=reason):
                await self._advance(state.LoggedOutRemotely(reason))
            case wa.Paired():
                await self._advance(state.PairingDone())
            case _ if notice.at >= self._keeper.attached_at:
                await self._live(notice)

    async def _take_leftovers(self) -> None:
        """Store what another node had received before the session came here, a page at a time.

        It says nothing about the client that runs here, nor about its journal.
        """
        while rows := await self._reads.leftovers(self.session_id, _LEFTOVERS):
            for row in rows:
                event, client = decode(row.kind, row.payload), self._keeper.client
                if client is not None:
                    event = await self._addresses.completed(event, client)
                await self._take(event, 0)
            last = rows[-1]
            await self._receipts.release()
            await self._writer.call(
                ForgetLeftovers(session_id=self.session_id, epoch=last.epoch, seq=last.seq), timeout=math.inf
            )
            log.info("leftovers_taken session=%s count=%s", self.session_id, len(rows))

    async def _take(self, event: wa.ClientEvent, journal_seq: int) -> None:
        """Store what an event tells."""
        ignored, earlier = self._settings.ignored.covers(event), None
        if isinstance(event, wa.MessageArrived) and not ignored:
            earlier = await self._earlier.of(event)
        if isinstance(event, wa.HistorySync):
            ignored = not self._settings.history.wanted
            if event.data.conversations and not ignored:
                await self._histories.keep(event.data)
                ignored = True  # it is told of once it is stored
        known = Known(earlier, self._own_addresses())
        writes = writes_for(self.session_id, event, journal_seq, known, ignored=ignored)
        self._counts.received += sum(
            isinstance(each, StoreMessage) and not each.message.from_me for each in writes
        )
        stored = isinstance(writes[-1], StoreMessage)
        if self._receipts or (isinstance(event, wa.ReceiptArrived) and self._sending.in_the_air):
            if not self._receipts:
                self.nursery.start_soon(self._receipts.release)
            writes = self._receipts.hold(writes)
        for write in writes:
            await self._writer.cast(write)
        if isinstance(event, wa.OldCounter):
            self._lost.heard()
        if stored and self._downloads is not None and isinstance(event, wa.MessageArrived):
            self._downloads.offer(event)

    async def _live(self, notice: ClientNotice) -> None:
        """What counts only while the client that said it lives: replayed, it says nothing about the link."""
        event = notice.event
        self._keeper.heard(notice.client)
        if is_sign_of_life(event):
            self._liveness.heard(notice.at)
        if (signal := input_for(event)) is not None:
            await self._advance(signal)
        client = self._keeper.client
        match event:
            case wa.QrCode(code=code):
                qr = self._pairing.show(code, notice.at)
                await self._advance(state.CodeShown())
                if self._machine.state is SessionState.PAIRING:
                    await self._announce(
                        "session.qr", {"qr": qr.code, "expiresAt": qr.expires_at.isoformat()}
                    )
                    self._request_code()
            case wa.Connected() if client is not None and self._machine.state is SessionState.CONNECTED:
                self.nursery.start_soon(self._greet, client)
            case wa.MessageArrived() if client is not None and self._settings.auto_read and not event.from_me:
                heard = not self._settings.ignored.covers(event)
                if heard and isinstance(read_content(event.message), Content):
                    self.nursery.start_soon(self._mark_read, client, event)
            case wa.CallEvent(stage=wa.CallStage.OFFERED) if client is not None:
                if (wish := self._settings.auto_reject_calls) is not None:
                    here = partial(turn_down, session_id=self.session_id, session=self.ref)
                    self.nursery.start_soon(partial(here, event, wish, client=client, writer=self._writer))

    async def _identified(self, event: wa.Identified) -> None:
        """Who the session is, once its device is paired."""
        known = {
            "jid": event.jid,
            "lid": event.lid,
            "phone": event.jid.partition("@")[0].partition(":")[0],
            "push_name": event.push_name or self._row.push_name,
        }
        changes = {name: value for name, value in known.items() if getattr(self._row, name) != value}
        if changes:
            paired = "jid" in changes
            data = {"jid": phone_jid(str(known["phone"])), "lid": event.lid, "phone": known["phone"]}
            await self._change(changes, (NewEvent("session.paired", data),) if paired else ())

    async def _stored(self) -> Session:
        row = await self._reads.session(self.session_id)
        if row is None:
            raise SessionNotFound(session_id=self.session_id)
        return row

    async def _announce(self, name: str, data: dict[str, Any]) -> None:
        await self._writer.cast(Append(self.session_id, (NewEvent(name, data),)))

    async def _greet(self, client: Client) -> None:
        """Have delivery receipts sent although the account is not shown as online; tell the server its name.

        An account that was shown as online is so again.
        """
        try:
            await client.set_force_active_receipts(True)
            if self._row.push_name:
                await client.send_presence(client.available)
        except CellError as error:
            log.warning("client_not_greeted session=%s error=%s", self.session_id, type(error).__name__)

    async def _mark_read(self, client: Client, event: wa.MessageArrived) -> None:
        try:
            await client.mark_read([event.id], chat=event.chat, sender=event.sender)
        except CellError as error:
            log.warning("not_marked_read session=%s error=%s", self.session_id, type(error).__name__)

    async def _leave(self) -> None:
        """End the client after what is in hand; store what it had received, if that does not take long."""
        detached, handled = trio.Event(), trio.Event()
        with trio.move_on_after(SETTLING):
            await self._sending.settled()
        await self.ref.cast(_Fed(state.LeaveAsked(), detached.set))
        await detached.wait()
        with trio.move_on_after(_LAST_WRITES):
            await self.ref.cast(_Handled(handled))
            await handled.wait()
            await self._receipts.release()
            await self._writer.call(Append(self.session_id), timeout=math.inf)

    # --- time ----------------------------------------------------------------------------------------------

    async def _timer(self) -> None:
        while True:
            due, self._due_changed = self._machine.due, trio.Event()
            with trio.move_on_at(math.inf if due is None else due):
                await self._due_changed.wait()
            if due is not None and trio.current_time() >= due:
                await self.ref.cast(_Fed(state.Due()))
                await self._due_changed.wait()

    async def _prover(self) -> None:
        def connected() -> tuple[Client, str] | None:
            client, phone = self._keeper.client, self._row.phone
            up = self._machine.state is SessionState.CONNECTED
            return (client, phone) if up and client is not None and phone is not None else None

        async def dead(client: Client) -> None:
            if client is self._keeper.client:
                await self.ref.cast(_Fed(state.ClientEnded("no sign of life from WhatsApp")))

        await self._liveness.watch(connected, dead)
