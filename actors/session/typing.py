"""Shown as typing, or recording, before a message: as long as asked, or as a person would take for it."""

import logging

import trio

from actors.outgoing.content import Media, MediaKind
from actors.outgoing.describe import described
from actors.outgoing.intent import Intent
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError

log = logging.getLogger("session")

AS_A_PERSON = -1
"""What `Options.typing_ms` says for: as long as a person would take."""

_CHARACTERS_A_SECOND = 12.0
_LEAST, _MOST_OF_A_PERSON, _MOST = 1.0, 10.0, 30.0  # seconds


def typing_seconds(intent: Intent) -> float:
    """How long to be shown as typing before this message; at most 30 s, for longer nobody watches."""
    match intent.options.typing_ms:
        case None:
            return 0.0
        case milliseconds if milliseconds != AS_A_PERSON:
            return min(max(milliseconds, 0) / 1000, _MOST)
        case _:
            _, text, _ = described(intent)
            return min(_LEAST + len(text or "") / _CHARACTERS_A_SECOND, _MOST_OF_A_PERSON)


async def show_typing(client: Client, chat: str, intent: Intent) -> None:
    """Be shown as typing in the chat for that long; where WhatsApp does not show it, wait all the same."""
    seconds = typing_seconds(intent)
    if seconds <= 0:
        return
    voice = isinstance(intent.content, Media) and intent.content.kind is MediaKind.VOICE
    await _show(client, chat, composing=True, audio=voice)
    await trio.sleep(seconds)
    await _show(client, chat, composing=False, audio=voice)


async def _show(client: Client, chat: str, *, composing: bool, audio: bool) -> None:
    try:
        await client.send_chat_presence(chat, composing=composing, audio=audio)
    except CellError as error:
        log.info("typing_not_shown session=%s error=%s", client.session_id, type(error).__name__)
