"""Telling of lost messages, over the database and its writer."""

from collections.abc import AsyncIterator

import pytest
import trio

from actors.session.lost import LostMessages
from storage import StoreHeard
from tests.storage.gateway import Gateway, running_writer
from tests.storage.test_writer import inbound


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    async with running_writer(database) as running:
        await running.session()
        yield running


def again(wa_id: str) -> StoreHeard:
    return StoreHeard(session_id="s1", wa_id=wa_id, untold={"of": wa_id})


async def until_told(gateway: Gateway, *ids: str) -> None:
    told: list[object] = []
    with trio.fail_after(10):
        while told != list(ids):
            await trio.sleep(0.01)
            told = [event.data["of"] for event in gateway.events if event.event == "messages.lost"]


async def test_what_an_earlier_life_left_untold_is_told_and_then_what_is_heard(gateway: Gateway) -> None:
    await gateway.writer.call(again("A"))
    lost = LostMessages("s1", gateway.reads, gateway.writer, grace=0.01)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lost.run)
        await until_told(gateway, "A")
        for wa_id in ("A", "B"):
            await gateway.writer.cast(again(wa_id))
            lost.heard()
        await until_told(gateway, "A", "B")
        nursery.cancel_scope.cancel()


async def test_what_comes_within_the_grace_is_not_lost(gateway: Gateway) -> None:
    await gateway.writer.cast(again("A"))
    await gateway.writer.cast(again("B"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LostMessages("s1", gateway.reads, gateway.writer, grace=0.3).run)
        await gateway.writer.call(inbound("A"))
        await until_told(gateway, "B")
        nursery.cancel_scope.cancel()
