"""Finding the message that an arriving one is about, over the database and its writer."""

from typing import Any

import trio
from attrs import evolve

from actors.session.earlier import EarlierMessages
from actors.whatsapp.proto import e2e
from storage import StoreMessage
from tests.actors.outgoing.stored import BEN, GROUP, row, text
from tests.actors.session.test_arrival import REVOKE, edit, from_ben
from tests.storage.conftest import gateway
from tests.storage.gateway import Gateway

__all__ = ["gateway"]


async def at_once() -> None:
    """Nothing is in the air."""
    await trio.lowlevel.checkpoint()


async def earlier(gateway: Gateway, settled: Any = at_once) -> EarlierMessages:
    await gateway.session()
    return EarlierMessages("s1", gateway.reads, gateway.writer, settled)


def stored(**more: Any) -> StoreMessage:
    return StoreMessage(message=evolve(row(text("hi")), session_id="s1", **more))


async def test_a_message_that_the_writer_still_holds_is_found(gateway: Gateway) -> None:
    messages = await earlier(gateway)
    await gateway.writer.cast(stored())
    found = await messages.of(from_ben(edit("hello")))
    assert found is not None
    assert found.id == "msg_1"


async def test_a_message_whose_id_is_not_stored_yet_is_waited_for(gateway: Gateway) -> None:
    async def settled() -> None:
        await gateway.writer.cast(stored())

    messages = await earlier(gateway, settled)
    assert await messages.of(from_ben(edit("hello"))) is not None


async def test_a_message_that_never_gets_an_id_is_not_waited_for_long(gateway: Gateway) -> None:
    messages = await earlier(gateway, trio.sleep_forever)
    messages.patience = 0.05
    with trio.fail_after(10):
        assert await messages.of(from_ben(REVOKE)) is None


async def test_the_same_id_in_another_chat_is_another_message(gateway: Gateway) -> None:
    messages = await earlier(gateway)
    await gateway.writer.call(stored(chat=GROUP))
    assert await messages.of(from_ben(edit("hello"))) is None
    in_group = from_ben(edit("hello"), chat=GROUP, chat_alt=None, is_group=True)
    assert await messages.of(in_group) is not None


async def test_our_own_ids_mean_nothing_to_others(gateway: Gateway) -> None:
    messages = await earlier(gateway)
    await gateway.writer.call(stored())
    ours = e2e.Message(protocolMessage={"key": {"ID": "msg_1"}, "type": 0})
    assert await messages.of(from_ben(ours)) is None


async def test_nothing_is_asked_for_a_message_that_stands_for_itself(gateway: Gateway) -> None:
    messages = await earlier(gateway, settled=trio.sleep_forever)
    await gateway.writer.call(stored(chat=BEN))
    with trio.fail_after(1):
        assert await messages.of(from_ben(text("A1"))) is None


async def test_an_id_that_no_database_holds_is_no_message(gateway: Gateway) -> None:
    messages = await earlier(gateway)
    odd = e2e.Message(protocolMessage={"key": {"ID": "a\0b"}, "type": 0})
    assert await messages.of(from_ben(odd)) is None
