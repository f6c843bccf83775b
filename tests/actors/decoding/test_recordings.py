"""Voice notes, audio files and videos as WhatsApp takes them."""

import io

import av
import pytest
from PIL import Image as Pillow

from actors.decoding import Audio, Sticker, TooLarge, Undecodable, Video, Voice, sniff
from actors.decoding.conversion import convert
from actors.decoding.jobs import Job
from actors.decoding.limits import Limits
from actors.decoding.waveform import waveform
from tests.actors.decoding.media import SOUNDS, animation, clip, encoded, picture, tone

LIMITS = Limits(max_pixels=50_000_000, max_seconds=60)
OPUS = "audio/ogg; codecs=opus"


def streams(data: bytes) -> dict[str, str]:
    """Kind of stream → its codec."""
    with av.open(io.BytesIO(data), "r") as container:
        return {stream.type: stream.codec_context.name for stream in container.streams}


def heard(data: bytes) -> float:
    """Seconds of sound that can be decoded."""
    with av.open(io.BytesIO(data), "r") as container:
        rate = container.streams.audio[0].codec_context.sample_rate
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return float(samples / rate)


def seen(data: bytes) -> list[float]:
    """When each picture that can be decoded is shown."""
    with av.open(io.BytesIO(data), "r") as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]


# --- voice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOUNDS)
def test_every_sound_becomes_a_voice_note(kind: str) -> None:
    result = convert(Voice(), tone(kind, seconds=2, silent_until=1), LIMITS)
    assert (result.mime_type, result.seconds, sniff(result.data)) == (OPUS, 2, "audio/ogg")
    with av.open(io.BytesIO(result.data), "r") as container:
        context = container.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.channels) == ("opus", 48_000, 1)
    assert heard(result.data) == pytest.approx(2, abs=0.15)
    assert result.waveform is not None
    assert len(result.waveform) == 64
    assert max(result.waveform) == 100
    assert max(result.waveform[:28]) < 10  # silent at first
    assert min(result.waveform[36:58]) > 50


@pytest.mark.parametrize("kind", ["wav", "mp3", "m4a", "ogg_opus"])
def test_stereo_becomes_mono(kind: str) -> None:
    result = convert(Voice(), tone(kind, channels=2), LIMITS)
    with av.open(io.BytesIO(result.data), "r") as container:
        assert container.streams.audio[0].codec_context.channels == 1


def test_a_voice_note_is_left_alone() -> None:
    data = tone("ogg_opus")
    assert convert(Voice(), data, LIMITS).data is data


def test_the_sound_of_a_video_becomes_a_voice_note() -> None:
    assert streams(convert(Voice(), clip(), LIMITS).data) == {"audio": "opus"}


def test_the_waveform_is_64_bars_of_0_to_100_for_any_length() -> None:
    assert waveform([]) == bytes(64)
    assert waveform([0.0] * 10) == bytes(64)
    assert waveform([3.0]) == bytes([100] * 64)
    assert waveform([0.0, 10.0]) == bytes([0] * 32 + [100] * 32)
    rising = waveform([float(level) for level in range(1000)])
    assert list(rising) == sorted(rising)
    assert (rising[0], rising[63]) == (1, 100)


def test_a_moment_of_sound_is_a_voice_note_of_a_second() -> None:
    result = convert(Voice(), tone("wav", seconds=0.05), LIMITS)
    assert (result.seconds, len(result.waveform or b"")) == (1, 64)


# --- audio -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mime_type"),
    [
        ("mp3", "audio/mpeg"),
        ("m4a", "audio/mp4"),
        ("mp4", "audio/mp4"),
        ("aac", "audio/aac"),
        ("amr", "audio/amr"),
        ("ogg_opus", OPUS),
    ],
)
def test_what_phones_play_passes_through(kind: str, mime_type: str) -> None:
    data = tone(kind, seconds=3)
    result = convert(Audio(), data, LIMITS)
    assert result.data is data
    assert (result.mime_type, result.seconds) == (mime_type, 3)


