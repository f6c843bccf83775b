"""Connection strings, as the client library's driver takes them."""

from urllib.parse import parse_qs, urlsplit

import pytest

from actors.keys import BadConnectionString
from actors.keys.url import library_url


def words(dsn: str, idle: int | None = None) -> dict[str, str]:
    url = urlsplit(library_url(dsn, name="node 1", idle=idle))
    assert (url.scheme, url.netloc) == ("postgres", "")
    return {name: value for name, (value,) in parse_qs(url.query, strict_parsing=True).items()}


@pytest.mark.parametrize(
    "dsn", ["postgresql://ann:p%26s%23@db:6432/gate", "host=db port=6432 user=ann password=p&s# dbname=gate"]
)
def test_both_forms_become_one_url_with_what_the_server_must_know(dsn: str) -> None:
    assert urlsplit(library_url(dsn, name="n")).path == "/gate"
    found = words(dsn)
    assert {name: found[name] for name in ("host", "port", "user", "password")} == {
        "host": "db",
        "port": "6432",
        "user": "ann",
        "password": "p&s#",
    }
    assert found["application_name"] == "node 1"
    assert found["binary_parameters"] == "yes"


def test_what_the_driver_would_take_for_a_setting_of_the_server_is_left_out() -> None:
    found = words("host=db keepalives=1 gssencmode=disable channel_binding=prefer require_auth=none")
    assert not {"keepalives", "gssencmode", "channel_binding", "require_auth"} & set(found)


def test_a_database_without_a_name_is_named_after_the_user() -> None:
    """A URL without one is a path under which the library makes an empty SQLite file."""
    assert library_url("host=/run/pg user=ann", name="n").startswith("postgres:///ann?")


def test_what_the_environment_says_goes_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("PGHOST", "there")
    assert words("user=ann")["password"] == "secret"
    assert words("user=ann")["host"] == "there"
    assert words("user=ann host=here")["host"] == "here"


def test_tls_is_as_psycopg_has_it_not_as_the_driver_has_it() -> None:
    assert words("host=db")["sslmode"] == "prefer"
    assert words("host=db sslmode=verify-full")["sslmode"] == "verify-full"


def test_idle_connections_end_unless_the_string_says_when() -> None:
    assert "options" not in words("host=db")
    assert words("host=db", idle=5)["options"] == "-c idle_session_timeout=5s"
    both = words("host=db options='-c work_mem=8MB'", idle=5)["options"]
    assert both == "-c work_mem=8MB -c idle_session_timeout=5s"
    kept = "-c idle_session_timeout=60s"
    assert words(f"host=db options='{kept}'", idle=5)["options"] == kept


@pytest.mark.parametrize("bad", ["postgresql://ann:SECRET%ZZ@db/x", "password SECRET", "pasword=SECRET"])
def test_a_bad_string_is_refused_without_being_quoted(bad: str) -> None:
    with pytest.raises(BadConnectionString) as caught:
        library_url(bad, name="n")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
