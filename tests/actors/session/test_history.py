"""What a phone hands over of the past: the rows, and how they are stored beside what happens."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from actors.session.histories import SLICE, Histories
from actors.session.history import history_data, messages_of
from actors.whatsapp.proto import history as wire
from storage.rows import Message, MessageStatus
from tests.actors.outgoing.stored import BEN, BEN_LID, GROUP, OWN, SECRET
from tests.storage.gateway import Gateway, running_writer

FROM_ME, FROM_BEN = {"remoteJID": BEN_LID, "fromMe": True}, {"remoteJID": BEN_LID, "fromMe": False}


def said(number: int, words: str, key: dict[str, Any] = FROM_BEN, **more: Any) -> dict[str, Any]:
    content = more.pop("message", {"conversation": words})
    info = {"key": {**key, "ID": f"A{number}"}, "message": content, "messageTimestamp": 1000 + number, **more}
    return {"message": info}


def history(*messages: Any, chat: str = BEN_LID, **more: Any) -> Any:
    conversation = {"ID": chat, "pnJID": BEN if chat == BEN_LID else "", "messages": messages, **more}
    return wire.HistorySync(
        syncType="INITIAL_BOOTSTRAP",
        chunkOrder=1,
        progress=50,
        conversations=[conversation],
        phoneNumberToLidMappings=[{"pnJID": BEN, "lidJID": BEN_LID}],
    )


def rows(given: Any, *ignored: str) -> list[Message]:
    return list(messages_of("s1", given, OWN, lambda chat: chat in ignored))


def test_its_messages_are_rows_under_the_number_with_what_became_of_them() -> None:
    given = history(
        said(1, "hello"),
        said(2, "hi", FROM_ME, status="READ"),
        said(3, "one"),
        said(4, "two"),
        said(5, "", FROM_ME, message={"reactionMessage": {"text": "!"}}),
        unreadCount=1,
    )
    found = rows(given)
    assert [(row.wa_id, row.chat, row.sender, row.text, row.status) for row in found] == [
        ("A1", BEN, BEN, "hello", MessageStatus.READ),
        ("A2", BEN, OWN, "hi", MessageStatus.READ),
        ("A3", BEN, BEN, "one", MessageStatus.READ),
        ("A4", BEN, BEN, "two", MessageStatus.RECEIVED),
    ]
    assert all(row.history for row in found)
    assert found[0].occurred_at.timestamp() == 1001
    assert history_data(given) == {
        "type": "INITIAL_BOOTSTRAP",
        "chunk": 1,
        "progress": 50,
        "conversations": 1,
        "messages": 5,
        "names": 0,
    }


def test_in_a_group_its_author_is_named_by_number_and_secrets_are_kept() -> None:
    in_group = {"remoteJID": GROUP, "fromMe": False, "participant": BEN_LID}
    (row,) = rows(history(said(1, "hello", in_group, messageSecret=SECRET), chat=GROUP))
    assert (row.chat, row.sender) == (GROUP, BEN)
    assert row.raw is not None
    assert SECRET in row.raw


@pytest.mark.parametrize("ignored", [BEN, BEN_LID])
def test_a_chat_that_is_ignored_is_left_out_by_either_address(ignored: str) -> None:
    assert rows(history(said(1, "hello")), ignored) == []


@pytest.mark.parametrize("odd", [{"messageTimestamp": 2**63}, {"message": {}}])
def test_what_makes_no_sense_is_left_out(odd: dict[str, Any]) -> None:
    assert [row.wa_id for row in rows(history(said(1, "", **odd), said(2, "fine")))] == ["A2"]


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    async with running_writer(database) as running:
        await running.session()
        yield running


def histories(gateway: Gateway) -> Histories:
    return Histories("s1", gateway.reads, gateway.writer, own=lambda: (OWN,), ignores=lambda _: False)


async def until_told(gateway: Gateway, times: int) -> None:
    with trio.fail_after(20):
        while [event.event for event in gateway.events] != ["history.sync"] * times:
            await trio.sleep(0.01)


async def test_a_long_history_is_stored_silently_and_told_of_once(gateway: Gateway) -> None:
    long = history(*(said(number, "hello") for number in range(3 * SLICE)))
    async with trio.open_nursery() as nursery:
        kept = histories(gateway)
        nursery.start_soon(kept.run)
        await kept.keep(long)
        await until_told(gateway, 1)
        # The same again, and another.
        await kept.keep(long)
        await kept.keep(history(said(9999, "more")))
        await until_told(gateway, 3)
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        while await gateway.reads.history("s1") is not None:
            await trio.sleep(0.01)
    found, cursor = 0, None
    while True:
        page = await gateway.reads.messages("s1", cursor=cursor, limit=100)
        found, cursor = found + len(page.items), page.cursor
        if cursor is None:
            break
    assert found == 3 * SLICE + 1


async def test_what_a_kill_left_is_stored_by_the_next_life(gateway: Gateway) -> None:
    await histories(gateway).keep(history(said(1, "hello")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(histories(gateway).run)
        await until_told(gateway, 1)
        nursery.cancel_scope.cancel()
    assert await gateway.reads.message("s1", "A1") is not None