@pytest.mark.parametrize("kind", ["ogg_vorbis", "ogg_flac", "wav", "wav_float", "flac", "webm", "mkv", "mov"])
def test_other_sounds_become_m4a(kind: str) -> None:
    result = convert(Audio(), tone(kind, seconds=2), LIMITS)
    assert (result.mime_type, result.seconds, sniff(result.data)) == ("audio/mp4", 2, "audio/mp4")
    assert streams(result.data) == {"audio": "aac"}
    assert heard(result.data) == pytest.approx(2, abs=0.15)


def test_the_sound_of_a_video_becomes_m4a() -> None:
    assert streams(convert(Audio(), clip(), LIMITS).data) == {"audio": "aac"}


# --- video -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sound", ["aac", None])
def test_what_is_playable_passes_through(sound: str | None) -> None:
    data = clip(sound=sound, seconds=2)
    result = convert(Video(), data, LIMITS)
    assert result.data is data
    assert (result.mime_type, result.width, result.height, result.seconds) == ("video/mp4", 160, 96, 2)
    assert result.thumbnail is not None
    small = Pillow.open(io.BytesIO(result.thumbnail))
    assert (small.format, small.size) == ("JPEG", (100, 60))


@pytest.mark.parametrize("container", ["mov", "matroska"])
def test_the_wrong_container_is_changed_and_the_streams_are_not(container: str) -> None:
    data = clip(container, seconds=2)
    result = convert(Video(), data, LIMITS)
    assert (sniff(result.data), result.seconds) == ("video/mp4", 2)
    assert packets(result.data) == packets(data)
    assert len(seen(result.data)) == 30


def packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("container", "codec", "sound", "pixels"),
    [
        ("mp4", "libx265", "aac", "yuv420p"),
        ("mp4", "libx264", "aac", "yuv444p"),
        ("mp4", "libx264", "libmp3lame", "yuv420p"),
        ("mov", "libx265", "aac", "yuv420p10le"),
        ("webm", "libvpx", "libopus", "yuv420p"),
        ("webm", "libvpx-vp9", "libopus", "yuv420p"),
        # No AV1: its encoder makes the test process a real-time one where it may, and nothing else runs then.
        ("avi", "mpeg4", "libmp3lame", "yuv420p"),
        ("3gp", "mpeg4", "aac", "yuv420p"),
        ("mpegts", "libx264", "aac", "yuv420p"),
        ("mp4", "libx265", None, "yuv420p"),
    ],
)
def test_what_is_not_playable_is_made_so(container: str, codec: str, sound: str | None, pixels: str) -> None:
    result = convert(Video(), clip(container, codec, sound=sound, pixels=pixels, seconds=2), LIMITS)
    assert streams(result.data) == {"video": "h264"} | ({} if sound is None else {"audio": "aac"})
    assert (result.width, result.height, result.seconds) == (160, 96, 2)
    times = seen(result.data)
    assert len(times) == 30
    assert times[-1] == pytest.approx(2 - 1 / 15, abs=0.1)
    with av.open(io.BytesIO(result.data), "r") as made:
        assert made.streams.video[0].codec_context.pix_fmt == "yuv420p"
    if sound is not None:
        assert heard(result.data) == pytest.approx(2, abs=0.15)
    again = convert(Video(), result.data, LIMITS)
    assert again.data is result.data


def test_a_video_that_is_made_can_be_played_before_it_is_all_there() -> None:
    for data in (clip("webm", "libvpx", sound="libopus"), clip("mov")):
        made = convert(Video(), data, LIMITS).data
        assert made.index(b"moov") < made.index(b"mdat")


