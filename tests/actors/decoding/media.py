"""Files to decode, made here: pictures, tones and clips in every form that people send."""

import io
import math
import random
from array import array
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image, ImageDraw

RATE = 48_000
LOUD = 12_000
FORMS = {"aac": "fltp", "libopus": "s16", "libmp3lame": "s16p"}
QUICK = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
}
SOUNDS = {  # container, codec, sample format, rate, options
    "mp3": ("mp3", "libmp3lame", "s16p", 44_100),
    "ogg_opus": ("ogg", "libopus", "s16", 48_000),
    "ogg_vorbis": ("ogg", "vorbis", "fltp", 44_100),
    "ogg_flac": ("ogg", "flac", "s16", 44_100),
    "wav": ("wav", "pcm_s16le", "s16", 44_100),
    "wav_float": ("wav", "pcm_f32le", "flt", 48_000),
    "m4a": ("ipod", "aac", "fltp", 44_100),
    "aac": ("adts", "aac", "fltp", 44_100),
    "flac": ("flac", "flac", "s16", 48_000),
    "amr": ("amr", "libopencore_amrnb", "s16", 8_000),
    "webm": ("webm", "libopus", "s16", 48_000),
    "mkv": ("matroska", "flac", "s16", 44_100),
    "mp4": ("mp4", "aac", "fltp", 44_100),
    "mov": ("mov", "pcm_s16le", "s16", 44_100),
}


def picture(size: tuple[int, int] = (320, 200), mode: str = "RGB") -> Image.Image:
    """Red to the left, blue to the right, so that a turn is seen."""
    image = Image.new("RGB", size, "red")
    ImageDraw.Draw(image).rectangle((size[0] // 2, 0, size[0], size[1]), fill="blue")
    return image.convert(mode)


def encoded(image: Image.Image, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def animation(
    name: str = "GIF", *, frames: int = 6, duration: int = 100, size: tuple[int, int] = (120, 80)
) -> bytes:
    """A square that moves from left to right."""
    images = []
    for at in range(frames):
        image = Image.new("RGBA", size, (255, 255, 255, 0))
        left = at * (size[0] - 20) // max(1, frames - 1)
        ImageDraw.Draw(image).rectangle((left, 10, left + 20, 30), fill=(255, at * 255 // frames, 0, 255))
        images.append(image)
    options = {"disposal": 2} if name == "GIF" else {}
    first, *rest = images
    return encoded(first, name, save_all=True, append_images=rest, duration=duration, loop=0, **options)


def tone(kind: str, *, seconds: float = 2.0, silent_until: float = 0.0, channels: int = 1) -> bytes:
    """A tone of 440 Hz, silent before a moment."""
    container, codec, form, rate = SOUNDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        layout = "mono" if channels == 1 else "stereo"
        options = {}
        if codec == "vorbis":
            layout, options = "stereo", {"strict": "experimental"}
        stream = target.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, AudioStream)
        _sound(target, stream, form, seconds, silent_until)
    return file.getvalue()


def _sound(
    target: OutputContainer, stream: AudioStream, form: str, seconds: float, silent_until: float = 0.0
) -> None:
    context = stream.codec_context
    rate, layout, channels = context.sample_rate, context.layout.name, context.layout.nb_channels
    resampler = av.AudioResampler(form, layout, rate, context.frame_size or 1024)
    for begin in range(0, int(seconds * rate), 1024):
        count = min(1024, int(seconds * rate) - begin)
        samples = array("h")
        for at in range(begin, begin + count):
            value = 0 if at < silent_until * rate else int(LOUD * math.sin(2 * math.pi * 440 * at / rate))
            samples.extend([value] * channels)
        frame = av.AudioFrame(format="s16", layout=layout, samples=count)
        frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        for piece in resampler.resample(frame):
            target.mux(stream.encode(piece))
    for piece in resampler.resample(None):
        target.mux(stream.encode(piece))
    target.mux(stream.encode(None))


def clip(
    container: str = "mp4",
    codec: str = "libx264",
    *,
    seconds: float = 1.0,
    size: tuple[int, int] = (160, 96),
    sound: str | None = "aac",
    pixels: str = "yuv420p",
    turned: int = 0,
    rate: int = 15,
) -> bytes:
    """The picture above for a while, with a tone."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        video = target.add_stream(codec, rate=rate, options=QUICK.get(codec, {}))
        assert isinstance(video, VideoStream)
        video.width, video.height = size
        video.pix_fmt = pixels
        if turned:
            video.set_display_rotation(turned)
        audio = None
        if sound is not None:
            audio = target.add_stream(sound, rate=48_000 if sound == "libopus" else 44_100, layout="mono")
        shown = av.VideoFrame.from_image(picture(size)).reformat(format=pixels)  # type: ignore[no-untyped-call]
        for at in range(int(seconds * rate)):
            shown.pts, shown.time_base = at, Fraction(1, rate)
            target.mux(video.encode(shown))
        target.mux(video.encode(None))
        if audio is not None:
            assert isinstance(audio, AudioStream)
            _sound(target, audio, FORMS[audio.codec_context.name], seconds)
    return file.getvalue()


def noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """A picture that nothing makes small."""
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))
