"""Moves devices from a data directory's files into the PostgreSQL that many gateways share.

Each device goes whole, in one transaction; then its file goes to `devices.imported`, where no gateway looks.
What is there already is compared, never overwritten.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import psycopg
import trio
from attrs import frozen
from psycopg import sql

from actors.keys import BadConnectionString, PostgresDevices, TablesError, open_stores
from actors.whatsapp.devices import store_name
from api.datalock import alone
from storage.errors import DatabaseUnavailable

__all__ = ["Imported", "KeystoreError", "import_devices"]

NAME = "terzetto keys import"
"""What its connections are called in the server."""

DEVICE, SHARED = "whatsmeow_device", "whatsmeow_lid_map"
"""The table that the others refer to, and the one that is no device's: who has which hidden identity."""
FIRST = (DEVICE, "whatsmeow_app_state_version")

Row = tuple[Any, ...]
Outcome = Literal["imported", "already there", "no device", "refused"]


class KeystoreError(Exception):
    """Nothing can be imported; the text is for the user."""


class _Refused(Exception):
    """The device is left as it is."""


@frozen
class Imported:
    """What became of one session's device."""

    session: str
    outcome: Outcome
    detail: str = ""


@frozen
class _Table:
    """One table's rows of a device, as PostgreSQL takes them."""

    name: str
    columns: tuple[str, ...]
    rows: frozenset[Row]


def import_devices(dsn: str, data: Path) -> Iterator[Imported]:
    """Import the devices of a data directory on which no gateway runs, one after the other.

    Safe to repeat, and to break off at any moment. Raises KeystoreError, OSError.
    """
    files = sorted((data / "devices").glob("*.db"))
    if not files:
        raise KeystoreError(f"there are no devices in {data}")
    with alone(data), tempfile.TemporaryDirectory(dir=data, prefix="import.") as scratch:
        try:
            trio.run(PostgresDevices(dsn, NAME).prepare)
            copies = {file: Path(scratch) / f"{number}.db" for number, file in enumerate(files)}
            refusals = _copy_and_upgrade(copies)
            with psycopg.connect(
                dsn, autocommit=True, prepare_threshold=None, application_name=NAME
            ) as connection:
                for file, copy in copies.items():
                    if refusal := refusals.get(file):
                        yield Imported(file.stem, "refused", refusal)
                    else:
                        yield _import(connection, file, copy)
        except (BadConnectionString, DatabaseUnavailable, TablesError) as error:
            raise KeystoreError(f"the database of the keys: {error}") from None
        except psycopg.Error as error:
            # Without its text, which may name what the connection string holds.
            raise KeystoreError(f"the database of the keys: {type(error).__name__}") from None


