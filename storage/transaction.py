"""What one batch of writes does to the database: a few statements for all of its rows, in one transaction.

Every statement takes its rows as one JSON document. Within a batch all messages are stored first, then
changed, then other rows are changed, deliveries are stored, and at last the events are appended in the order
of their writes. That is the order things happen in anyhow: nothing is known of a message before it is there.
The rare Insert and Delete…s keep their place among the others.
"""
# ruff: noqa: S608 - only names written here are put together; values are parameters

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, LiteralString, TypeVar

import attrs
from attrs import define, field
from psycopg import AsyncCursor
from psycopg.rows import kwargs_row

from storage.connection import TrioConnection
from storage.errors import WriteRefused
from storage.fencing import LEASE_MOVED, Fence
from storage.ids import new_id
from storage.rows import COLUMNS, TABLES, AuditEntry, Delivery, Event, Json, Message, Session
from storage.rows import Batch as StoredBatch
from storage.statements import (
    APPEND_EVENTS,
    BEGIN,
    BY_ID,
    BY_WA_ID,
    DELETE_CHAT,
    DELETE_MESSAGE,
    EVENTS,
    FORGET_LEFTOVERS,
    GIVE_BACK,
    HOLD,
    LOCK,
    STORE_ADDRESSES,
    STORE_ANSWERS,
    STORE_BATCHES,
    STORE_DELIVERIES,
    STORE_HEARD,
    STORE_MESSAGES,
    STORE_RECEIPTS,
    TELL_LOST,
    TRIM_DELIVERIES,
    UPDATE_MESSAGES,
)
from storage.writes import (
    Append,
    Delete,
    DeleteChat,
    DeleteMessage,
    ForgetLeftovers,
    GiveBack,
    Insert,
    NewEvent,
    Row,
    StoreAddresses,
    StoreAnswer,
    StoreBatch,
    StoreDelivery,
    StoreHeard,
    StoreMessage,
    StoreReceipt,
    TellLost,
    TrimDeliveries,
    Update,
    UpdateMessage,
    Write,
    Written,
    journal_of,
    session_of,
)

W = TypeVar("W")


@define(eq=False)
class Batch:
    """Writes that are committed together, once, however often it has to be tried."""

    writes: Sequence[Write]
    fences: frozenset[Fence] = frozenset()
    """What their senders hold."""
    id: str = field(init=False, factory=lambda: new_id("batch"))
    _written: list[Written] = field(init=False, factory=list)

    async def commit(self, connection: TrioConnection, writer: str, *, notify: bool = False) -> list[Written]:
        """Commit the batch, or find that an earlier try did; the answers in the order of the writes.

        `writer` names the writer, of which only one may run. With `notify` whoever listens to EVENTS is woken
        when there are any. Raises psycopg's errors, and WriteRefused for an event of an unknown session, a
        value that is not JSON, or a fence whose epoch is over: then nothing of the batch is stored, unless
        the connection broke in the commit itself, which the next try will find.
        """
        async with connection.transaction():
            cursor = await connection.execute(BEGIN, (LOCK, writer, self.id))
            if await cursor.fetchone() is not None:
                self._written = []
                await self._hold(connection)
                for section in _sections(self.writes):
                    self._written += await _Section(connection, section).write()
                if notify and any(written.events for written in self._written):
                    await connection.execute("SELECT pg_notify(%s, '')", (EVENTS,))
        return self._written

    async def _hold(self, connection: TrioConnection) -> None:
        """See that all fences stand, and that they do until the commit. A row that was deleted has none."""
        for table in ("sessions", "duties"):
            if ids := {fence.id for fence in self.fences if fence.table == table}:
                cursor = await connection.execute(HOLD[table], (list(ids),))
                epochs: dict[str, int] = dict(await cursor.fetchall())
                # Two of one id: it went away and came back, and at most one of them is good.
                if any(
                    fence.table == table and epochs.get(fence.id, fence.epoch) != fence.epoch
                    for fence in self.fences
                ):
                    raise WriteRefused(LEASE_MOVED)


