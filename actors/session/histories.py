"""Stores what a phone hands over of the past, in slices beside what happens, whatever dies meanwhile.

A part of a history is kept whole in one write, with which its journal record is done. Its messages are stored
from there, some at a time, so that live messages never wait for thousands of old ones; after a restart again
from the first, which changes nothing of what is stored.
"""

import math
import zlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

import trio
from attrs import define, field

from actors.session.history import history_data, messages_of
from actors.whatsapp.proto import history as wire
from runtime import Ref
from storage.errors import DatabaseUnavailable
from storage.ids import new_id
from storage.reads import Reads
from storage.rows import History
from storage.writes import Append, Delete, Insert, NewEvent, StoreMessage

T = TypeVar("T")

SLICE = 100  # messages that are given to the writer at once
_AGAIN = 0.5  # seconds until the database is asked again that was away


@define(eq=False)
class Histories:
    """Those of one session."""

    session_id: str
    reads: Reads
    writer: Ref
    own: Callable[[], Sequence[str]]
    """The account's addresses, the phone number's first."""
    ignores: Callable[[str], bool]
    """Whether the messages of a chat are not wanted."""
    _kept: trio.Event = field(init=False, factory=trio.Event)

    async def keep(self, history: Any) -> None:
        """Have the messages of a `waHistorySync.HistorySync` stored, now or after a restart."""
        data = await trio.to_thread.run_sync(zlib.compress, history.SerializeToString(), 1)
        await self.writer.cast(Insert(History(id=new_id("hist"), session_id=self.session_id, data=data)))
        self._kept.set()

    async def run(self) -> None:
        """Store what is kept, part by part, for as long as the session's actor lives."""
        while True:
            self._kept = trio.Event()
            await self._stored()
            while part := await self._patiently(lambda: self.reads.history(self.session_id)):
                await self._store(part)
            await self._kept.wait()

    async def _store(self, part: History) -> None:
        history = wire.HistorySync.FromString(await trio.to_thread.run_sync(zlib.decompress, part.data))
        own_jid = next(iter(self.own()), "")
        rows = messages_of(self.session_id, history, own_jid, self.ignores)
        while some := list(islice(rows, SLICE)):
            for row in some:
                await self.writer.cast(StoreMessage(message=row))
            await self._stored()
        told = NewEvent("history.sync", history_data(history))
        await self.writer.cast(Append(self.session_id, (told,)))
        await self.writer.call(Delete(History, part.id), timeout=math.inf)

    async def _stored(self) -> None:
        # The writer keeps the order: once it has done this, it has stored all that it was given before.
        await self.writer.call(Append(self.session_id), timeout=math.inf)

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except DatabaseUnavailable:
                await trio.sleep(_AGAIN)