def _copy_and_upgrade(copies: dict[Path, Path]) -> dict[Path, str]:
    """Copy each file as it is and have the library upgrade the copy; those that failed, and why."""
    failed: dict[Path, str] = {}
    for file, copy in copies.items():
        try:
            with (
                closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:
            failed[file] = str(error)
    copied = [file for file in copies if file not in failed]
    answers = trio.run(open_stores, [store_name(copies[file]) for file in copied])
    return failed | {file: answer for file, answer in zip(copied, answers, strict=True) if answer}


def _import(connection: psycopg.Connection[Row], file: Path, copy: Path) -> Imported:
    session = file.stem
    with closing(sqlite3.connect(copy)) as source:
        devices = source.execute(f"SELECT jid FROM {DEVICE}").fetchall()  # noqa: S608 - our own word
        if not devices:
            return Imported(session, "no device")
        if len(devices) > 1:
            return Imported(session, "refused", f"the file holds {len(devices)} devices")
        try:
            with connection.transaction():
                tables = _tables(connection, source)
                there = _is_there(connection, str(devices[0][0]), tables)
                if not there:
                    _insert(connection, tables)
        except (_Refused, psycopg.DataError, psycopg.IntegrityError) as error:
            reason = str(error) if isinstance(error, _Refused) else type(error).__name__
            return Imported(session, "refused", reason)
    _put_aside(file)
    count = sum(len(table.rows) for table in tables)
    return Imported(session, "already there" if there else "imported", f"{count} rows")


def _tables(connection: psycopg.Connection[Row], source: sqlite3.Connection) -> Sequence[_Table]:
    """All that the file holds, in an order in which it can be inserted."""
    version = "SELECT version FROM whatsmeow_version"
    ours, theirs = source.execute(version).fetchone(), connection.execute(version).fetchone()
    if ours != theirs:
        raise _Refused("the tables in PostgreSQL are those of another release")
    query = r"SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'whatsmeow\_%' ESCAPE '\'"
    names = {str(name) for (name,) in source.execute(query)} - {"whatsmeow_version"}
    return [
        _table(connection, source, name)
        for name in sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    ]


def _table(connection: psycopg.Connection[Row], source: sqlite3.Connection, name: str) -> _Table:
    query = (
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    types: dict[str, str] = dict(connection.execute(query, (name,)).fetchall())
    found = source.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - a table of this very file
    columns = tuple(column[0] for column in found.description)
    if set(columns) != set(types):
        raise _Refused(f"{name} has other columns in PostgreSQL")
    rows = frozenset(tuple(map(_converted, row, map(types.__getitem__, columns))) for row in found)
    return _Table(name, columns, rows)


def _converted(value: Any, type_: str) -> Any:
    """SQLite's value as PostgreSQL's type has it."""
    match type_:
        case _ if value is None:
            return None
        case "boolean":
            return bool(value)
        case "uuid":
            return UUID(value)
        case "bytea" if isinstance(value, str):
            return value.encode()
        case "text" if isinstance(value, bytes):
            return value.decode()
        case _:
            return value


def _is_there(connection: psycopg.Connection[Row], jid: str, tables: Sequence[_Table]) -> bool:
    """Whether PostgreSQL holds the device just as the file does. Raises _Refused when it does otherwise."""
    columns = "registration_id, noise_key, identity_key"
    query = sql.SQL("SELECT {} FROM {} WHERE jid = %s FOR UPDATE")
    held = connection.execute(query.format(sql.SQL(columns), sql.Identifier(DEVICE)), (jid,)).fetchone()
    if held is None:
        return False
    device = next(table for table in tables if table.name == DEVICE)
    (mine,) = (dict(zip(device.columns, row, strict=True)) for row in device.rows)
    if held != tuple(mine[column] for column in columns.split(", ")):
        raise _Refused(f"PostgreSQL holds other keys of {jid}")
    for table in tables:
        if table.name != SHARED and table.rows != _held(connection, jid, table):
            raise _Refused(f"PostgreSQL holds {jid}, and it or the file was used since: {table.name} differs")
    return True


def _held(connection: psycopg.Connection[Row], jid: str, table: _Table) -> frozenset[Row]:
    query = sql.SQL("SELECT {} FROM {} WHERE {} = %s").format(
        sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        sql.Identifier(table.name),
        sql.Identifier("jid" if "jid" in table.columns else "our_jid"),
    )
    return frozenset(connection.execute(query, (jid,)))


def _insert(connection: psycopg.Connection[Row], tables: Sequence[_Table]) -> None:
    for table in tables:
        query = sql.SQL("INSERT INTO {} ({}) VALUES ({}){}").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, table.columns)),
            sql.SQL(", ").join([sql.Placeholder()] * len(table.columns)),
            # What another device knows of an identity is as good.
            sql.SQL(" ON CONFLICT DO NOTHING" if table.name == SHARED else ""),
        )
        with connection.cursor() as cursor:
            cursor.executemany(query, sorted(table.rows, key=repr))


def _put_aside(file: Path) -> None:
    """Move a device's file, whole, to where no gateway uses it."""
    with closing(sqlite3.connect(file)) as device:
        device.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = file.parent.with_name("devices.imported")
    aside.mkdir(mode=0o700, exist_ok=True)
    for each in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        if each.exists():
            shutil.move(each, aside / each.name)
