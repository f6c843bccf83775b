"""Recordings: opened with the one demuxer that fits their type, and only decoders that such files need.

FFmpeg is never left to guess: it would take playlists and other texts that name further files.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOMEM
from fractions import Fraction

import av
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from .errors import TooLarge, Undecodable
from .limits import Limits

__all__ = ["audio_of", "frames", "length", "recording", "shown_seconds", "video_of"]

DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/wav": "wav",
    "audio/amr": "amr",
}
VIDEO_DECODERS = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "msmpeg4v2", "msmpeg4v3", "h263"}
    | {"mpeg1video", "mpeg2video", "theora", "mjpeg"}
)
AUDIO_DECODERS = frozenset(
    {"aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "ac3", "eac3", "opus", "libopus", "vorbis"}
    | {"flac", "alac", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "pcm_u8", "pcm_s16le"}
    | {"pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f64le"}
    | {"pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav"}
)
MAX_FRAME = 3840 * 2176  # pixels of a video's frame; a decoder keeps up to sixteen
MAX_STREAMS = 32


@contextmanager
def recording(data: bytes, mime_type: str) -> Iterator[InputContainer]:
    """A recording, opened. What FFmpeg reports as broken becomes Undecodable."""
    if mime_type not in DEMUXERS:
        raise Undecodable(f"{mime_type} is no recording that can be read")
    options = {
        "protocol_whitelist": "",
        "codec_whitelist": ",".join(sorted(VIDEO_DECODERS | AUDIO_DECODERS)),
        "max_streams": str(MAX_STREAMS),
    }
    try:
        with av.open(
            io.BytesIO(data),
            "r",
            format=DEMUXERS[mime_type],
            container_options=options,
            metadata_errors="replace",
        ) as container:
            yield container
    except FFmpegError as error:
        if error.errno == ENOMEM:
            raise MemoryError from error
        raise Undecodable(f"the recording is broken: {error.strerror}") from error


def video_of(container: InputContainer) -> VideoStream | None:
    """The stream that is shown, set up to be decoded; a cover picture is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            _check(stream.codec_context, VIDEO_DECODERS)
            if stream.codec_context.width * stream.codec_context.height > MAX_FRAME:
                raise TooLarge("pixels", MAX_FRAME)
            stream.codec_context.options = {"max_pixels": str(MAX_FRAME)}
            return stream
    return None


def audio_of(container: InputContainer) -> AudioStream | None:
    """The stream that is heard, set up to be decoded."""
    for stream in container.streams.audio:
        _check(stream.codec_context, AUDIO_DECODERS)
        return stream
    return None


def _check(context: av.CodecContext, allowed: frozenset[str]) -> None:
    if context is None:
        raise Undecodable("a recording in no known encoding")
    if context.name not in allowed:
        raise Undecodable(f"a recording in an encoding that is not read: {context.name}")
    context.thread_count = 1


def frames(
    container: InputContainer, *streams: AudioStream | VideoStream
) -> Iterator[AudioFrame | VideoFrame]:
    """What the streams hold, as far as it can be decoded: a player goes on after a damaged place, too.

    Raises Undecodable when there was nothing but damage.
    """
    good, broken = 0, None
    for packet in container.demux(*streams):
        try:
            decoded = packet.decode()
        except FFmpegError as error:
            if error.errno == ENOMEM:
                raise
            broken = error
            continue
        for frame in decoded:
            if isinstance(frame, AudioFrame | VideoFrame):
                good += 1
                yield frame
    if good == 0:
        raise Undecodable("there is nothing in the recording") from broken


def length(container: InputContainer, stream: AudioStream | VideoStream, limits: Limits) -> float:
    """How many seconds a stream takes, told by its packets, of which there must be some. Raises TooLarge."""
    first, last, packets = None, Fraction(0), 0
    for packet in container.demux(stream):
        if packet.pts is None or packet.time_base is None:
            continue
        packets += 1
        first = packet.pts * packet.time_base if first is None else first
        last = max(last, (packet.pts + (packet.duration or 0)) * packet.time_base)
    if first is None:
        raise Undecodable("there is nothing in the recording")
    seconds = float(last - min(first, last))
    if seconds > limits.max_seconds:
        raise TooLarge("seconds", limits.max_seconds)
    return seconds


def shown_seconds(seconds: float) -> int:
    """As messages tell it: whole, and never none."""
    return max(1, round(seconds))
