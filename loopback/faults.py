"""Faults: how the network misbehaves on purpose, for one number or all, for a time or a number of times.

A fault lasts until it is lifted, until its duration is over or until it has struck `count` times. Dropping
links and sending a stream error strike once, when asked for, and leave nothing behind. Faults are not kept
over a restart of the network.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import count as counter

import trio
from attrs import define, field

from loopback.wire.gate import Fault as GateFault
from loopback.wire.gate import Refuse, Stage, Stall

__all__ = ["Fault", "Faults", "Kind"]


class Kind(StrEnum):
    """What goes wrong; `code` and `delay_ms` of the fault say how."""

    DROP = "drop"  # links are cut, once
    STREAM_ERROR = "streamError"  # <stream:error code=…>, once
    REPLACED = "replaced"  # the stream error of another client that took the device over, once
    STALL = "stall"  # links stay open, nothing is sent
    REFUSE_LOGIN = "refuseLogin"  # <failure reason=code>
    REFUSE_CONNECTION = "refuseConnection"  # the proxy answers 503 to everybody
    HANG_CONNECTION = "hangConnection"  # the proxy never answers
    DELAY = "delay"  # every stanza from the network comes delay_ms later
    ACK_ERROR = "ackError"  # sent messages are refused with an error code and go nowhere
    UNASKED_ERROR = "unaskedError"  # messages to people who never wrote first are refused with 463
    NO_ACK = "noAck"  # sent messages are delivered and not acknowledged
    USYNC_ERROR = "usyncError"  # directory queries are refused (429 unless a code is given)
    PREKEY_ERROR = "prekeyError"  # queries for other people's keys are refused (429 unless a code is given)
    MEDIA_ERROR = "mediaError"  # uploads and downloads are answered with an HTTP status (503 unless given)
    CORRUPT = "corrupt"  # messages reach the number's devices damaged, so that they ask for them again


@define(eq=False)
class Fault:
    """One fault in force. `phone` None means everybody; `until` is a `trio.current_time()`."""

    id: int
    kind: Kind
    phone: str | None = None
    code: int | None = None
    delay_ms: int = 0
    ban_seconds: int | None = None  # how long a temporary ban (refuseLogin, code 402) says it lasts
    ban_code: int = 101
    remaining: int | None = None  # how often it still strikes
    until: float | None = None


@define(eq=False)
class Faults:
    """The faults in force."""

    _faults: dict[int, Fault] = field(factory=dict, init=False)
    _ids: Iterator[int] = field(factory=lambda: counter(1), init=False)
    _changed: trio.Event = field(factory=trio.Event, init=False)

    def add(
        self,
        kind: Kind,
        *,
        phone: str | None = None,
        code: int | None = None,
        delay_ms: int = 0,
        ban_code: int = 101,
        ban_seconds: int | None = None,
        count: int | None = None,
        duration: float | None = None,
    ) -> Fault:
        """Put a fault in force; `duration` in seconds."""
        until = None if duration is None else trio.current_time() + duration
        fault = Fault(next(self._ids), kind, phone, code, delay_ms, ban_seconds, ban_code, count, until)
        self._faults[fault.id] = fault
        self._notify()
        return fault

    def lift(self, fault_id: int | None = None) -> int:
        """Lift one fault, or all; how many were lifted."""
        gone = [i for i in self._faults if fault_id in {None, i}]
        for i in gone:
            del self._faults[i]
        self._notify()
        return len(gone)

    def in_force(self) -> list[Fault]:
        """All that still strike, oldest first."""
        now = trio.current_time()
        for i, fault in list(self._faults.items()):
            if (fault.until is not None and fault.until <= now) or fault.remaining == 0:
                del self._faults[i]
        return list(self._faults.values())

    def peek(self, kind: Kind, phone: str | None) -> Fault | None:
        """The fault of this kind that concerns this number, without using it up."""
        if not self._faults:
            return None
        return next((f for f in self.in_force() if f.kind is kind and f.phone in {None, phone}), None)

    def strike(self, kind: Kind, phone: str | None) -> Fault | None:
        """The fault of this kind that concerns this number; it has struck once more."""
        if (fault := self.peek(kind, phone)) is not None and fault.remaining is not None:
            fault.remaining -= 1
        return fault

    async def released(self, phone: str | None) -> None:
        """Return once no stall holds this number."""
        while (fault := self.peek(Kind.STALL, phone)) is not None:
            with trio.move_on_at(fault.until if fault.until is not None else float("inf")):
                await self._changed.wait()

    def gate(self, host: str, stage: Stage) -> GateFault | None:
        """What befalls a new connection; for the proxy."""
        del host
        if stage is not Stage.CONNECT:
            return None
        if self.strike(Kind.HANG_CONNECTION, None) is not None:
            return Stall()
        fault = self.strike(Kind.REFUSE_CONNECTION, None)
        return Refuse(fault.code or 503) if fault is not None else None

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
