"""An MP4 being written: H.264 and AAC at the same time, ready to be played before all of it has arrived."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from .limits import Limits
from .sound import Sound

__all__ = ["Mp4", "writing"]

MILLISECOND = Fraction(1, 1000)
X264 = {"preset": "veryfast", "crf": "24", "threads": "1"}
SOUND_RATE = 44_100
SOUND_BIT_RATE = 128_000
AAC_FRAME = 1024  # samples


@contextmanager
def writing(file: io.BytesIO, brand: str = "mp4") -> Iterator[OutputContainer]:
    """An MP4, or an M4A ("ipod"), to put streams into; complete in the file afterwards."""
    with av.open(
        file,
        "w",
        format=brand,
        container_options={"movflags": "faststart"},
        # In the end the index goes to the front: the muxer reads what it has written once more.
        io_open=lambda *_: io.BytesIO(file.getvalue()),
    ) as container:
        yield container


class Mp4:
    """Encodes into a container. Streams are there from the beginning; `finish` gives the file."""

    def __init__(
        self,
        container: OutputContainer,
        limits: Limits,
        *,
        size: tuple[int, int] | None = None,
        turned: int = 0,
        sound: bool = False,
    ) -> None:
        """`size` is the video's, even numbers; `turned` how it is to be shown, in degrees anticlockwise."""
        self._container = container
        self._size = size
        self._video: VideoStream | None = None
        self._ends: dict[int, int] = {}
        self._audio: AudioStream | None = None
        self.sound = Sound(
            rate=SOUND_RATE, layout="stereo", sample_format="fltp", size=AAC_FRAME, limits=limits
        )
        if size is not None:
            self._video = container.add_stream("libx264", rate=30, options=X264)
            self._video.width, self._video.height = size
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.time_base = MILLISECOND
            if turned:
                self._video.set_display_rotation(turned)
        if sound:
            self._audio = container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
            self._audio.bit_rate = SOUND_BIT_RATE

    def show(self, frame: VideoFrame, begin: int, end: int) -> None:
        """A picture, from one millisecond to another; in their order."""
        assert self._video is not None
        assert self._size is not None
        scaled = frame.reformat(*self._size, "yuv420p")
        scaled.pts, scaled.time_base = begin, MILLISECOND
        scaled.pict_type = 0  # the encoder chooses, whatever the source had here
        self._ends[begin] = end
        self._mux(self._video.encode(scaled))

    def hear(self, frame: AudioFrame | None, begin: int = 0) -> None:
        """The next sound; the first of it begins at that millisecond."""
        assert self._audio is not None
        if self.sound.samples == 0:
            self.sound.offset = max(0, begin) * SOUND_RATE // 1000
        for piece in self.sound.take(frame):
            self._container.mux(self._audio.encode(piece))

    def finish(self) -> None:
        """Nothing comes any more."""
        if self._video is not None:
            self._mux(self._video.encode(None))
        if self._audio is not None:
            self.hear(None)
            self._container.mux(self._audio.encode(None))

    def _mux(self, packets: "list[Packet[VideoStream]]") -> None:
        for packet in packets:
            begin = packet.pts or 0
            packet.duration = self._ends.pop(begin, begin) - begin  # which the encoder forgets
            self._container.mux(packet)
