"""What a row says of a message that is not composed yet: read off its intent, without asking anybody."""

from actors.outgoing.content import StatusText, Text
from actors.outgoing.intent import Intent
from actors.session.content import OTHER
from storage.rows import Json


def described(intent: Intent) -> tuple[str, str | None, Json]:
    """Type, text and payload of the message that this is to be; composing it replaces all three."""
    match intent.content:
        case Text(text=text) | StatusText(text=text):
            return "text", text, {"conversation": text}
        case _:
            return OTHER, None, {}
