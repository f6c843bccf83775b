"""A connection string in PostgreSQL's own form, as the client library's driver takes it.

The driver is Go's lib/pq: it reads URLs, knows most of libpq's words, and sends the server whatever it does
not know as a setting, which that then refuses. A cell has nothing of the gateway's environment, so what libpq
takes from there, and its own defaults, are put into the URL.
"""

from urllib.parse import quote, urlencode

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

__all__ = ["BadConnectionString", "library_url"]

KNOWN = {
    *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "options", "connect_timeout"),
    *("sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslsni"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname"),
    *("target_session_attrs", "load_balance_hosts"),
}

IDLE = "idle_session_timeout"


class BadConnectionString(ValueError):
    """What should be a connection string is none; the text does not quote it."""


def library_url(dsn: str, *, name: str, idle: int | None = None) -> str:
    """The URL under which the library opens the database, announcing itself there as `name`.

    The server ends its connections after `idle` seconds without a query, unless `dsn` says otherwise.

    Raises BadConnectionString.
    """
    try:
        given = conninfo_to_dict(dsn)
    except ProgrammingError:
        raise BadConnectionString("not a PostgreSQL connection string") from None
    found = {each.keyword.decode(): each.val.decode() for each in pq.Conninfo.get_defaults() if each.val}
    words = {word: str(value) for word, value in (found | given).items() if word in KNOWN}
    # The library first takes the URL for the path of a SQLite file. With a second part it is none that can be
    # made; without, an empty file would lie where the cell runs.
    database = words.pop("dbname", None) or words["user"]
    # With binary_parameters a query is one round trip: without, a pooler that gives a connection to each
    # transaction would have it half done in one and half in another.
    words |= {"application_name": name, "binary_parameters": "yes"}
    if idle is not None and IDLE not in (options := words.get("options", "")):
        words["options"] = f"{options} -c {IDLE}={idle}s".strip()
    return f"postgres:///{quote(database, safe='')}?{urlencode(words, quote_via=quote, safe='')}"
