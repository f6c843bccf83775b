"""How loud a voice note is from its beginning to its end, in the 64 bars that are drawn for it."""

from collections.abc import Sequence

from av import AudioFrame

__all__ = ["BARS", "loudness", "waveform"]

BARS = 64
STEP = 8  # of so many samples one is looked at


def loudness(frame: AudioFrame) -> float:
    """The mean size of a frame's samples; mono, 16 bits."""
    samples = memoryview(frame.planes[0]).cast("B").cast("h")[: frame.samples : STEP]
    return sum(map(abs, samples)) / max(1, len(samples))


def waveform(levels: Sequence[float]) -> bytes:
    """64 bars of 0 to 100, the loudest of them 100; silence is 0 throughout."""
    count = len(levels)
    if count == 0:
        return bytes(BARS)
    bars = []
    for bar in range(BARS):
        begin = bar * count // BARS
        part = levels[begin : max(begin + 1, (bar + 1) * count // BARS)]
        bars.append(sum(part) / len(part))
    loudest = max(bars)
    if loudest == 0:
        return bytes(BARS)
    return bytes(round(100 * bar / loudest) for bar in bars)
