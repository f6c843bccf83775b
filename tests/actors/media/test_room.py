"""Room for files: so many bytes at once, first come, first served, and given back whatever happens."""

import trio
from trio.testing import wait_all_tasks_blocked

from actors.media.room import Room


async def hold(room: Room, size: int, log: list[int], end: trio.Event) -> None:
    async with room.of(size):
        log.append(size)
        await end.wait()


async def test_who_does_not_fit_waits_and_so_do_those_behind() -> None:
    room, log, ends = Room(10), list[int](), [trio.Event() for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for size, end in zip((6, 3, 5, 1), ends, strict=True):
            nursery.start_soon(hold, room, size, log, end)
            await wait_all_tasks_blocked()
        assert (log, room.held, room.waiting) == ([6, 3], 9, 2)
        ends[1].set()
        await wait_all_tasks_blocked()
        assert log == [6, 3]
        ends[0].set()
        await wait_all_tasks_blocked()
        assert (sorted(log), room.held, room.waiting) == ([1, 3, 5, 6], 6, 0)
        ends[2].set()
        ends[3].set()
    assert room.held == 0


async def test_more_than_there_is_means_all_of_it() -> None:
    room = Room(10)
    async with room.of(1000):
        assert room.held == 10
    assert room.held == 0


async def test_who_stops_waiting_lets_those_behind_in() -> None:
    room, log, ends = Room(10), list[int](), [trio.Event() for _ in range(2)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, room, 8, log, ends[0])
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(hold, room, 9, log, trio.Event())
                await wait_all_tasks_blocked()
                nursery.start_soon(hold, room, 2, log, ends[1])
                await wait_all_tasks_blocked()
                assert log == [8]
                scope.cancel()
        await wait_all_tasks_blocked()
        assert log == [8, 2]
        for end in ends:
            end.set()
    assert (room.held, room.waiting) == (0, 0)
