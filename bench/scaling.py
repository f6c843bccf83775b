"""Measures what docs/scaling.md reckons with: python -m bench.scaling [stored] [turns].

`stored` runs a gateway with its embedded PostgreSQL on a loopback network, and tells what a message costs in
bytes, commits and processor time. `turns` has writers of one database take turns, near it and further away.
All is on 127.0.0.1, and nothing is left behind.
"""

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import trio
from attrs import frozen
from psycopg.conninfo import make_conninfo

from bench.table import table
from bench.usage import cpu_seconds
from storage import Message, MessageStatus, NewEvent, Pool, Reads, StoreMessage, migrate, new_id
from storage.connection import TrioConnection
from storage.embedded import embedded_postgres
from storage.transaction import Batch
from tests.storage.gateway import running_writer
from tests.whole.processes import Gateway, Network, Session, descendants, gateway, network, until

TEXT = "Thank you, the parcel has arrived this morning and all is well."
SESSIONS, CUSTOMERS, EACH = 8, 40, 250  # EACH: messages of a session, in each direction
CONFIG = """
[session]
per_minute = 1000000
burst = 1000000
settling = 0.3

[metrics]
open = true
"""
TABLES = ("messages", "receipts", "events", "heard", "addresses")

SECONDS = 3.0  # of a row of turns
OWN_SESSIONS = 100  # of each writer
MANY = 16  # writers


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scaling", description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=["stored", "turns", []])
    trio.run(_run, parser.parse_args().parts or ["stored", "turns"])


async def _run(parts: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="terzetto-scaling-") as name:
        if "stored" in parts:
            _show("What a message costs", await _stored(Path(name)))
        if "turns" in parts:
            _show("Turns of writers", await _turns(Path(name)))


def _show(title: str, lines: Iterator[str]) -> None:
    print(f"\n{title}\n", *lines, sep="\n", flush=True)


# What a message costs


@frozen
class Seen:
    """Counters of a gateway at one moment."""

    rows: dict[str, int]
    bytes: dict[str, int]
    wal: int
    commits: float
    writes: float
    processor: dict[str, float]


async def _stored(folder: Path) -> Iterator[str]:
    numbers = [f"62810{number:06d}" for number in range(CUSTOMERS)]
    async with network(folder / "network") as wa, gateway(folder / "gateway", wa, CONFIG) as gw:
        for number in numbers:
            await wa.phone(number, auto_read=True)
        sessions = [await gw.pair(f"s{n}", f"62811{n:06d}") for n in range(SESSIONS)]
        for session in sessions:  # so that chats are known and keys are made, as they are after a day
            for number in numbers:
                await wa.write(number, session.phone, "hello")
        async with _looking(gw) as look:
            await until(look.at_rest, "all is quiet", within=120)
            before = await look.see()
            await _incoming(wa, sessions, numbers)
            await until(look.at_rest, "all is quiet", within=120)
            between = await look.see()
            await _outgoing(gw, sessions, numbers)
            await until(look.at_rest, "all is quiet", within=120)
            after = await look.see()
    return _stored_lines([("came in", before, between), ("went out", between, after)])


async def _incoming(wa: Network, sessions: Sequence[Session], numbers: Sequence[str]) -> None:
    async def write(session: Session) -> None:
        for number in range(EACH):
            await wa.write(numbers[number % len(numbers)], session.phone, TEXT)

    async with trio.open_nursery() as nursery:
        for session in sessions:
            nursery.start_soon(write, session)


async def _outgoing(gw: Gateway, sessions: Sequence[Session], numbers: Sequence[str]) -> None:
    async def send(session: Session) -> None:
        for number in range(EACH):
            await gw.send(session, numbers[number % len(numbers)], TEXT)

    async with trio.open_nursery() as nursery:
        for session in sessions:
            nursery.start_soon(send, session)


