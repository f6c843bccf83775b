"""Audio files: passed through where WhatsApp plays them, else made M4A."""

import io

from av import AudioFrame
from av.container import InputContainer

from .containers import audio_of, frames, length, recording, shown_seconds, video_of
from .errors import Undecodable
from .jobs import Converted
from .limits import Limits
from .mp4 import Mp4, writing

__all__ = ["OPUS", "convert_audio", "is_opus"]

OPUS = "audio/ogg; codecs=opus"
PASSED = {"audio/mpeg": "mp3", "audio/aac": "aac", "audio/mp4": "aac", "audio/amr": "amr_nb"}
M4A = {"video/mp4": "audio/mp4"}  # many a one is labelled as if it had a picture


def convert_audio(data: bytes, mime_type: str, limits: Limits) -> Converted:
    """The recording's sound as an audio file."""
    with recording(data, mime_type) as source:
        stream = audio_of(source)
        if stream is None:
            raise Undecodable("there is no sound in the recording")
        passed = M4A.get(mime_type, mime_type)
        is_fine = PASSED.get(passed) == stream.codec_context.codec.canonical_name
        is_voice = is_opus(source, mime_type)
        if not is_voice and (not is_fine or video_of(source) is not None):
            made = io.BytesIO()
            with writing(made, "ipod") as target:
                mp4 = Mp4(target, limits, sound=True)
                for frame in frames(source, stream):
                    assert isinstance(frame, AudioFrame)
                    mp4.hear(frame)
                mp4.finish()
            return Converted(
                data=made.getvalue(), mime_type="audio/mp4", seconds=shown_seconds(mp4.sound.seconds)
            )
        next(frames(source, stream))  # what nobody can hear is refused here, not on a phone
    with recording(data, mime_type) as source:
        return Converted(
            data=data,
            mime_type=OPUS if is_voice else passed,
            seconds=shown_seconds(length(source, source.streams.audio[0], limits)),
        )


def is_opus(container: InputContainer, mime_type: str) -> bool:
    """Whether this is Ogg with nothing but Opus; Vorbis is not played by every phone."""
    return mime_type == "audio/ogg" and [each.codec_context.name for each in container.streams] == ["opus"]
