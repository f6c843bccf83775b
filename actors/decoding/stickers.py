"""Stickers: WebP of 512 x 512 pixels, still or moving, as small as WhatsApp wants them."""

import io
from collections.abc import Iterator, Sequence
from itertools import pairwise

from PIL import Image

from .errors import TooLarge
from .jobs import Converted
from .limits import Limits
from .motion import Shown, is_moving, moving
from .pictures import opened, upright

__all__ = ["convert_sticker"]

SIDE = 512
STILL = 100_000  # bytes
MOVING = 500_000
SECONDS = 10
INTERVAL = 66  # milliseconds: fifteen pictures a second
QUALITIES = (80, 60, 40, 20, 5)
MOVING_QUALITIES = ((60, 1), (30, 1), (30, 2), (10, 3), (1, 4))  # and of how many pictures one is kept


def convert_sticker(data: bytes, mime_type: str, limits: Limits) -> Converted:
    """The picture or recording as a sticker."""
    is_animated = is_moving(data, mime_type, limits)
    if mime_type == "image/webp" and len(data) <= (MOVING if is_animated else STILL):
        with opened(data, mime_type, limits) as image:
            if image.size == (SIDE, SIDE):
                image.load()
                return _converted(data, animated=is_animated)
    if is_animated:
        return _converted(_moving(data, mime_type, limits), animated=True)
    with opened(data, mime_type, limits) as image:
        return _converted(_still(_padded(upright(image, SIDE))), animated=False)


def _converted(data: bytes, *, animated: bool) -> Converted:
    return Converted(data=data, mime_type="image/webp", width=SIDE, height=SIDE, animated=animated)


def _padded(image: Image.Image) -> Image.Image:
    """The picture, as large as it goes in, in the middle of a transparent square."""
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    square = Image.new("RGBA", (SIDE, SIDE))
    fitted = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    square.paste(fitted, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square


def _still(square: Image.Image) -> bytes:
    for quality in QUALITIES:
        file = io.BytesIO()
        square.save(file, "WEBP", quality=quality, alpha_quality=quality, method=4)
        if file.tell() <= STILL:
            return file.getvalue()
    raise TooLarge("bytes", STILL)


def _moving(data: bytes, mime_type: str, limits: Limits) -> bytes:
    shown = [
        Shown(_padded(each.image), each.begin, min(each.end, SECONDS * 1000))
        for each in _beginning(moving(data, mime_type, limits, side=SIDE, interval=INTERVAL))
    ]
    for quality, step in MOVING_QUALITIES:
        made = _animated(shown[::step], shown[-1].end, quality)
        if len(made) <= MOVING:
            return made
    raise TooLarge("bytes", MOVING)


def _beginning(pictures: Iterator[Shown]) -> Iterator[Shown]:
    for shown in pictures:
        if shown.begin >= SECONDS * 1000:
            return
        yield shown


def _animated(shown: Sequence[Shown], end: int, quality: int) -> bytes:
    begins = [each.begin for each in shown] + [end]
    first, *rest = (each.image for each in shown)
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=[after - before for before, after in pairwise(begins)],
        loop=0,
        quality=quality,
        alpha_quality=quality,
        method=0,
        minimize_size=False,
    )
    return file.getvalue()
