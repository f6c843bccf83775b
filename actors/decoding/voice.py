"""Voice notes: Ogg with Opus, mono, and the waveform that is drawn beside them."""

import io
from itertools import chain

import av
from av import VideoFrame

from .audio import OPUS, is_opus
from .containers import audio_of, frames, recording, shown_seconds
from .errors import Undecodable
from .jobs import Converted
from .limits import Limits
from .sound import Sound
from .waveform import loudness, waveform

__all__ = ["convert_voice"]

BIT_RATE = 32_000
RATE = 48_000
FRAME = 960  # samples: 20 ms


def convert_voice(data: bytes, mime_type: str, limits: Limits) -> Converted:
    """The recording's sound as a voice note."""
    levels: list[float] = []
    made = io.BytesIO()
    with recording(data, mime_type) as source:
        stream = audio_of(source)
        if stream is None:
            raise Undecodable("there is no sound in the recording")
        kept = is_opus(source, mime_type) and stream.codec_context.channels == 1
        sound = Sound(rate=RATE, layout="mono", sample_format="s16", size=FRAME, limits=limits)
        with av.open(made, "w", format="ogg") as target:
            voice = target.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
            voice.bit_rate = BIT_RATE
            for frame in chain(frames(source, stream), [None]):
                assert not isinstance(frame, VideoFrame)
                for piece in sound.take(frame):
                    levels.append(loudness(piece))
                    if not kept:
                        target.mux(voice.encode(piece))
            target.mux(voice.encode(None))
    return Converted(
        data=data if kept else made.getvalue(),
        mime_type=OPUS,
        seconds=shown_seconds(sound.seconds),
        waveform=waveform(levels),
    )
