"""Every conversion once, on small files made here, while files can still be opened.

PyAV and Pillow import parts of themselves only when they are first needed.
"""

import io
import wave
from itertools import product

from PIL import AvifImagePlugin, Image

from .audio import convert_audio
from .jobs import Video
from .limits import Limits
from .pictures import FORMATS, convert_picture, convert_thumbnail
from .stickers import convert_sticker
from .video import convert_animation, convert_video
from .voice import convert_voice

__all__ = ["rehearse"]

SIDE = 32
RATE = 8_000
LIMITS = Limits(max_pixels=SIDE * SIDE, max_seconds=2)


def rehearse() -> None:
    """Do it all once."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    for (mime_type, name), side in product(FORMATS.items(), (SIDE, SIDE // 2)):
        convert_picture(_picture(name), mime_type, side, LIMITS)
    convert_thumbnail(_picture("PNG"), "image/png", SIDE, LIMITS)
    convert_sticker(_picture("PNG"), "image/png", LIMITS)
    for name in ("GIF", "WEBP", "PNG"):
        animation = _picture(name, save_all=True, append_images=[Image.new("RGB", (SIDE, SIDE), "red")])
        clip = convert_animation(animation, f"image/{name.lower()}", SIDE, LIMITS).data
        convert_sticker(clip, "video/mp4", LIMITS)
        convert_video(clip, "video/mp4", Video(), LIMITS)
    convert_audio(_silence(), "audio/wav", LIMITS)
    convert_voice(_silence(), "audio/wav", LIMITS)


def _picture(name: str, **options: object) -> bytes:
    file = io.BytesIO()
    mode = "RGB" if name in {"JPEG", "BMP"} else "RGBA"
    Image.new(mode, (SIDE, SIDE)).save(file, name, **options)
    return file.getvalue()


def _silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(bytes(RATE))
    return file.getvalue()
