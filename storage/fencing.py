"""Writes of a holder: committed only while what they are about is still its own.

A session, or a duty, has an epoch that grows whenever another node gets it. A write that carries the epoch
under which its sender began is refused once that is over, however long it was on its way: the fencing token
of Kleppmann, "How to do distributed locking" (2016).
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from runtime import Ref
from storage.writes import Write

LEASE_MOVED = "lease_moved"
"""Why a write is refused whose epoch is over."""


@frozen
class Fence:
    """What is held, and under which epoch."""

    table: Literal["sessions", "duties"]
    id: str
    epoch: int


@frozen
class Fenced:
    """A write for the Writer, refused as `lease_moved` unless the row still has this epoch."""

    write: Write
    fence: Fence


class FencedWriter(Ref):
    """A writer's ref for the holder of something: all that goes through it is fenced."""

    __slots__ = ("_fence", "_writer")

    def __init__(self, writer: Ref, fence: Fence) -> None:
        super().__init__(writer._place, writer._mailbox)  # noqa: SLF001 - it is the same address
        self._writer = writer
        self._fence = fence

    async def call(self, message: object, timeout: float = 5.0) -> Any:
        """As the writer's own; raises WriteRefused with the reason `lease_moved` too."""
        return await self._writer.call(Fenced(message, self._fence), timeout)  # type: ignore[arg-type]

    async def cast(self, message: object) -> None:
        await self._writer.cast(Fenced(message, self._fence))  # type: ignore[arg-type]
