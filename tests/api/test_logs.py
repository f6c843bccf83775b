"""Log lines: one a record, fields by the template, numbers and secrets left out."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.logs import Lines, configure, masked


def record(message: str, *arguments: object, exc_info: bool = False) -> logging.LogRecord:
    """A log record as a logger would make it."""
    error = sys.exc_info() if exc_info else None
    return logging.LogRecord("actors.cells", logging.WARNING, __file__, 1, message, arguments, error)


def line(message: str, *arguments: object) -> str:
    """The logfmt line without its time."""
    return Lines(as_json=False).format(record(message, *arguments)).partition(" ")[2]


def test_a_template_becomes_an_event_with_fields() -> None:
    assert line("cell_died cell=%s code=%d", "c1", -6) == (
        "level=warning logger=actors.cells event=cell_died cell=c1 code=-6"
    )


def test_a_number_stays_one_and_is_rounded_as_the_template_says() -> None:
    entry = record("request_handled ms=%.1f status=%d retry=%s", 2.345, 200, 0.5)
    fields = json.loads(Lines(as_json=True).format(entry))
    assert (fields["event"], fields["ms"], fields["status"], fields["retry"]) == (
        "request_handled",
        2.3,
        200,
        0.5,
    )


def test_a_line_begins_with_its_time_in_utc() -> None:
    entry = record("ready")
    entry.created = 1_795_000_000.5
    assert Lines(as_json=False).format(entry).startswith("time=2026-11-18T11:06:40.500Z level=")


def test_a_value_cannot_pass_for_a_field_of_its_own() -> None:
    assert line("renamed name=%s", 'x level=error "y"\n') == (
        'level=warning logger=actors.cells event=renamed name="x level=error \\"y\\"\\n"'
    )


def test_a_librarys_text_is_the_event_as_a_whole() -> None:
    assert line("Running on %s (CTRL + C to quit)", "port 80").endswith(
        'event="Running on port 80 (CTRL + C to quit)"'
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+6281234567789", "+62…789"),
        ("6281234567789@s.whatsapp.net", "62…789@s.whatsapp.net"),
        ("6281234567789:12@s.whatsapp.net", "62…789:12@s.whatsapp.net"),
        ("6281234567789-1512345678@g.us", "62…789-15…678@g.us"),
        ("to 6281234567789, 4915112345678", "to 62…789, 49…678"),
        ("120363043211234567@g.us", "120363043211234567@g.us"),
        ("msg_01JDQ8Z3V0123456789ABCDEFG", "msg_01JDQ8Z3V0123456789ABCDEFG"),
        ("2026-11-22T14:41:03.123456789Z", "2026-11-22T14:41:03.123456789Z"),
        ("postgres://user:word@host/db", "postgres://…@host/db"),
        ("socks5://word@127.0.0.1:9", "socks5://…@127.0.0.1:9"),
        ("signed with whsec_aGVsbG8=", "signed with …"),
    ],
)
def test_numbers_and_secrets_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True))
def test_no_telephone_number_survives_in_a_line(number: str) -> None:
    assert number not in line("sent to=%s", number)
    assert number not in line(f"could not reach +{number}!")


def test_a_count_is_no_telephone_number() -> None:
    assert line("journal_full bytes=%d", 6281234567789).endswith("bytes=6281234567789")


def test_an_exception_stays_on_the_line_and_is_masked() -> None:
    try:
        int("no account for +6281234567789")
    except ValueError:
        text = Lines(as_json=False).format(record("send_failed", exc_info=True))
    assert "\n" not in text
    assert 'event=send_failed exception="ValueError: invalid literal' in text
    assert "'no account for +62…789'" in text
    assert "6281234567789" not in text


def test_json_holds_the_same_fields() -> None:
    entry = json.loads(Lines(as_json=True).format(record("cell_died cell=%s code=%s", "c\n1", None)))
    del entry["time"]
    assert entry == {
        "level": "warning",
        "logger": "actors.cells",
        "event": "cell_died",
        "cell": "c\n1",
        "code": None,
    }


@pytest.fixture
def _root_logger_kept() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.mark.usefixtures("_root_logger_kept")
def test_the_environment_chooses_form_and_level() -> None:
    stream = io.StringIO()
    configure(stream, {"TERZETTO_LOG": "json", "TERZETTO_LOG_LEVEL": "warning"})
    logging.getLogger("x").info("hidden")
    logging.getLogger("x").warning("shown")
    assert [json.loads(text)["event"] for text in stream.getvalue().splitlines()] == ["shown"]


@pytest.mark.usefixtures("_root_logger_kept")
def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure(io.StringIO(), {"TERZETTO_LOG_LEVEL": "loud"})
