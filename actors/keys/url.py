"""A connection string in PostgreSQL's own form, as the client library's driver takes it.

The driver is Go's lib/pq: it reads URLs, knows most of libpq's words, and sends the server whatever it does
not know as a setting, which that then refuses. A cell has nothing of the gateway's environment, so what libpq
would find there goes into the URL.
"""

import os
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

__all__ = ["BadConnectionString", "library_url"]

KNOWN = {
    *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "options", "connect_timeout"),
    *("sslmode", "sslnegotiation", "sslcert", "sslkey", "sslrootcert", "sslsni"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "require_auth"),
    *("target_session_attrs", "load_balance_hosts"),
}


class BadConnectionString(ValueError):
    """What should be a connection string is none; the text does not quote it."""


def library_url(dsn: str, *, name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The URL under which the library opens the database, announcing itself there as `name`.

    Raises BadConnectionString.
    """
    try:
        given = conninfo_to_dict(dsn)
    except ProgrammingError:
        raise BadConnectionString("not a PostgreSQL connection string") from None
    for option in pq.Conninfo.get_defaults():
        word = option.keyword.decode()
        if option.envvar and (value := environment.get(option.envvar.decode())) is not None:
            given.setdefault(word, value)
    words = {word: str(value) for word, value in given.items() if word in KNOWN and value is not None}
    # With binary_parameters a query is one round trip: without, a pooler that gives a connection to each
    # transaction would have it half done in one and half in another.
    words |= {"application_name": name, "binary_parameters": "yes"}
    return "postgres:///?" + urlencode(words, quote_via=quote, safe="")
