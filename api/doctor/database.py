"""The database: reached, new enough, migrated, with the right time and room for us, and ours alone."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from api.config import Config
from api.doctor.finding import Finding, ok, problem, warning
from storage.embedded import DATABASE, ROLE
from storage.errors import MigrationError
from storage.migrate import OLDEST_PROGRAM, migrations, pending
from storage.nodes import CONNECTIONS as LEASE_CONNECTIONS
from storage.programs import major_version

OLDEST = 15
"""The oldest PostgreSQL that the migrations were run on."""

TIMEOUT = 5
"""Seconds to connect to each address, and for each statement."""

MOST_APART = 60.0
GOOD_APART = 2.0
"""Seconds between its clock and ours."""

Connection = psycopg.Connection[tuple[Any, ...]]


def check(config: Config, data: Path, *, occupied: bool) -> Iterator[Finding]:
    """All about it; `occupied` says whether a gateway runs on the data directory."""
    dsn = config.storage.dsn
    if not dsn:
        found = _embedded(data)
        if isinstance(found, Finding):
            yield found
            return
        dsn = found
    try:
        with psycopg.connect(dsn, connect_timeout=TIMEOUT, application_name="terzetto doctor") as connection:
            connection.autocommit = True
            # Not as options of the connection, which PgBouncer would refuse.
            connection.execute(f"SET statement_timeout = '{TIMEOUT}s'".encode())
            connection.execute("SET default_transaction_read_only = on")
            yield from _server(connection)
            yield from _schema(connection)
            yield from _clock(connection)
            yield from _room(connection, config, occupied=occupied)
            yield from _others(connection, config, occupied=occupied)
    except psycopg.ProgrammingError as error:
        # Where the string itself is wrong the text quotes it, password and all.
        reason = "no connection string" if error.sqlstate is None else _said(error)
        yield problem("database", reason, "correct DATABASE_URL, or [storage] dsn")
    except psycopg.Error as error:
        yield problem(
            "database",
            _said(error),
            "start PostgreSQL, or correct DATABASE_URL: host, port, user, password and database",
        )


def _embedded(data: Path) -> Finding | str:
    """What is to say of an embedded server that does not run; the connection string of one that does."""
    pgdata, ours = data / "postgres" / "pgdata", major_version()
    try:
        theirs = _text(pgdata / "PG_VERSION")
        lines = _text(pgdata / "postmaster.pid").splitlines()
    except OSError as error:
        return problem("database", f"{pgdata}: {error.strerror}", "run this as the gateway's user")
    if not theirs:
        return ok("database", f"embedded PostgreSQL {ours}, made at the first start")
    if theirs != ours:
        return problem(
            "database",
            f"{pgdata} is of PostgreSQL {theirs}, and this program brings {ours}",
            f"dump it with the program of before, move {pgdata} away, and restore into the new one",
        )
    if len(lines) < 5 or not Path(f"/proc/{lines[0]}").exists():
        return ok("database", f"embedded PostgreSQL {ours}; it is looked into only while its gateway runs")
    return psycopg.conninfo.make_conninfo(host=lines[4], port=lines[3], user=ROLE, dbname=DATABASE)


def _text(file: Path) -> str:
    """What a file holds; "" where there is none. Raises OSError."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""


def _server(connection: Connection) -> Iterator[Finding]:
    number = connection.info.server_version
    version = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number // 10000 < OLDEST:
        yield problem("database", f"{version} is older than {OLDEST}", f"upgrade it to {OLDEST} or newer")
    else:
        yield ok("database", version)
    settings: dict[str, str] = dict(
        connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('server_encoding', 'fsync', 'full_page_writes', 'in_hot_standby')"
        )
    )
    if settings["server_encoding"] != "UTF8":
        yield problem(
            "database",
            f"its encoding is {settings['server_encoding']}",
            "make a database with ENCODING 'UTF8' TEMPLATE template0",
        )
    if settings["in_hot_standby"] == "on":
        yield problem(
            "database", "it is a standby, which takes no writes", "name the primary in DATABASE_URL"
        )
    for name in ("fsync", "full_page_writes"):
        if settings[name] == "off":
            yield warning(
                "database", f"{name} is off: a crash of its machine loses messages", f"set {name} = on"
            )


