"""Addresses keep their meaning between text and the library's form; what is none is refused."""

import pytest

from actors.whatsapp.jid import device_text, to_proto, to_text


@pytest.mark.parametrize(
    "text",
    [
        "6281200000001@s.whatsapp.net",
        "100000000000001@lid",
        "120363000000000001@g.us",
        "628120000-1600000000@g.us",
        "120363000000000001@newsletter",
        "status@broadcast",
        "0@s.whatsapp.net",
    ],
)
def test_an_address_comes_back_as_it_was(text: str) -> None:
    assert to_text(to_proto(text)) == text
    assert device_text(to_proto(text)) == text


def test_a_device_is_kept_apart_from_its_account() -> None:
    jid = to_proto("6281200000001:7@s.whatsapp.net")
    assert to_text(jid) == "6281200000001@s.whatsapp.net"
    assert device_text(jid) == "6281200000001:7@s.whatsapp.net"


def test_bare_digits_are_a_phone_number() -> None:
    assert to_text(to_proto("+6281200000001")) == "6281200000001@s.whatsapp.net"


@pytest.mark.parametrize("text", ["anna", "an na@s.whatsapp.net", "1:x@lid", "628@", "٣@s.whatsapp.net", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no WhatsApp address"):
        to_proto(text)
