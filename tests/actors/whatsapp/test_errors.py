"""The library's texts become the errors that a session decides by."""

import pytest

from actors.whatsapp.errors import (
    CallTimedOut,
    LinkLost,
    NotConnected,
    OutcomeUnknown,
    WhatsAppError,
    error_from,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("server returned error 463", 463),
        ("info query returned status 403: forbidden", 403),
        ("failed to send usync query: info query returned status 429: rate-overlimit", 429),
        ("download failed with status code 404", 404),
        ("graphql error: 404 not found (CRITICAL)", 404),
        ("that group does not exist", 404),
        ("failed to get group members: you're not participating in that group", 403),
        ("can't send presence without PushName set", None),
    ],
)
def test_a_refusal_carries_whatsapps_code(text: str, code: int | None) -> None:
    error = error_from("SendMessage", text)
    assert isinstance(error, WhatsAppError)
    assert (error.code, error.text) == (code, text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("websocket not connected", NotConnected),
        ("failed to send usync query: the store doesn't contain a device JID", NotConnected),
        ("timed out waiting for message send response", CallTimedOut),
        ("failed to get device list: info query timed out", CallTimedOut),
        ("websocket disconnected before message send returned response", LinkLost),
    ],
)
def test_a_broken_link_is_told_from_one_that_was_never_there(text: str, kind: type) -> None:
    error = error_from("SendMessage", text)
    assert type(error) is kind
    assert isinstance(error, OutcomeUnknown) is (kind is not NotConnected)
