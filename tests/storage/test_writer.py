"""The writer against a real PostgreSQL: what is stored, answered and announced, and in which order."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime import ActorDied, Mailbox, MailboxFull, Overflow
from storage import (
    Append,
    Committed,
    Delete,
    Insert,
    Key,
    Message,
    MessageStatus,
    NewEvent,
    Session,
    StoreMessage,
    Update,
    UpdateMessage,
    Webhook,
    WriteRefused,
    Written,
    mark_interrupted,
    migrate,
    new_id,
)
from storage.connection import TrioConnection
from tests.storage.gateway import Gateway, running_writer

CHAT = "4915112345678@s.whatsapp.net"
UPSERT = NewEvent("messages.upsert", {"key": {"remoteJid": CHAT}})
UPDATE = NewEvent("messages.update", {"key": {"remoteJid": CHAT}})


def inbound(wa_id: str, **fields: Any) -> StoreMessage:
    return StoreMessage(message=message(wa_id=wa_id, **fields), events=(UPSERT,))


def message(**fields: Any) -> Message:
    defaults: dict[str, Any] = {
        "session_id": "s1",
        "id": new_id("msg"),
        "chat": CHAT,
        "sender": CHAT,
        "from_me": False,
        "type": "text",
        "text": "hello",
        "status": MessageStatus.RECEIVED,
    }
    return Message(**defaults | fields)


def outgoing(**fields: Any) -> Message:
    return message(**{"from_me": True, "sender": "me", "status": MessageStatus.SENDING} | fields)


async def sent(gateway: Gateway, wa_id: str = "3EB0", **fields: Any) -> Message:
    """A message of ours that WhatsApp took."""
    stored = outgoing(**fields)
    await gateway.together(
        StoreMessage(message=stored),
        UpdateMessage(session_id="s1", id=stored.id, wa_id=wa_id, status=MessageStatus.SENT),
    )
    return stored


# Answers and announcements


async def test_a_call_is_answered_with_the_events_as_committed(gateway: Gateway) -> None:
    await gateway.session()
    written = await gateway.writer.call(inbound("A"))
    assert written.applied
    assert await gateway.reads.session_events_after("s1", 0) == list(written.events)
    (event,) = written.events
    assert (event.session_id, event.seq, event.event, event.data) == ("s1", 1, UPSERT.event, UPSERT.data)


async def test_nothing_is_announced_that_is_not_stored(database: str) -> None:
    seen: list[bool] = []

    async def publish(committed: Committed) -> None:
        connection = await TrioConnection.connect(database)
        cursor = await connection.execute("SELECT max(position) FROM events")
        seen.append(await cursor.fetchone() == (committed.events[-1].position,))
        await connection.close()

    async with running_writer(database, publish=publish) as gateway:
        await gateway.session()
        for name in "ABC":
            await gateway.writer.call(inbound(name))
    assert seen == [True, True, True]


async def test_seq_has_no_gaps_and_positions_follow_the_commits_under_concurrency(database: str) -> None:
    sessions = ["s1", "s2", "s3"]

    async def send(session_id: str, number: int) -> None:
        write = inbound(f"{session_id}.{number}", session_id=session_id)
        if number % 3:
            await gateway.writer.cast(write)
        else:
            await gateway.writer.call(write, timeout=30)

    async with running_writer(database, batch_rows=20, batch_ms=1) as gateway:
        for session_id in sessions:
            await gateway.session(session_id)
        async with trio.open_nursery() as nursery:
            for number in range(100):
                for session_id in sessions:
                    nursery.start_soon(send, session_id, number)
    log = await gateway_log(database)
    for session_id in sessions:
        assert [seq for _, each, seq in log if each == session_id] == list(range(1, 101))
    assert [(each.position, each.session_id, each.seq) for each in gateway.events] == log
    assert 15 <= len(gateway.published) <= 150  # batched, and no batch above 20


async def gateway_log(dsn: str) -> list[tuple[int, str, int]]:
    connection = await TrioConnection.connect(dsn)
    cursor = await connection.execute("SELECT position, session_id, seq FROM events ORDER BY position")
    log: list[tuple[int, str, int]] = await cursor.fetchall()
    await connection.close()
    return log


async def test_a_cast_is_committed_within_batch_ms_without_any_call(database: str) -> None:
    async with running_writer(database, batch_ms=5) as gateway:
        await gateway.session()
        await gateway.writer.cast(inbound("A"))
        with trio.fail_after(5):
            while not gateway.published:
                await trio.sleep(0.005)


async def test_a_call_takes_the_casts_before_it_along(gateway: Gateway) -> None:
    await gateway.session()
    commits = gateway.stats.commits
    await gateway.together(inbound("A"), inbound("B"), inbound("C"))
    assert gateway.stats.commits == commits + 1
    assert [event.seq for event in gateway.events] == [1, 2, 3]


async def test_a_failing_publish_does_not_stop_the_log(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def publish(_committed: Committed) -> None:
        raise ZeroDivisionError

    async with running_writer(database, publish=publish) as gateway:
        await gateway.session()
        await gateway.writer.call(inbound("A"))
        await gateway.writer.call(inbound("B"))
        assert await gateway.reads.last_position() == (await gateway_log(database))[1][0]
    assert "publish_failed" in caplog.text


async def test_a_caller_who_leaves_does_not_take_its_write_along(gateway: Gateway) -> None:
    await gateway.session()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.writer.call, inbound("A"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await gateway.writer.call(Append("s1"))
    assert await gateway.reads.message("s1", "A") is not None


# Messages


async def test_a_message_delivered_twice_is_stored_and_announced_once(gateway: Gateway) -> None:
    await gateway.session()
    first = await gateway.together(inbound("B"), inbound("B"), inbound("A"))
    again = await gateway.writer.call(inbound("A", text="hello again"))
    assert (first.applied, again.applied) == (True, False)
    assert again.events == ()
    assert [event.seq for event in gateway.events] == [1, 2]
    page = await gateway.reads.messages("s1")
    assert sorted(str(each.wa_id) for each in page.items) == ["A", "B"]


async def test_the_same_wa_id_in_another_chat_or_direction_is_another_message(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(inbound("A"), inbound("A", chat="x@g.us"), inbound("A", from_me=True))
    assert len(gateway.events) == 3


async def test_messages_without_a_wa_id_are_never_taken_for_each_other(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(StoreMessage(message=outgoing()), StoreMessage(message=outgoing()))
    assert len((await gateway.reads.messages("s1")).items) == 2


@pytest.mark.parametrize(
    "order", list(permutations([MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.PLAYED]))
)
@pytest.mark.parametrize("batched", [True, False])
async def test_a_status_only_moves_forward(
    gateway: Gateway, order: tuple[MessageStatus, ...], batched: bool
) -> None:
    await gateway.session()
    await sent(gateway, "A")
    receipts = [
        UpdateMessage(session_id="s1", wa_id="A", status=status, events=(NewEvent(status, {}),))
        for status in order
    ]
    if batched:
        await gateway.together(*receipts)
    else:
        for receipt in receipts:
            await gateway.writer.call(receipt)
    stored = await gateway.reads.message("s1", "A")
    assert stored is not None
    assert stored.status is MessageStatus.PLAYED
    ranks = list(MessageStatus)
    upwards = [
        status
        for number, status in enumerate(order)
        if ranks.index(status) == max(map(ranks.index, order[: number + 1]))
    ]
    assert [event.event for event in gateway.events] == upwards


async def test_an_outgoing_message_gets_whatsapps_id_and_time(gateway: Gateway) -> None:
    await gateway.session()
    stored = outgoing()
    written = await gateway.together(
        StoreMessage(message=stored, events=(UPSERT,)),
        UpdateMessage(
            session_id="s1",
            id=stored.id,
            wa_id="3EB0",
            status=MessageStatus.SENT,
            occurred_at=stored.occurred_at.replace(microsecond=0),
            events=(UPDATE,),
        ),
    )
    assert written.applied
    found = await gateway.reads.message("s1", "3EB0")
    assert found == await gateway.reads.message("s1", stored.id)
    assert found is not None
    assert (found.public_id, found.status, found.occurred_at.microsecond) == ("3EB0", "sent", 0)


async def test_an_echo_stored_first_gives_way_to_the_message_sent(gateway: Gateway) -> None:
    await gateway.session()
    stored = outgoing()
    await gateway.together(StoreMessage(message=stored), inbound("3EB0", from_me=True))
    await gateway.writer.call(
        UpdateMessage(session_id="s1", wa_id="3EB0", status=MessageStatus.DELIVERED, from_me=True)
    )
    written = await gateway.writer.call(
        UpdateMessage(session_id="s1", id=stored.id, wa_id="3EB0", status=MessageStatus.SENT)
    )
    assert written.applied
    (only,) = (await gateway.reads.messages("s1")).items
    assert (only.id, only.wa_id, only.status) == (stored.id, "3EB0", "delivered")


async def test_a_message_known_by_another_address_of_the_chat_is_found_without_it(gateway: Gateway) -> None:
    await gateway.session()
    await sent(gateway, "A")
    receipt = UpdateMessage(session_id="s1", wa_id="A", chat="123@lid", status=MessageStatus.READ)
    assert not (await gateway.writer.call(receipt)).applied
    receipt = UpdateMessage(session_id="s1", wa_id="A", from_me=True, status=MessageStatus.READ)
    assert (await gateway.writer.call(receipt)).applied


async def test_a_failed_message_may_be_tried_again_and_a_sent_one_not(gateway: Gateway) -> None:
    await gateway.session()
    stored = outgoing()
    failed = UpdateMessage(session_id="s1", id=stored.id, status=MessageStatus.FAILED, error="no_route")
    again = UpdateMessage(session_id="s1", id=stored.id, status=MessageStatus.QUEUED, again=True)
    await gateway.together(StoreMessage(message=stored), failed)
    found = await gateway.reads.message("s1", stored.id)
    assert found is not None
    assert (found.status, found.error) == ("failed", "no_route")
    assert (await gateway.writer.call(again)).applied
    found = await gateway.reads.message("s1", stored.id)
    assert found is not None
    assert (found.status, found.error) == ("queued", None)
    await gateway.writer.call(UpdateMessage(session_id="s1", id=stored.id, status=MessageStatus.SENT))
    assert not (await gateway.writer.call(again)).applied


async def test_an_edit_changes_content_and_keeps_the_status(gateway: Gateway) -> None:
    await gateway.session()
    await sent(gateway, "A")
    edit = UpdateMessage(
        session_id="s1", wa_id="A", text="better", payload={"edited": True}, events=(UPDATE,)
    )
    assert (await gateway.writer.call(edit)).applied
    found = await gateway.reads.message("s1", "A")
    assert found is not None
    assert (found.text, found.payload, found.status) == ("better", {"edited": True}, "sent")


async def test_events_name_the_chat_as_their_message_does(gateway: Gateway) -> None:
    await gateway.session()
    await sent(gateway, "A", chat="628@s.whatsapp.net")
    key = {"remoteJid": "77@lid", "fromMe": True, "id": "A"}
    receipt = NewEvent("messages.update", {"key": key, "status": "read"})
    written = await gateway.writer.call(
        UpdateMessage(session_id="s1", wa_id="A", status=MessageStatus.READ, events=(receipt,))
    )
    told = written.events[0].data["key"]
    assert told == {"remoteJid": "628@s.whatsapp.net", "remoteJidAlt": "77@lid", "fromMe": True, "id": "A"}


async def test_every_event_of_a_message_echoes_the_callers_reference(gateway: Gateway) -> None:
    await gateway.session()
    stored = outgoing(client_ref="order 7")
    await gateway.together(
        StoreMessage(message=stored, events=(UPSERT,)),
        UpdateMessage(session_id="s1", id=stored.id, wa_id="A", status=MessageStatus.SENT, events=(UPDATE,)),
    )
    await gateway.writer.call(
        UpdateMessage(session_id="s1", wa_id="A", status=MessageStatus.READ, events=(UPDATE,))
    )
    assert [event.data["clientRef"] for event in gateway.events] == ["order 7"] * 3
    assert "clientRef" not in UPDATE.data


async def test_what_is_known_of_no_message_changes_nothing(gateway: Gateway) -> None:
    await gateway.session()
    for receipt in (
        UpdateMessage(session_id="s1", wa_id="?", status=MessageStatus.READ, events=(UPDATE,)),
        UpdateMessage(session_id="nobody", id="?", status=MessageStatus.READ, events=(UPDATE,)),
    ):
        assert await gateway.writer.call(receipt) == Written(applied=False)
    assert gateway.events == []


async def test_messages_found_sending_at_the_start_become_unknown_once(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.session("s2")
    lost = [outgoing(), outgoing(session_id="s2")]
    queued = outgoing(status=MessageStatus.QUEUED)
    await gateway.together(*(StoreMessage(message=each) for each in (*lost, queued)))
    await sent(gateway, "A")

    def unknown(interrupted: Message) -> UpdateMessage:
        event = NewEvent("messages.update", {"id": interrupted.id, "status": "unknown"})
        return UpdateMessage(
            session_id=interrupted.session_id,
            id=interrupted.id,
            status=MessageStatus.UNKNOWN,
            error="interrupted",
            events=(event,),
        )

    assert await mark_interrupted(gateway.reads, gateway.writer, unknown, session_id="s2") == 1
    assert await mark_interrupted(gateway.reads, gateway.writer, unknown) == 1
    assert await mark_interrupted(gateway.reads, gateway.writer, unknown) == 0
    assert [each.data["id"] for each in gateway.events] == [lost[1].id, lost[0].id]
    page = await gateway.reads.messages("s1", status=MessageStatus.UNKNOWN)
    assert [(each.id, each.error) for each in page.items] == [(lost[0].id, "interrupted")]


async def test_a_late_acknowledgement_resolves_an_unknown_message(gateway: Gateway) -> None:
    await gateway.session()
    stored = outgoing()
    unknown = UpdateMessage(session_id="s1", id=stored.id, status=MessageStatus.UNKNOWN)
    acknowledged = UpdateMessage(session_id="s1", id=stored.id, status=MessageStatus.SENT, wa_id="A")
    await gateway.together(StoreMessage(message=stored), unknown)
    assert (await gateway.writer.call(acknowledged)).applied


# Sessions, keys, webhooks


async def test_a_session_update_tells_since_when_its_status_holds(gateway: Gateway) -> None:
    await gateway.session()
    before = await gateway.reads.session("s1")
    assert before is not None
    event = NewEvent("session.status", {"status": "connected"})
    written = await gateway.writer.call(Update(Session, "s1", {"status": "connected"}, events=(event,)))
    assert written.row.status == "connected"
    assert written.row.status_since > before.status_since
    same = await gateway.writer.call(Update(Session, "s1", {"status": "connected", "restarts": 3}))
    assert (same.row.status_since, same.row.restarts) == (written.row.status_since, 3)
    assert [each.event for each in gateway.events] == ["session.status"]


async def test_updates_of_one_row_in_a_batch_all_take_effect_in_order(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(*(Update(Session, "s1", {"restarts": number}) for number in (1, 2, 3)))
    session = await gateway.reads.session("s1")
    assert session is not None
    assert session.restarts == 3


async def test_updates_of_different_columns_keep_their_order_too(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(
        Update(Session, "s1", {"status": "connected"}),
        Update(Session, "s1", {"status": "failed", "last_error": "banned"}),
        Update(Session, "s1", {"status": "stopped"}),
    )
    session = await gateway.reads.session("s1")
    assert session is not None
    assert (session.status, session.last_error) == ("stopped", "banned")


async def test_rows_come_back_as_they_were_put_in(gateway: Gateway) -> None:
    session = Session(id="s1", name="Ünï", settings={"proxy": None, "limits": {"perMinute": 10}})
    key = Key(id="k1", session_id="s1", prefix="tz_ab", hash=bytes(range(32)), scopes=("read", "send"))
    webhook = Webhook(id="w1", session_id="s1", url="https://x", secret="s", events=("call",), cursor=2**40)
    await gateway.together(*(Insert(row) for row in (session, key, webhook)))
    assert await gateway.reads.session("s1") == session
    assert await gateway.reads.key_by_hash(bytes(range(32))) == key
    assert await gateway.reads.webhook("w1") == webhook


async def test_a_webhooks_cursor_moves(gateway: Gateway) -> None:
    await gateway.writer.call(Insert(Webhook(id="w1", url="https://x", secret="s")))
    written = await gateway.together(*(Update(Webhook, "w1", {"cursor": number}) for number in (5, 6)))
    assert written.row.cursor == 6  # type: ignore[union-attr]


async def test_deleting_a_session_takes_all_of_it_along_and_nothing_else(gateway: Gateway) -> None:
    for session_id in ("s1", "s2"):
        await gateway.session(session_id)
        await gateway.together(
            Insert(
                Key(id=f"k{session_id}", session_id=session_id, prefix="p", hash=session_id.encode() * 16)
            ),
            Insert(Webhook(id=f"w{session_id}", session_id=session_id, url="https://x", secret="s")),
            inbound("A", session_id=session_id),
        )
    assert (await gateway.writer.call(Delete(Session, "s1"))).applied
    assert not (await gateway.writer.call(Delete(Session, "s1"))).applied
    assert [each.id for each in (await gateway.reads.sessions()).items] == ["s2"]
    assert [each.id for each in await gateway.reads.keys()] == ["ks2"]
    assert [each.id for each in await gateway.reads.webhooks()] == ["ws2"]
    assert {each.session_id for each in (await gateway.reads.events_after(0)).events} == {"s2"}
    assert (await gateway.reads.messages("s1")).items == []


async def test_inserts_and_deletes_keep_their_place_within_a_batch(gateway: Gateway) -> None:
    event = NewEvent("x", {})
    await gateway.together(
        Insert(Session(id="s1", name="first"), events=(event,)),
        Append("s1", (event,)),
        Delete(Session, "s1"),
        Insert(Session(id="s1", name="second"), events=(event,)),
        Append("s1", (event,)),
    )
    assert [each.seq for each in await gateway.reads.session_events_after("s1", 0)] == [1, 2]
    session = await gateway.reads.session("s1")
    assert session is not None
    assert (session.name, session.seq) == ("second", 2)


def test_an_update_refuses_columns_that_are_not_there_or_not_its_own() -> None:
    for changes in ({"nam": "x"}, {"seq": 1}, {"id": "x"}, {}):
        with pytest.raises(ValueError, match=r"Session|without changes"):
            Update(Session, "s1", changes)


# The journal


async def test_journal_positions_are_stored_with_their_writes_and_never_go_back(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(
        StoreMessage(message=message(wa_id="A"), journal_seq=7),
        UpdateMessage(session_id="s1", wa_id="A", status=MessageStatus.READ, journal_seq=8),
        Append("s1", journal_seq=9),
    )
    await gateway.writer.call(Append("s1", journal_seq=3))
    session = await gateway.reads.session("s1")
    assert session is not None
    assert session.journal_seq == 9
    assert [each.journal for each in gateway.published] == [{"s1": 9}, {"s1": 3}]


async def test_a_replayed_message_still_advances_the_journal(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.writer.call(inbound("A"))
    await gateway.writer.call(StoreMessage(message=message(wa_id="A"), journal_seq=5))
    session = await gateway.reads.session("s1")
    assert session is not None
    assert session.journal_seq == 5


# Writes the database never takes

POISON = {
    "unknown session": (inbound("P", session_id="nobody"), "unknown_session", None),
    "event of an unknown session": (Append("nobody", (UPDATE,)), "unknown_session", "session_id"),
    "duplicate": (Insert(Session(id="s1", name="again")), "duplicate", None),
    "NUL byte": (inbound("P", text="secret\0text"), "invalid_value", "text"),
    "NUL byte in JSON": (inbound("P", payload={"a": ["secret\0text"]}), "invalid_value", "payload"),
    "NUL byte in an event": (
        Append("s1", (NewEvent("x", {"a": "secret\0text"}),)),
        "invalid_value",
        "events",
    ),
    "half a surrogate pair": (inbound("P", text="secret\ud800text"), "invalid_value", "text"),
    "no JSON": (inbound("P", payload={"a": object()}), "invalid_value", "payload"),
    "not a number": (inbound("P", payload={"a": float("nan")}), "invalid_value", "payload"),
    "too long for an index": (
        inbound("secrettext" + random.Random(1).randbytes(5000).hex()),
        "invalid_value",
        None,
    ),
    "missing value": (inbound("P", chat=None), "invalid_value", "chat"),
    "check": (Update(Session, "s1", {"desired": "secrettext"}), "invalid_value", None),
    "short hash": (Insert(Key(id="k", prefix="p", hash=b"secrettext")), "invalid_value", None),
    "not a time": (Update(Session, "s1", {"status_since": "secrettext"}), "invalid_value", None),
}


@pytest.mark.parametrize("name", POISON)
async def test_a_poisonous_write_is_refused_alone(
    gateway: Gateway, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    poison, reason, field = POISON[name]
    await gateway.session()
    refused: list[WriteRefused] = []

    async def call() -> None:
        with pytest.raises(WriteRefused) as caught:
            await gateway.writer.call(poison)
        refused.append(caught.value)

    good = [inbound(str(number)) for number in range(10)]
    for write in good[:7]:
        await gateway.writer.cast(write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        for write in good[7:]:
            await gateway.writer.cast(write)
        await gateway.writer.call(Append("s1"))
    assert [event.seq for event in gateway.events] == list(range(1, 11))
    assert (refused[0].reason, gateway.stats.refused) == (reason, int(reason != "duplicate"))
    if field:
        assert refused[0].field == field
    assert refused[0].field or refused[0].constraint or reason == "invalid_value"
    told = "".join((caplog.text, str(refused[0]), repr(refused[0])))
    assert "write_refused" in told
    assert "secret" not in told
    assert "text secret" not in told


async def test_a_cast_poisonous_write_is_logged_and_counted(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    await gateway.session()
    await gateway.together(inbound("A", text="secret\0"), inbound("B"))
    assert gateway.stats.refused == 1
    assert gateway.stats.failures == 0
    assert "write_refused write=StoreMessage session=s1 reason=invalid_value (text)" in caplog.text
    assert "secret" not in caplog.text
    assert len(gateway.events) == 1


# Starting, stopping, failing


async def test_a_clean_stop_commits_what_was_taken_in(database: str) -> None:
    async with running_writer(database, batch_rows=50, batch_ms=60_000) as gateway:
        await gateway.session()
        for number in range(500):
            await gateway.writer.cast(inbound(str(number)))
    assert len(await gateway_log(database)) == 500


async def test_a_writer_killed_in_its_commit_leaves_all_or_nothing_and_the_next_life_works(
    gateway: Gateway, database: str
) -> None:
    await gateway.session()
    other = await TrioConnection.connect(database)
    await other.execute("LOCK TABLE events")
    died: list[ActorDied] = []

    async def call() -> None:
        with pytest.raises(ActorDied) as caught:
            await gateway.writer.call(inbound("A"))
        died.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await until_blocked(database)
        await gateway.supervisor.kill_child("storage")
    assert died
    await other.rollback()
    await other.close()
    assert await gateway.reads.message("s1", "A") is None
    assert (await gateway.writer.call(inbound("B"))).events[0].seq == 1


async def test_a_cancelled_supervisor_flushes_its_writer(database: str) -> None:
    with trio.CancelScope() as scope:
        async with running_writer(database, batch_ms=60_000) as gateway:
            await gateway.session()
            await gateway.writer.cast(inbound("A"))
            scope.cancel()
    assert len(await gateway_log(database)) == 1


async def test_writes_wait_while_the_database_is_away_and_senders_feel_it(
    database: str, tmp_path: Path
) -> None:
    socket = Path(conninfo_to_dict(database)["host"], ".s.PGSQL.5432")  # type: ignore[arg-type]
    away = make_conninfo(database, host=str(tmp_path))
    async with running_writer(database) as gateway:
        await gateway.session()
    async with running_writer(
        away, batch_rows=4, capacity=10, mailbox=lambda: Mailbox(5, Overflow.REJECT)
    ) as gateway:
        taken = 0
        with suppress(MailboxFull):
            while True:
                await gateway.writer.cast(inbound(str(taken)))
                taken += 1
        # Ten in the backlog, four in the batch that is tried, one in hand, five in the mailbox.
        assert 15 <= taken <= 20
        with trio.fail_after(10):
            while gateway.stats.failures == 0:
                await trio.sleep(0.01)
        (tmp_path / socket.name).symlink_to(socket)
        with trio.fail_after(10):
            while len(gateway.events) < taken:
                await trio.sleep(0.01)
        assert gateway.stats.failures == 0
        assert gateway.stats.failed >= 1
        assert gateway.stats.batches.sum == gateway.stats.writes
        assert sum(gateway.stats.seconds.counts) == gateway.stats.commits
    assert [seq for _, _, seq in await gateway_log(database)] == list(range(1, taken + 1))


async def test_a_backend_killed_again_and_again_loses_nothing_and_doubles_nothing(
    database: str, admin: psycopg.Connection
) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND application_name LIKE 'terzetto writer%%'"
    )
    name = conninfo_to_dict(database)["dbname"]
    async with running_writer(database, batch_rows=10, batch_ms=1) as gateway:
        await gateway.session()
        kills = 0
        for number in range(600):
            await gateway.writer.cast(inbound(str(number)))
            if number % 50 == 25:
                await gateway.writer.call(Append("s1"))
            if number % 50 == 40:
                kills += len(admin.execute(kill, (name,)).fetchall())
        await gateway.writer.call(Append("s1"), timeout=30)
    assert kills > 5
    log = await gateway_log(database)
    assert [seq for _, _, seq in log] == list(range(1, 601))
    assert [(each.position, each.session_id, each.seq) for each in gateway.events] == log


async def test_a_writer_commits_nothing_more_once_the_database_is_too_new_for_its_program(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate(empty_database)
    async with running_writer(empty_database) as gateway:
        await gateway.session("before")
        admin = await TrioConnection.connect(empty_database, autocommit=True)
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> %s"
            " AND datname = current_database()",
            (admin.info.backend_pid,),
        )
        await admin.execute("INSERT INTO migrations (number, name, checksum) VALUES (9999, '9999_new', 'x')")
        with pytest.raises(ActorDied):
            await gateway.session("after")
        stored = await (await admin.execute("SELECT id FROM sessions")).fetchall()
        await admin.close()
        assert stored == [("before",)]
    assert "9999_new, newer than this program" in caplog.text


async def test_a_commit_whose_answer_is_lost_is_not_done_twice(database: str, tmp_path: Path) -> None:
    real = Path(conninfo_to_dict(database)["host"], ".s.PGSQL.5432")  # type: ignore[arg-type]
    async with running_writer(database) as gateway:
        await gateway.session()
    lost = 0

    async def break_off_at_the_answer_to_commit(client: trio.SocketStream) -> None:
        nonlocal lost
        server = await trio.open_unix_socket(real)
        committing = False

        async def back() -> None:
            nonlocal lost
            async for data in server:
                if committing and lost < 3:
                    lost += 1
                    break
                await client.send_all(data)
            nursery.cancel_scope.cancel()

        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(back)
            async for data in client:
                committing = b"COMMIT" in data
                await server.send_all(data)
            nursery.cancel_scope.cancel()

    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(tmp_path / real.name))
    listener.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            trio.serve_listeners, break_off_at_the_answer_to_commit, [trio.SocketListener(listener)]
        )
        async with running_writer(make_conninfo(database, host=str(tmp_path))) as gateway:
            written = await gateway.together(inbound("A"), Insert(Session(id="s2", name="two")), inbound("B"))
            assert written.applied
            assert lost == 3
            assert [event.seq for event in gateway.events] == [1, 2]
        nursery.cancel_scope.cancel()
    assert [seq for _, _, seq in await gateway_log(database)] == [1, 2]


async def until_blocked(dsn: str) -> None:
    """Wait until the writer waits for a lock that another holds."""
    connection = await TrioConnection.connect(dsn, autocommit=True)
    query = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'terzetto writer%' AND wait_event_type = 'Lock'"
    )
    while await (await connection.execute(query)).fetchone() is None:
        await trio.lowlevel.checkpoint()
    await connection.close()