def _schema(connection: Connection) -> Iterator[Finding]:
    ours = migrations()
    row = connection.execute("SELECT to_regclass('migrations') IS NOT NULL").fetchone()
    applied = (
        connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number").fetchall()
        if row == (True,)
        else []
    )
    oldest = (connection.execute(OLDEST_PROGRAM).fetchone() if applied else None) or (None,)
    try:
        waiting = pending(ours, applied, *oldest)
    except MigrationError as error:
        yield problem(
            "migrations",
            str(error),
            "start the release that migrated it, or restore the back-up from before the upgrade",
        )
        return
    if len(applied) > len(ours):
        yield ok("migrations", f"at {applied[-1][1]}, which bears this program, of {ours[-1].name}")
        return
    if not waiting:
        yield ok("migrations", f"at {ours[-1].name}, as this program")
        return
    row = connection.execute("SELECT has_schema_privilege(current_schema(), 'CREATE')").fetchone()
    if row != (True,):
        yield problem(
            "migrations",
            f"{len(waiting)} are to be applied, and this user may not make tables",
            "GRANT CREATE ON SCHEMA public, or make the user the database's owner",
        )
    elif not applied:
        yield ok("migrations", "an empty database; its tables are made at the first start")
    else:
        yield warning(
            "migrations",
            f"{len(waiting)} are applied at the next start, from {waiting[0].name}",
            "back up first: an older release does not run on a newer database",
        )


def _clock(connection: Connection) -> Iterator[Finding]:
    before = time.time()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = time.time()
    assert row is not None
    yield clock(before, float(row[0]), after)


def clock(before: float, theirs: float, after: float) -> Finding:
    """What a database's time says that it told between two times of ours; all in seconds."""
    apart = max(before - theirs, theirs - after, 0.0)
    text = f"{apart:.1f} s apart from the database's"
    remedy = "have both machines' clocks set by NTP: keys, schedules and the times of events go by them"
    if apart > MOST_APART:
        return problem("clock", text, remedy)
    if apart > GOOD_APART:
        return warning("clock", text, remedy)
    return ok("clock", text)


def _room(connection: Connection, config: Config, *, occupied: bool) -> Iterator[Finding]:
    """Connections that are left, and those that a gateway opens."""
    row = connection.execute(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true), '0')::int"
        " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        " + 1,"  # this one
        " (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)"
        " - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) + 1,"
        " (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())"
        " - (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) + 1"
    ).fetchone()
    assert row is not None
    left = min(each for each in row if each is not None)
    wanted = connections(config)
    text = f"{left} connections left; a gateway uses {wanted}"
    remedy = "raise max_connections, or lower [storage] readers and [media] connections"
    if left < wanted and not occupied:
        yield problem("room", text, remedy)
    elif left < wanted:
        yield warning("room", text, remedy)
    else:
        yield ok("room", text)


def connections(config: Config) -> int:
    """How many a gateway opens at most: for queries, for files, the writer's, and one while it starts.

    A node among others has some for its lease, and listens on two.
    """
    alone = config.storage.readers + config.media.connections + 2
    return alone + LEASE_CONNECTIONS + 2 if config.cluster.enabled else alone


def _others(connection: Connection, config: Config, *, occupied: bool) -> Iterator[Finding]:
    """Gateways beside this one: they share the database, or have none in common."""
    shared = config.cluster.enabled
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'terzetto writer gateway'"
    ).fetchone()
    assert row is not None
    others = int(row[0]) - (occupied and not shared)
    if others > 0:
        yield problem(
            "database",
            "a gateway with another data directory writes to it",
            "give each gateway a database of its own, or let all share it with [cluster] enabled",
        )
    row = connection.execute("SELECT to_regclass('nodes')").fetchone()
    if row is None or row[0] is None:
        return
    row = connection.execute("SELECT count(*) FROM nodes WHERE expires_at > clock_timestamp()").fetchone()
    assert row is not None
    if shared:
        yield ok("nodes", f"{row[0]} hold a lease")
    elif row[0]:
        yield problem("nodes", f"{row[0]} share this database", "set [cluster] enabled here too")


def _said(error: psycopg.Error) -> str:
    """The first line of what PostgreSQL or its client says; neither repeats a password."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
