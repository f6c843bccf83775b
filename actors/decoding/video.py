"""Videos: MP4 with H.264 and AAC, passed through, put into another container, or made anew."""

import io
from itertools import chain

from attrs import field, frozen
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from .containers import audio_of, frames, length, recording, shown_seconds, video_of
from .errors import TooLarge, Undecodable
from .jobs import Converted, Video
from .limits import Limits
from .motion import frame_of, moving, still_of
from .mp4 import Mp4, writing
from .pictures import THUMBNAIL, flat, thumbnail

__all__ = ["convert_animation", "convert_video"]

PIXELS = frozenset({"yuv420p", "yuvj420p"})  # all that phones decode of H.264
REMUXED = frozenset({"video/mp4", "video/quicktime", "video/3gpp", "video/x-matroska"})
INTERVAL = 32  # milliseconds between frames, at least: thirty a second


@frozen
class _Look:
    """What is to be known of a recording before it is touched."""

    is_playable: bool
    """Its streams can stay as they are."""
    has_sound: bool
    first: VideoFrame = field(repr=False)
    seconds: float
    turned: int
    """How it is to be shown, degrees anticlockwise."""


def convert_video(data: bytes, mime_type: str, job: Video, limits: Limits) -> Converted:
    """The recording as an MP4."""
    look = _look(data, mime_type, limits)
    width, height = look.first.width, look.first.height
    sound = look.has_sound and not job.gif
    if not look.is_playable or mime_type not in REMUXED:
        width, height = _even(width, height, job.side)
        data = _encoded(data, mime_type, (width, height), look, limits, sound=sound)
    elif mime_type != "video/mp4" or sound != look.has_sound:
        data = _remuxed(data, mime_type, sound=sound)
    if look.turned % 180:
        width, height = height, width
    return Converted(
        data=data,
        mime_type="video/mp4",
        width=width,
        height=height,
        seconds=shown_seconds(look.seconds),
        thumbnail=thumbnail(still_of(look.first, THUMBNAIL)),
    )


def convert_animation(data: bytes, mime_type: str, side: int, limits: Limits) -> Converted:
    """A moving picture as a silent MP4; a still one is shown for a moment."""
    pictures = moving(data, mime_type, limits, side=side, interval=INTERVAL)
    beginning = next(pictures)
    first = flat(beginning.image)
    width, height = _even(*first.size, side)
    end = 0
    made = io.BytesIO()
    with writing(made) as target:
        mp4 = Mp4(target, limits, size=(width, height))
        for shown in chain([beginning], pictures):
            end = shown.end
            if end > limits.max_seconds * 1000:
                raise TooLarge("seconds", limits.max_seconds)
            mp4.show(frame_of(flat(shown.image)), shown.begin, end)
        mp4.finish()
    return Converted(
        data=made.getvalue(),
        mime_type="video/mp4",
        width=width,
        height=height,
        seconds=shown_seconds(end / 1000),
        thumbnail=thumbnail(first),
    )


def _look(data: bytes, mime_type: str, limits: Limits) -> _Look:
    with recording(data, mime_type) as source:
        video, audio = video_of(source), audio_of(source)
        if video is None:
            raise Undecodable("there is no picture in the recording")
        is_playable = (
            video.codec_context.name == "h264"
            and video.codec_context.pix_fmt in PIXELS
            and (audio is None or audio.codec_context.name == "aac")
        )
        first = next(frames(source, video))
        assert isinstance(first, VideoFrame)
    with recording(data, mime_type) as source:
        seconds = length(source, _streams(source, sound=False)[0], limits)
    return _Look(is_playable, audio is not None, first, seconds, first.rotation % 360)


def _remuxed(data: bytes, mime_type: str, *, sound: bool) -> bytes:
    """The same streams in an MP4 of their own, without all else that the file tells."""
    made = io.BytesIO()
    with recording(data, mime_type) as source, writing(made) as target:
        kept = _streams(source, sound=sound)
        put = {stream.index: target.add_stream_from_template(stream) for stream in kept}
        for packet in source.demux(*kept):
            if packet.dts is not None:  # else it marks the end
                packet.stream = put[packet.stream.index]
                target.mux(packet)
    return made.getvalue()


def _encoded(
    data: bytes, mime_type: str, size: tuple[int, int], look: _Look, limits: Limits, *, sound: bool
) -> bytes:
    made = io.BytesIO()
    with recording(data, mime_type) as source, writing(made) as target:
        mp4 = Mp4(target, limits, size=size, turned=look.turned, sound=sound)
        start = (source.start_time or 0) / 1_000_000
        next_at = 0
        for frame in frames(source, *_streams(source, sound=sound)):
            at = round(((frame.time or 0) - start) * 1000)
            if isinstance(frame, AudioFrame):
                mp4.hear(frame, at)
            elif isinstance(frame, VideoFrame) and at >= next_at:
                mp4.show(frame, at, at + INTERVAL)
                next_at = at + INTERVAL
        mp4.finish()
    return made.getvalue()


def _streams(source: InputContainer, *, sound: bool) -> list[VideoStream | AudioStream]:
    """Those that are kept, the video first."""
    wanted = (video_of(source), audio_of(source) if sound else None)
    return [stream for stream in wanted if stream is not None]


def _even(width: int, height: int, side: int) -> tuple[int, int]:
    """The size within `side` pixels, in even numbers, as the encoder needs them."""
    scale = min(1.0, side / max(width, height))
    return max(16, round(width * scale / 2) * 2), max(16, round(height * scale / 2) * 2)
