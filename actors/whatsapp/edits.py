"""What becomes of a message that is edited: its words change, its file and its secret stay."""

from typing import Any

from .wrapping import may_have, media_part, part_of, unwrapped

__all__ = ["edited"]


def edited(before: Any, change: Any) -> Any:
    """The message `before` as it is once `change`, the content of its edit, took effect.

    An edit of a file's caption may bring the whole message, one without the file, or the bare words.
    """
    change = unwrapped(change)
    now = type(before)()
    if media_part(before) is not None and not getattr(media_part(change), "directPath", ""):
        now.CopyFrom(before)
        part: Any = media_part(now)
        if may_have(part, "caption"):
            part.caption = _words_of(change)
    else:
        now.CopyFrom(change)
    if before.HasField("messageContextInfo"):
        now.messageContextInfo.CopyFrom(before.messageContextInfo)
    return now


def _words_of(message: Any) -> str:
    part = part_of(message)
    if part is None:
        return ""
    name, value = part
    fields = [value] if name == "conversation" else [getattr(value, each, "") for each in ("text", "caption")]
    words = next(filter(None, fields), "")
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
