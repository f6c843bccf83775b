"""How long this process may live, enforced by the kernel whatever runs, hangs or is stopped in here."""

import ctypes
import time
from typing import Final

__all__ = ["Reprieve"]

_ABSOLUTE: Final = 1  # TIMER_ABSTIME
_SECOND: Final = 1_000_000_000


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class Reprieve:
    """A POSIX timer (timer_create(2)) whose signal, SIGALRM, ends the process.

    Its moments are absolute: a process that is stopped (SIGSTOP) beyond its moment ends before it does
    anything more. Raises OSError when the kernel gives no timer.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer: ctypes.c_void_p | None = None

    def until(self, moment: float | None) -> None:
        """End at this moment of CLOCK_MONOTONIC, in place of any told before; None: at none."""
        if self._timer is None:
            if moment is None:
                return
            timer = ctypes.c_void_p()
            self._check(self._libc.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(timer)))
            self._timer = timer
        at = 0 if moment is None else max(1, round(moment * _SECOND))  # 0 disarms it
        setting = _Setting(_Time(0, 0), _Time(at // _SECOND, at % _SECOND))
        self._check(self._libc.timer_settime(self._timer, _ABSOLUTE, ctypes.byref(setting), None))

    @staticmethod
    def _check(answer: int) -> None:
        if answer != 0:
            raise OSError(ctypes.get_errno(), "timer")
