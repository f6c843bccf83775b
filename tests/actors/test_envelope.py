"""The public form of an event, and its cursor."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.envelope import cursor_of, encode, position_of
from storage import Event

EVENT = Event(
    position=258,
    session_id="s1",
    seq=7,
    event_id="evt_1",
    event="messages.upsert",
    occurred_at=datetime(2026, 11, 22, 15, 0, 0, 5000, UTC),
    data={"message": {"conversation": "héllo"}},
)


def test_the_fixed_fields_come_first_and_the_rest_beside_them() -> None:
    assert list(json.loads(encode(EVENT)).items()) == [
        ("sessionId", "s1"),
        ("event", "messages.upsert"),
        ("data", {"message": {"conversation": "héllo"}}),
        ("eventId", "evt_1"),
        ("seq", 7),
        ("occurredAt", "2026-11-22T15:00:00.005Z"),
        ("cursor", "AQEC"),
    ]


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_stands_for_its_position_and_is_no_seq(position: int) -> None:
    cursor = cursor_of(position)
    assert position_of(cursor) == position
    assert not cursor.isdecimal()


@pytest.mark.parametrize(
    "text", ["", "7", "AQ", "AQE=", "AgE", "AQAB", "A", "é", "AQE AQE", cursor_of(2**63)]
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        position_of(text)


@given(st.text(max_size=20))
def test_what_is_taken_for_a_cursor_is_one(text: str) -> None:
    try:
        position = position_of(text)
    except ValueError:
        return
    assert cursor_of(position) == text
