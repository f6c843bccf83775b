"""Decoded sound, brought into the one form that an encoder takes."""

from collections.abc import Iterator
from fractions import Fraction

from av import AudioFrame, AudioResampler

from .errors import TooLarge
from .limits import Limits

__all__ = ["Sound"]


class Sound:
    """Takes frames of any form, and of changing form; gives frames of `size` samples, one after the other."""

    def __init__(self, *, rate: int, layout: str, sample_format: str, size: int, limits: Limits) -> None:
        self.samples = 0
        """Given so far."""
        self.offset = 0
        """Samples after the beginning at which the first one is heard."""
        self._rate = rate
        self._layout = layout
        self._format = sample_format
        self._size = size
        self._limits = limits
        self._resampler: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None

    @property
    def seconds(self) -> float:
        return self.samples / self._rate

    def take(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """What another frame completes; None: all that is left. Raises TooLarge."""
        form = None if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form and self._resampler is not None:
            yield from self._given(self._resampler.resample(None))
            self._resampler = None
        self._form = form
        if frame is None:
            return
        if self._resampler is None:
            self._resampler = AudioResampler(self._format, self._layout, self._rate, self._size)
        frame.pts = None  # times that jump would be taken for gaps
        yield from self._given(self._resampler.resample(frame))

    def _given(self, frames: list[AudioFrame]) -> Iterator[AudioFrame]:
        for frame in frames:
            frame.pts = self.offset + self.samples
            frame.time_base = Fraction(1, self._rate)
            self.samples += frame.samples
            if self.samples > self._limits.max_seconds * self._rate:
                raise TooLarge("seconds", self._limits.max_seconds)
            yield frame
