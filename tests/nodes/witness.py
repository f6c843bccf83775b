"""Who owned each session when, as the database saw it, and which logins were not their owner's."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from storage.connection import TrioConnection

__all__ = ["Login", "Owned", "install", "login_of", "owned", "trespasses"]

_INSTALL = """
    CREATE SCHEMA witness;
    CREATE TABLE witness.nodes (id text PRIMARY KEY, name text NOT NULL);
    CREATE TABLE witness.owners (
        number     bigint GENERATED ALWAYS AS IDENTITY,
        session_id text NOT NULL,
        node       text,
        at         double precision NOT NULL
    );

    CREATE FUNCTION witness.node() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO witness.nodes VALUES (NEW.id, NEW.name);
        RETURN NULL;
    END $$;
    CREATE FUNCTION witness.owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO witness.owners (session_id, node, at)
        VALUES (NEW.id, NEW.node, extract(epoch FROM clock_timestamp()));
        RETURN NULL;
    END $$;
    CREATE TRIGGER witnessed AFTER INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION witness.node();
    CREATE TRIGGER witnessed AFTER INSERT OR UPDATE OF node, epoch ON sessions
        FOR EACH ROW EXECUTE FUNCTION witness.owner();

    INSERT INTO witness.nodes SELECT id, name FROM nodes;
    INSERT INTO witness.owners (session_id, node, at)
        SELECT id, node, extract(epoch FROM clock_timestamp()) FROM sessions;
"""

EARLY = 0.02
"""Seconds by which the kernel's word for when data came, in ticks, may be off."""


@frozen
class Owned:
    """From `since` on, a Unix time, the session was this node's life's; None: nobody's."""

    session: str
    life: str | None
    """The id under which the node was registered."""
    name: str | None
    since: float


@frozen
class Login:
    """A login of a session's device, as the loopback network's record has it; Unix times."""

    number: int
    phone: str
    host: str
    at: float
    heard: float
    ended: float | None
    replaced: bool
    overlap: int


def login_of(shown: Mapping[str, Any]) -> Login:
    """One of what the control API gives."""
    return Login(
        shown["number"],
        shown["phone"],
        shown["peer"].rpartition(":")[0],
        shown["at"],
        shown["heard"],
        shown["ended"],
        shown["replacedBy"] is not None,
        shown["overlap"],
    )


async def install(connection: TrioConnection) -> None:
    """From now on every change of an owner is written down, in its own transaction."""
    await connection.execute(_INSTALL.encode())


async def owned(connection: TrioConnection) -> list[Owned]:
    """All that was written down, oldest first."""
    query = """
        SELECT session_id, owners.node, name, at
        FROM witness.owners LEFT JOIN witness.nodes ON nodes.id = owners.node ORDER BY number
    """
    cursor = await connection.execute(query.encode())
    return [Owned(*row) for row in await cursor.fetchall()]


def trespasses(
    logins: Iterable[Login], history: Iterable[Owned], hosts: Mapping[str, str], phones: Mapping[str, str]
) -> list[str]:
    """What a node did with a session that was not its own: a line each.

    `hosts` are the nodes' by their names, `phones` the sessions' by their ids. A login is its owner's if the
    session was the node's at that moment, and stayed so until the last data came over that link.
    """
    owners: dict[str, list[Owned]] = defaultdict(list)
    for each in history:
        if each.session in phones:
            owners[phones[each.session]].append(each)
    found = []
    for login in logins:
        mine = owners.get(login.phone, [])
        at = bisect_right(mine, login.at, key=lambda each: each.since) - 1
        owner = mine[at] if at >= 0 else None
        if owner is None or owner.name is None or hosts.get(owner.name) != login.host:
            whose = "nobody's" if owner is None or owner.name is None else f"{owner.name}'s"
            found.append(f"{login.phone}: {login.host} logged in at {login.at:.3f}, when it was {whose}")
            continue
        then = mine[at + 1] if at + 1 < len(mine) else None
        if then is not None and login.heard > then.since + EARLY:
            found.append(
                f"{login.phone}: {login.host} was heard at {login.heard:.3f},"
                f" {login.heard - then.since:.3f} s after it was {then.name or 'nobody'}'s"
            )
    return found
