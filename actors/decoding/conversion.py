"""Which converter does which job; the only thing that a worker runs on a file."""

from typing import assert_never

from .audio import convert_audio
from .errors import Undecodable
from .jobs import Audio, Converted, Document, Image, Job, Portrait, Sticker, Thumbnail, Video, Voice
from .limits import Limits
from .motion import ANIMATIONS
from .pictures import convert_picture, convert_portrait, convert_thumbnail
from .sniff import sniff
from .stickers import convert_sticker
from .video import convert_animation, convert_video
from .voice import convert_voice

__all__ = ["convert"]


def convert(job: Job, data: bytes, limits: Limits) -> Converted:
    """Do it. Raises TooLarge, Undecodable, and MemoryError where memory is bounded."""
    mime_type = sniff(data)
    if mime_type is None:
        raise Undecodable("a file of no known type")
    match job:
        case Image(side):
            return convert_picture(data, mime_type, side, limits)
        case Thumbnail(side):
            return convert_thumbnail(data, mime_type, side, limits)
        case Portrait(side):
            return convert_portrait(data, mime_type, side, limits)
        case Sticker():
            return convert_sticker(data, mime_type, limits)
        case Video(gif=True) if mime_type in ANIMATIONS:
            return convert_animation(data, mime_type, job.side, limits)
        case Video():
            return convert_video(data, mime_type, job, limits)
        case Audio():
            return convert_audio(data, mime_type, limits)
        case Voice():
            return convert_voice(data, mime_type, limits)
        case Document():
            return Converted(data=data, mime_type=mime_type)
        case _:
            assert_never(job)
