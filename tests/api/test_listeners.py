"""Many that listen at once."""

from pathlib import Path

import trio

from tests.api.stage import running_api
from tests.api.test_events import numbers, sessions, socket

MANY, EVENTS = 60, 20


async def test_every_one_of_many_listeners_gets_every_event_in_order(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, listeners_per_key=MANY) as stage:
        await sessions(stage, "ana")
        heard: list[list[int]] = []
        listening = 0
        done = trio.Event()

        async def listen() -> None:
            nonlocal listening
            async with socket(stage, events="messages.upsert") as connection:
                listening += 1
                heard.append(await numbers(connection, EVENTS))
                if len(heard) == MANY:
                    done.set()

        async with trio.open_nursery() as nursery:
            for _ in range(MANY):
                nursery.start_soon(listen)
            with trio.fail_after(20):
                while stage.services.listeners.count < MANY or listening < MANY:
                    await trio.sleep(0.01)
            for number in range(EVENTS):
                await stage.event("ana", number)
            with trio.fail_after(20):
                await done.wait()
    assert heard == [list(range(EVENTS))] * MANY
