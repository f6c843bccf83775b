"""Moving pictures of any kind as one: pictures, and the time for which each is shown."""

from collections.abc import Iterable, Iterator

from attrs import field, frozen
from av import VideoFrame
from PIL import Image, ImageSequence

from .containers import frames, recording, video_of
from .errors import Undecodable
from .limits import Limits
from .pictures import FORMATS, opened

__all__ = ["ANIMATIONS", "Shown", "frame_of", "is_moving", "moving", "still_of"]

ANIMATIONS = frozenset({"image/gif", "image/webp", "image/png"})
QUICKEST = 20  # milliseconds; what asks for less is shown for USUAL, as browsers do
USUAL = 100


@frozen
class Shown:
    """A picture and when it is shown, in milliseconds from the beginning."""

    image: Image.Image = field(repr=False)
    begin: int
    end: int


def is_moving(data: bytes, mime_type: str, limits: Limits) -> bool:
    """Whether this is a video, or a picture of several frames."""
    if mime_type not in FORMATS:
        return True
    if mime_type not in ANIMATIONS:
        return False
    with opened(data, mime_type, limits) as image:
        return bool(getattr(image, "is_animated", False))


def moving(data: bytes, mime_type: str, limits: Limits, *, side: int, interval: int) -> Iterator[Shown]:
    """The pictures one after the other, within `side` pixels, at most one in `interval` milliseconds.

    Those of an animation are RGBA, those of a video RGB.
    """
    if mime_type in FORMATS:
        return _spaced(_animation(data, mime_type, limits, side), interval)
    return _spaced(_video(data, mime_type, side, interval), interval)


def _spaced(pictures: Iterable[Shown], interval: int) -> Iterator[Shown]:
    """Fewer pictures, each shown until the next one that is left."""
    held: Shown | None = None
    for shown in pictures:
        if held is None:
            held = shown
        elif shown.begin - held.begin < interval:
            held = Shown(held.image, held.begin, shown.end)
        else:
            yield Shown(held.image, held.begin, shown.begin)
            held = shown
    if held is not None:
        yield held


def _animation(data: bytes, mime_type: str, limits: Limits, side: int) -> Iterator[Shown]:
    begin = 0
    with opened(data, mime_type, limits) as image:
        for frame in ImageSequence.Iterator(image):
            frame.load()
            asked = int(frame.info.get("duration", 0))
            end = begin + (asked if asked >= QUICKEST else USUAL)
            small = frame.convert("RGBA")
            small.thumbnail((side, side))
            yield Shown(small, begin, end)
            begin = end


def _video(data: bytes, mime_type: str, side: int, interval: int) -> Iterator[Shown]:
    with recording(data, mime_type) as source:
        stream = video_of(source)
        if stream is None:
            raise Undecodable("there is no picture in the recording")
        first: float | None = None
        next_at = 0
        for frame in frames(source, stream):
            assert isinstance(frame, VideoFrame)
            time = frame.time or 0.0
            first = time if first is None else first
            begin = round((time - first) * 1000)
            if begin >= next_at:  # else not worth making a picture of it
                yield Shown(still_of(frame, side), begin, begin + USUAL)
                next_at = begin + interval


def still_of(frame: VideoFrame, side: int) -> Image.Image:
    """A video's frame as a picture, upright, within `side` pixels."""
    scale = min(1.0, side / max(frame.width, frame.height))
    size = {"width": max(1, round(frame.width * scale)), "height": max(1, round(frame.height * scale))}
    image: Image.Image = frame.to_image(**size)  # type: ignore[no-untyped-call]
    turned = frame.rotation % 360
    return image.rotate(turned, expand=True) if turned else image


def frame_of(image: Image.Image) -> VideoFrame:
    """A picture as a video's frame."""
    frame: VideoFrame = VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return frame