def test_a_video_that_is_made_is_no_larger_than_asked_for() -> None:
    result = convert(Video(side=100), clip("mp4", "libx265", size=(200, 120)), LIMITS)
    assert (result.width, result.height) == (100, 60)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_turned_video_is_told_as_it_is_shown(codec: str) -> None:
    result = convert(Video(), clip("mov", codec, turned=90), LIMITS)
    assert (result.width, result.height) == (96, 160)
    small = Pillow.open(io.BytesIO(result.thumbnail or b""))
    assert small.size == (60, 100)
    assert small.getpixel((30, 95))[0] > 200  # type: ignore[index]  # the left has become the bottom
    with av.open(io.BytesIO(result.data), "r") as container:
        assert next(container.decode(video=0)).rotation == 90


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_gif_is_silent(container: str) -> None:
    assert streams(convert(Video(gif=True), clip(container), LIMITS).data) == {"video": "h264"}


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_an_animation_becomes_a_silent_video_of_the_same_length(name: str) -> None:
    data = animation(name, frames=5, duration=500, size=(121, 81))
    result = convert(Video(gif=True), data, LIMITS)
    assert streams(result.data) == {"video": "h264"}
    assert (result.width, result.height, result.seconds) == (120, 80, 2)
    assert seen(result.data) == pytest.approx([0, 0.5, 1, 1.5, 2], abs=0.01)
    with av.open(io.BytesIO(result.data), "r") as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(2.5, abs=0.02)
    assert result.thumbnail is not None


def test_a_still_gif_becomes_a_moment_of_video() -> None:
    result = convert(Video(gif=True), encoded(picture(), "GIF"), LIMITS)
    assert (result.seconds, len(seen(result.data))) == (1, 1)


def test_a_clip_becomes_a_moving_sticker() -> None:
    result = convert(Sticker(), clip(seconds=3, turned=90), LIMITS)
    image = Pillow.open(io.BytesIO(result.data))
    assert (image.size, result.animated) == ((512, 512), True)
    assert len(result.data) <= 500_000


# --- limits and damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [Voice(), Audio(), Video()])
def test_what_takes_too_long_is_refused(job: Job) -> None:
    for data in (clip(seconds=3), clip("matroska", "libx265", seconds=3)):
        with pytest.raises(TooLarge) as caught:
            convert(job, data, Limits(max_pixels=50_000_000, max_seconds=2))
        assert (caught.value.what, caught.value.limit) == ("seconds", 2)


def test_an_animation_of_thousands_of_frames_is_refused_by_its_length() -> None:
    data = animation(frames=1500, duration=100, size=(30, 40))
    with pytest.raises(TooLarge):
        convert(Video(gif=True), data, LIMITS)


def test_a_video_of_huge_frames_is_refused() -> None:
    with pytest.raises(TooLarge) as caught:
        convert(
            Video(),
            clip("avi", "mjpeg", size=(4096, 2304), pixels="yuvj420p", sound=None, seconds=0.1),
            LIMITS,
        )
    assert caught.value.what == "pixels"


def test_damage_in_the_middle_is_borne() -> None:
    data = bytearray(tone("mp3", seconds=4))
    data[len(data) // 2 : len(data) // 2 + 500] = bytes(500)
    assert convert(Voice(), bytes(data), LIMITS).seconds in {3, 4}


@pytest.mark.parametrize("job", [Voice(), Audio(), Video(), Video(gif=True)])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\0\0\0\x18ftypisom" + bytes(100),
        b"OggS\0OpusHead",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"ID3\4\0\0\0\0\0\0",
        b"\x1a\x45\xdf\xa3webm",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"fLaC",
    ],
)
def test_what_is_no_recording_is_undecodable(job: Job, data: bytes) -> None:
    with pytest.raises(Undecodable):
        convert(job, data, LIMITS)


def test_a_video_without_sound_is_no_voice_note_and_a_sound_no_video() -> None:
    with pytest.raises(Undecodable, match="no sound"):
        convert(Voice(), clip(sound=None), LIMITS)
    with pytest.raises(Undecodable, match="no picture"):
        convert(Video(), tone("m4a"), LIMITS)
