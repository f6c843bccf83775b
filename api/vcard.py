"""vCards as WhatsApp writes and shows them."""

import re

_NAME = re.compile(r"^FN(?:;[^:\r\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)
_SPECIAL = re.compile(r"([\\,;])")
_ESCAPED = re.compile(r"\\([\\,;])")


def vcard(name: str, phone: str, organization: str | None = None) -> str:
    """A card with this number (digits with country code), which WhatsApp links to its account."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{_escaped(name)};;;", f"FN:{_escaped(name)}"]
    if organization is not None:
        lines.append(f"ORG:{_escaped(organization)};")
    lines += [f"TEL;type=CELL;type=VOICE;waid={phone}:+{phone}", "END:VCARD"]
    return "\n".join(lines)


def shown_name(card: str) -> str:
    """The name that a card is shown under, empty when it has none."""
    found = _NAME.search(card)
    return _ESCAPED.sub(r"\1", found[1].strip()) if found else ""


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