class _Look:
    """Looks at a gateway's database and processes."""

    def __init__(self, gw: Gateway, connection: TrioConnection, postmaster: int) -> None:
        self._gw = gw
        self._connection = connection
        self._postmaster = postmaster
        self._last: tuple[int, float] = (-1, 0.0)

    async def at_rest(self) -> bool:
        """Whether no event has come for two seconds."""
        count = (await self._rows())["events"]
        if count != self._last[0]:
            self._last = (count, trio.current_time())
        return trio.current_time() - self._last[1] > 2

    async def see(self) -> Seen:
        # Server processes come and go; what they used is counted before the tables are looked through.
        servers = {self._postmaster, *descendants(self._postmaster)}
        cells = set(self._gw.cells)
        processor = {
            "gateway": cpu_seconds([self._gw.program.process.pid]),
            "cells": cpu_seconds(cells),
            "postgres": cpu_seconds(servers),
        }
        (wal,) = await self._one("SELECT pg_current_wal_insert_lsn() - '0/0'")
        await self._connection.execute("VACUUM")
        sizes = {}
        for name in TABLES:
            (sizes[name],) = await self._one(
                "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s) WHERE isleaf"
                if name == "events"
                else "SELECT pg_total_relation_size(%s)",
                name,
            )
        text = (await self._gw.http.get("/metrics")).text
        commits, writes = (
            float(re.findall(rf"^terzetto_storage_{what}_total (\S+)", text, re.MULTILINE)[0])
            for what in ("commits", "writes")
        )
        return Seen(await self._rows(), sizes, int(wal), commits, writes, processor)

    async def _rows(self) -> dict[str, int]:
        return {name: (await self._one(f"SELECT count(*) FROM {name}"))[0] for name in TABLES}  # noqa: S608

    async def _one(self, query: str, *params: object) -> tuple[int, ...]:
        row = await (await self._connection.execute(query.encode(), params or None)).fetchone()
        assert row is not None
        return row


@asynccontextmanager
async def _looking(gw: Gateway) -> AsyncIterator[_Look]:
    lock = (gw.folder / "data/postgres/pgdata/postmaster.pid").read_text().splitlines()
    dsn = make_conninfo(host=lock[4], port=lock[3], user="terzetto", dbname="postgres")
    connection = await TrioConnection.connect(dsn, autocommit=True)
    yield _Look(gw, connection, await gw.postmaster())
    await connection.close()


def _stored_lines(phases: Sequence[tuple[str, Seen, Seen]]) -> Iterator[str]:
    count = SESSIONS * EACH
    yield f"{count} texts of {len(TEXT)} characters in each direction; all per message"
    yield ""
    rows = []
    for name, before, after in phases:
        used = {each: after.processor[each] - before.processor[each] for each in before.processor}
        rows.append(
            (
                name,
                f"{(after.writes - before.writes) / count:.1f}",
                f"{(after.commits - before.commits) / count:.2f}",
                f"{(after.wal - before.wal) / count:,.0f}",
                *(f"{1000 * used[each] / count:.2f}" for each in ("gateway", "cells", "postgres")),
            )
        )
    yield from table(("", "writes", "commits", "WAL bytes", "gateway ms", "cells ms", "postgres ms"), rows)
    yield ""
    rows = []
    for name, before, after in phases:
        for each in TABLES:
            new, size = after.rows[each] - before.rows[each], after.bytes[each] - before.bytes[each]
            if new:
                rows.append((name, each, f"{new / count:.2f}", f"{size / count:,.0f}", f"{size / new:,.0f}"))
    yield from table(("", "table", "rows", "bytes", "bytes a row"), rows)


# Turns


@frozen
class Turns:
    """What writers did in their time."""

    commits: int
    seconds: float
    waits: Sequence[float]


async def _turns(folder: Path) -> Iterator[str]:
    rows = []
    async with embedded_postgres(folder / "postgres") as dsn:
        await migrate(dsn)
        async with running_writer(dsn) as storage:
            for number in range(MANY * OWN_SESSIONS):
                await storage.session(f"s{number}")
        flush = _flush(dsn)
        for away in (0.0, 0.001):
            async with _at_a_distance(dsn, folder / f"away-{away}", away) as there:
                trip = await _round_trip(there)
                for size in (1, 20, 100, 500):
                    alone, together = [await _take_turns(there, count, size) for count in (1, MANY)]
                    rows.append(
                        (
                            f"{1000 * trip:.2f}",
                            size,
                            f"{1000 * _tenth(alone.waits):.1f}",
                            f"{1000 * statistics.median(alone.waits):.1f}",
                            f"{size / _tenth(alone.waits):,.0f}",
                            f"{size * together.commits / together.seconds:,.0f}",
                            f"{1000 * statistics.median(together.waits):,.0f}",
                        )
                    )
        following = await _follow(dsn)
    header = (
        *("round trip ms", "messages a commit", "turn ms, fastest tenth", "median", "messages/s by it"),
        *(f"{MANY} writers: messages/s", "p50 wait ms"),
    )
    lines = [f"A write and its flush to this disk: {1000 * flush:.2f} ms", "", *table(header, rows), ""]
    return iter([*lines, f"Processor time of who reads the log: {1e6 * following:.0f} µs an event"])


