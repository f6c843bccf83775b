"""How long an account is shown as typing before a message."""

import pytest

from actors.outgoing.content import Media, MediaKind, Options, Text
from actors.outgoing.intent import Intent
from actors.session.typing import AS_A_PERSON, typing_seconds

VOICE = Media(kind=MediaKind.VOICE, media_id="med_1")


@pytest.mark.parametrize(
    ("content", "milliseconds", "seconds"),
    [
        (Text(text="hi"), None, 0.0),
        (Text(text="hi"), 0, 0.0),
        (Text(text="hi"), 1500, 1.5),
        (Text(text="hi"), 3_600_000, 30.0),
        (Text(text="x" * 24), AS_A_PERSON, 3.0),
        (Text(text="x" * 10_000), AS_A_PERSON, 10.0),
        (VOICE, AS_A_PERSON, 1.0),
    ],
)
def test_as_long_as_asked_or_as_a_person_would_take_and_never_for_long(
    content: Text | Media, milliseconds: int | None, seconds: float
) -> None:
    intent = Intent(to="1", content=content, options=Options(typing_ms=milliseconds))
    assert typing_seconds(intent) == pytest.approx(seconds)
