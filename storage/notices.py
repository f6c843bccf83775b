"""Listening to the database, which wakes a node early; whoever listens looks now and then even so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import NoReturn

import psycopg
import trio
from psycopg import sql

from storage.connection import TrioConnection

log = logging.getLogger("storage")

_RETRY = 1.0
"""Seconds until a lost connection is made again."""


async def listen(
    dsn: str, channels: Collection[str], heard: Callable[[str, str], None], name: str
) -> NoReturn:
    """Call `heard` with channel and payload of each notice, until cancelled, over outages of the database.

    After each connection it is called once for every channel, with no payload: something may be missed.
    """
    while True:
        try:
            connection = await TrioConnection.connect(
                dsn, autocommit=True, application_name=f"terzetto {name}"
            )
            try:
                for channel in channels:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                for channel in channels:
                    heard(channel, "")
                async for notice in connection.notifies():
                    heard(notice.channel, notice.payload)
            finally:
                connection.close_now()
        except psycopg.Error as error:
            log.debug("not_listening error=%s", type(error).__name__)
        await trio.sleep(_RETRY)
