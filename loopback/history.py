"""What a phone remembers: the latest messages that reached it and that were written on it, in the store."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from attrs import Factory, define, frozen

from loopback.store import Store

__all__ = ["History", "InboxMessage", "SentMessage"]

T = TypeVar("T")


@frozen
class InboxMessage:
    """A message that reached the phone and could be read. Numbers, not identifiers, name people."""

    id: str
    sender: str  # phone number
    chat: str  # phone number, or the group's address
    from_me: bool  # copy of what a companion of the same account wrote
    type: str  # the field of the message that is set, such as conversation or imageMessage
    text: str
    timestamp: int  # Unix seconds
    raw: bytes = b""  # the whole decrypted waE2E.Message
    about: str = ""  # id of the message that this one changes, reacts to or votes in
    choices: list[str] | None = None  # the options of a vote


@define(eq=False)
class SentMessage:
    """A message written on the phone, and the receipts for it."""

    id: str
    to: str  # hidden identifier's address or group's
    timestamp: int
    raw: bytes
    receipts: list[tuple[str, str, int]] = Factory(list)  # type (delivered, read, …), number, Unix seconds


class History(Generic[T]):
    """A bounded list in the store, oldest first."""

    def __init__(self, store: Store, bucket: str, phone: str, kind: type[T], limit: int) -> None:
        self._store = store
        self._bucket = bucket
        self._phone = phone
        self._limit = limit
        self._entries = store.load_under(bucket, f"{phone}/", kind)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._entries.values()))

    def __reversed__(self) -> Iterator[T]:
        return iter(list(reversed(self._entries.values())))

    def add(self, entry: T) -> None:
        """Remember it, and forget the oldest if there are too many."""
        last = next(reversed(self._entries), f"{self._phone}/0")
        key = f"{self._phone}/{int(last.rpartition('/')[2]) + 1:012d}"
        self._entries[key] = entry
        self._store.put(self._bucket, key, entry)
        if len(self._entries) > self._limit:
            oldest = next(iter(self._entries))
            del self._entries[oldest]
            self._store.delete(self._bucket, oldest)

    def changed(self, entry: T) -> None:
        """Store again what was changed in place."""
        key = next(key for key, value in self._entries.items() if value is entry)
        self._store.put(self._bucket, key, entry)