def _sections(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    """Cut before and after each Insert, Delete, …: they do not commute with their neighbours."""
    start = 0
    for index, write in enumerate(writes):
        if isinstance(write, Insert | Delete | DeleteChat | DeleteMessage | GiveBack):
            if start < index:
                yield writes[start:index]
            yield writes[index : index + 1]
            start = index + 1
    if start < len(writes):
        yield writes[start:]


class _Section:
    """Writes that may be done kind by kind."""

    def __init__(self, connection: TrioConnection, writes: Sequence[Write]) -> None:
        self._connection = connection
        self._writes = writes
        self._applied: set[int] = set()
        self._rows: dict[int, Row | AuditEntry] = {}
        self._messages: dict[int, tuple[str, str | None]] = {}  # chat and client_ref, by the write's number

    async def write(self) -> list[Written]:
        match self._writes:
            case [Insert(row=row)]:
                await self._insert(row)
            case [Delete(table=table, id=row_id)]:
                await self._delete(table, row_id)
            case [DeleteChat(session_id=session_id, jids=jids)]:
                await self._remove(DELETE_CHAT, session_id, list(jids))
            case [DeleteMessage(session_id=session_id, id=message_id)]:
                await self._remove(DELETE_MESSAGE, session_id, message_id)
            case [GiveBack(claim_id=claim_id)]:
                await self._remove(GIVE_BACK, claim_id, claim_id)
            case _:
                await self._store_batches()
                await self._store_messages()
                await self._update_messages()
                await self._store_receipts()
                await self._update_rows()
                await self._store_deliveries()
                await self._trim_deliveries()
                await self._store_addresses()
                await self._store_heard()
                await self._tell_lost()
                await self._store_answers()
                await self._forget_leftovers()
                self._applied |= {number for number, write in self._numbered(Append)}
        events = await self._append_events()
        return [
            Written(number in self._applied, self._rows.get(number), tuple(events.get(number, ())))
            for number in range(len(self._writes))
        ]

    async def _insert(self, row: Row | AuditEntry) -> None:
        kind = type(row)
        columns = ", ".join(COLUMNS[kind])
        table = TABLES[kind]
        await self._connection.execute(
            f"INSERT INTO {table} ({columns})"
            f" SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json)".encode(),
            (_document([_fields(row)]),),
        )
        self._applied.add(0)
        self._rows[0] = row

    async def _delete(self, table: type[Row], row_id: str) -> None:
        cursor = await self._connection.execute(
            f"DELETE FROM {TABLES[table]} WHERE id = %s".encode(), (row_id,)
        )
        if cursor.rowcount:
            self._applied.add(0)

    async def _remove(self, query: LiteralString, *which: str | list[str]) -> None:
        cursor = await self._connection.execute(query, which)
        if cursor.rowcount:
            self._applied.add(0)

    async def _store_batches(self) -> None:
        writes = self._numbered(StoreBatch)
        if not writes:
            return
        for table, query, rows in (
            (StoredBatch, STORE_BATCHES, [write.batch for _, write in writes]),
            (Message, STORE_MESSAGES, [each.message for _, write in writes for each in write.messages]),
        ):
            columns = ", ".join(COLUMNS[table])
            document = _document([_fields(row) for row in rows])
            await self._connection.execute(query.format(columns=columns).encode(), (document,))
        self._applied |= {number for number, _ in writes}

    async def _store_receipts(self) -> None:
        rows = [
            {
                "number": number,
                "session_id": write.session_id,
                "wa_id": wa_id,
                "participant": write.participant,
                f"{write.status}_at": write.at,
            }
            for number, write in self._numbered(StoreReceipt)
            for wa_id in write.wa_ids
        ]
        if rows:
            cursor = await self._connection.execute(STORE_RECEIPTS.encode(), (_document(rows),))
            self._applied |= {number for (number,) in await cursor.fetchall()}

    async def _store_messages(self) -> None:
        writes = self._numbered(StoreMessage)
        if not writes:
            return
        numbers: dict[tuple[str, str], int] = {}
        for number, write in writes:
            numbers.setdefault((write.message.session_id, write.message.id), number)
        query = STORE_MESSAGES.format(columns=", ".join(COLUMNS[Message]))
        rows = [_fields(write.message) for _, write in writes]
        cursor = await self._connection.execute(query.encode(), (_document(rows),))
        for session_id, message_id, *told in await cursor.fetchall():
            self._took_effect(numbers[session_id, message_id], *told)

    async def _update_messages(self) -> None:
        writes = self._numbered(UpdateMessage)
        # By our id first: there a message gets the wa_id by which receipts name it.
        by_id = [each for each in writes if each[1].id is not None]
        by_wa_id = [each for each in writes if each[1].id is None]
        for match, chosen in ((BY_ID, by_id), (BY_WA_ID, by_wa_id)):
            query = UPDATE_MESSAGES.format(match=match).encode()
            for together in _rounds(chosen, lambda write: (write.session_id, write.id or write.wa_id)):
                rows = [_message_change(number, write) for number, write in together]
                cursor = await self._connection.execute(query, (_document(rows),))
                for number, applied, *told in await cursor.fetchall():
                    if applied:
                        self._took_effect(number, *told)

    def _took_effect(self, number: int, chat: str, client_ref: str | None) -> None:
        self._applied.add(number)
        self._messages[number] = (chat, client_ref)

    async def _update_rows(self) -> None:
        for together in _rounds(self._numbered(Update), lambda write: (write.table, write.id)):
            alike: dict[tuple[type[Row], tuple[str, ...]], dict[str, tuple[int, Update]]] = defaultdict(dict)
            for number, write in together:
                alike[write.table, tuple(sorted(write.changes))][write.id] = (number, write)
            for (table, columns), writes in alike.items():
                await self._update_alike(table, columns, writes)

    async def _update_alike(
        self, table: type[Row], columns: tuple[str, ...], writes: dict[str, tuple[int, Update]]
    ) -> None:
        """Change the same columns of several rows of a table."""
        changes = [f"{column} = r.{column}" for column in columns]
        if "updated_at" in COLUMNS[table]:
            changes.append("updated_at = now()")
        if table is Session and "status" in columns and "status_since" not in columns:
            changes.append("status_since = CASE WHEN t.status = r.status THEN t.status_since ELSE now() END")
        name = TABLES[table]
        found = ", ".join(f"t.{column}" for column in COLUMNS[table])
        cursor: AsyncCursor[Row] = self._connection.cursor(row_factory=kwargs_row(table))
        await cursor.execute(
            f"UPDATE {name} t SET {', '.join(changes)} FROM json_populate_recordset(NULL::{name}, %s::json) r"
            f" WHERE t.id = r.id RETURNING {found}".encode(),
            (_document([{"id": row_id, **write.changes} for row_id, (_, write) in writes.items()]),),
        )
        for row in await cursor.fetchall():
            number, _ = writes[row.id]
            self._applied.add(number)
            self._rows[number] = row

    async def _store_deliveries(self) -> None:
        writes = self._numbered(StoreDelivery)
        if not writes:
            return
        newest = {(write.row.webhook_id, write.row.event_id): write.row for _, write in writes}
        columns = COLUMNS[Delivery]
        query = STORE_DELIVERIES.format(
            columns=", ".join(columns),
            given=", ".join(f"r.{column}" for column in columns),
            changes=", ".join(f"{column} = excluded.{column}" for column in columns[2:]),
        )
        rows = [_fields(row) for row in newest.values()]
        cursor = await self._connection.execute(query.encode(), (_document(rows),))
        stored = set(await cursor.fetchall())
        self._applied |= {
            number for number, write in writes if (write.row.webhook_id, write.row.event_id) in stored
        }

    async def _trim_deliveries(self) -> None:
        for number, write in self._numbered(TrimDeliveries):
            cursor = await self._connection.execute(TRIM_DELIVERIES, attrs.asdict(write))
            if cursor.rowcount:
                self._applied.add(number)

    async def _store_addresses(self) -> None:
        for together in _rounds(self._numbered(StoreAddresses), lambda write: (write.session_id,)):
            numbers = {write.session_id: number for number, write in together}
            rows = [
                {"session_id": write.session_id, **attrs.asdict(row)}
                for _, write in together
                for row in write.rows
            ]
            cursor = await self._connection.execute(STORE_ADDRESSES, (_document(rows),))
            self._applied |= {numbers[session_id] for (session_id,) in await cursor.fetchall()}

    async def _store_heard(self) -> None:
        writes = self._numbered(StoreHeard)
        if not writes:
            return
        rows = [
            {"session_id": write.session_id, "wa_id": write.wa_id, "untold": write.untold, "at": write.at}
            for _, write in writes
        ]
        cursor = await self._connection.execute(STORE_HEARD, (_document(rows),))
        stored = set(await cursor.fetchall())
        self._applied |= {number for number, write in writes if (write.session_id, write.wa_id) in stored}

    async def _tell_lost(self) -> None:
        rows = [
            {"number": number, "session_id": write.session_id, "wa_id": write.wa_id}
            for number, write in self._numbered(TellLost)
        ]
        if rows:
            cursor = await self._connection.execute(TELL_LOST, (_document(rows),))
            self._applied |= {number for number, lost in await cursor.fetchall() if lost}

    async def _store_answers(self) -> None:
        rows = [
            {"id": write.claim_id, "number": number, "answer": write.answer}
            for number, write in self._numbered(StoreAnswer)
        ]
        if rows:
            cursor = await self._connection.execute(STORE_ANSWERS, (_document(rows),))
            self._applied |= {number for (number,) in await cursor.fetchall()}

    async def _forget_leftovers(self) -> None:
        for number, write in self._numbered(ForgetLeftovers):
            cursor = await self._connection.execute(
                FORGET_LEFTOVERS, (write.session_id, write.epoch, write.seq)
            )
            if cursor.rowcount:
                self._applied.add(number)

    async def _append_events(self) -> dict[int, list[Event]]:
        """Append the events of the writes that took effect, numbered on from each session's last."""
        new: list[tuple[int, str, NewEvent]] = []
        counts: Counter[str] = Counter()
        for number, write in enumerate(self._writes):
            session_id = session_of(write)
            if session_id is not None and number in self._applied:
                for event in getattr(write, "events", ()):
                    new.append((number, session_id, event))
                    counts[session_id] += 1
        journal = journal_of(self._writes)
        sessions = [
            {"id": session_id, "events": counts[session_id], "journal_seq": journal.get(session_id)}
            for session_id in journal.keys() | counts.keys()
        ]
        if not sessions:
            return {}
        left = counts.copy()
        rows: list[dict[str, Any]] = []
        for place, (number, session_id, event) in enumerate(new):
            left[session_id] -= 1
            data = _about(event.data, *self._messages[number]) if number in self._messages else event.data
            rows.append(
                {
                    "behind": len(new) - 1 - place,
                    "own_behind": left[session_id],
                    "session_id": session_id,
                    "event_id": new_id("evt"),
                    "event": event.event,
                    "occurred_at": event.occurred_at,
                    "data": data,
                }
            )
        cursor = await self._connection.execute(
            APPEND_EVENTS, (_document(sessions), len(new), len(new), _document(rows))
        )
        taken = await cursor.fetchall()
        if len(taken) < len(sessions):
            raise WriteRefused("unknown_session", field="session_id")
        last = {session_id: seq for session_id, seq, _ in taken}
        appended: dict[int, list[Event]] = defaultdict(list)
        for row, (number, session_id, _) in zip(rows, new, strict=True):
            seq, position = last[session_id] - row.pop("own_behind"), taken[0][2] - row.pop("behind")
            appended[number].append(Event(seq=seq, position=position, **row))
        return appended

    def _numbered(self, kind: type[W]) -> list[tuple[int, W]]:
        return [(number, write) for number, write in enumerate(self._writes) if isinstance(write, kind)]


def _about(data: Json, chat: str, client_ref: str | None) -> Json:
    """An event's data in the terms of its message: the chat's address there, and the caller's reference."""
    key = data.get("key")
    if key is not None and key["remoteJid"] != chat:
        data = {**data, "key": {**key, "remoteJid": chat, "remoteJidAlt": key["remoteJid"]}}
    return data if client_ref is None else {**data, "clientRef": client_ref}


def _message_change(number: int, write: UpdateMessage) -> dict[str, Any]:
    change = attrs.asdict(write, recurse=False)
    del change["events"], change["journal_seq"]
    return {"number": number, **change}


def _fields(row: Row | AuditEntry | Delivery | Message | Event) -> dict[str, Any]:
    return attrs.asdict(row, recurse=False)


def _document(rows: list[dict[str, Any]]) -> str:
    try:
        return json.dumps(rows, default=_encode, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise WriteRefused("invalid_value") from None


def _encode(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return "\\x" + value.hex()
        case _:
            raise TypeError(f"{type(value).__name__} is not JSON")


def _rounds(writes: list[tuple[int, W]], key: Callable[[W], tuple[Any, ...]]) -> list[list[tuple[int, W]]]:
    """Deal out writes so that no round has a key twice, and those of one key keep their order.

    One statement changes a row only once.
    """
    rounds: list[list[tuple[int, W]]] = []
    seen: Counter[Any] = Counter()
    for each in writes:
        of = key(each[1])
        if seen[of] == len(rounds):
            rounds.append([])
        rounds[seen[of]].append(each)
        seen[of] += 1
    return rounds