async def _follow(dsn: str) -> float:
    """Seconds of our own processor time for each event of the log, read from its begin to its end."""
    pool = Pool(dsn, 1)
    position = count = 0
    began = time.process_time()
    while events := (stretch := await Reads(pool).events_after(position, limit=500)).events:
        position, count = stretch.end, count + len(events)
    took = time.process_time() - began
    pool.close()
    return took / count


def _tenth(times: Sequence[float]) -> float:
    """What the fastest tenth stays below: on a machine that others use too, that is what it takes."""
    return sorted(times)[len(times) // 10]


def _flush(dsn: str) -> float:
    """Seconds for a commit of next to nothing."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE flushed (n int)")
        times = []
        for number in range(200):
            began = time.perf_counter()
            connection.execute("INSERT INTO flushed VALUES (%s)", (number,))
            times.append(time.perf_counter() - began)
    return _tenth(times)


async def _round_trip(dsn: str) -> float:
    connection = await TrioConnection.connect(dsn, autocommit=True)
    times = []
    for _ in range(100):
        began = time.perf_counter()
        await connection.execute("SELECT")
        times.append(time.perf_counter() - began)
    await connection.close()
    return _tenth(times)


async def _take_turns(dsn: str, writers: int, size: int) -> Turns:
    """So many writers, each on a connection of its own, commit batches as fast as they get a turn."""
    waits: list[float] = []
    until_then = trio.current_time() + SECONDS

    async def write(number: int) -> None:
        connection = await TrioConnection.connect(dsn, autocommit=True)
        at = 0
        while trio.current_time() < until_then:
            batch = []
            for _ in range(size):
                at += 1
                batch.append(_message(f"s{number * OWN_SESSIONS + at % OWN_SESSIONS}"))
            began = time.perf_counter()
            await Batch(batch).commit(connection, f"writer {number}")
            waits.append(time.perf_counter() - began)
        await connection.close()

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(writers):
            nursery.start_soon(write, number)
    return Turns(len(waits), time.perf_counter() - began, waits)


def _message(session_id: str) -> StoreMessage:
    chat, wa_id = "4915112345678@s.whatsapp.net", new_id("wa")
    key = {"remoteJid": chat, "fromMe": False, "id": wa_id}
    stored = Message(
        session_id=session_id,
        id=new_id("msg"),
        wa_id=wa_id,
        chat=chat,
        sender=chat,
        from_me=False,
        type="text",
        text=TEXT,
        status=MessageStatus.RECEIVED,
    )
    return StoreMessage(message=stored, events=(NewEvent("messages.upsert", {"key": key, "text": TEXT}),))


@asynccontextmanager
async def _at_a_distance(dsn: str, folder: Path, away: float) -> AsyncIterator[str]:
    """The connection string of the same server, `away` seconds further there and back."""
    if not away:
        yield dsn
        return
    folder.mkdir()
    there = psycopg.conninfo.conninfo_to_dict(dsn)
    port = int(there.get("port") or 5432)
    listener = trio.SocketListener(_listen(folder / f".s.PGSQL.{port}"))

    async def serve(near: trio.SocketStream) -> None:
        far = await trio.open_unix_socket(f"{there['host']}/.s.PGSQL.{port}")
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(_late, near, far, away / 2, nursery.cancel_scope)
            nursery.start_soon(_late, far, near, away / 2, nursery.cancel_scope)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield make_conninfo(dsn, host=str(folder))
        nursery.cancel_scope.cancel()


def _listen(path: Path) -> trio.socket.SocketType:
    import socket  # noqa: PLC0415 - for this alone

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return trio.socket.from_stdlib_socket(listening)


async def _late(
    source: trio.SocketStream, sink: trio.SocketStream, delay: float, both: trio.CancelScope
) -> None:
    """Pass on all that comes, each piece so many seconds later."""
    send, receive = trio.open_memory_channel[tuple[float, bytes | bytearray]](10_000)

    async def deliver() -> None:
        async for due, data in receive:
            await trio.sleep_until(due)
            await sink.send_all(data)

    async with trio.open_nursery() as nursery, send:
        nursery.start_soon(deliver)
        try:
            async for data in source:
                await send.send((trio.current_time() + delay, data))
        except trio.BrokenResourceError:
            pass  # its other end is gone, as at the end of a connection
        both.cancel()


if __name__ == "__main__":
    main()
