"""Pictures as WhatsApp takes them."""

import io

import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from actors.decoding import Converted, Image, Portrait, Sticker, Thumbnail, TooLarge, Undecodable, Video
from actors.decoding.conversion import convert
from actors.decoding.jobs import Job
from actors.decoding.limits import Limits
from tests.actors.decoding.media import animation, encoded, noise, picture

LIMITS = Limits(max_pixels=50_000_000, max_seconds=60)
RED, BLUE = (254, 0, 0), (0, 0, 254)


def done(job: Job, data: bytes) -> tuple[Converted, Pillow.Image]:
    result = convert(job, data, LIMITS)
    image = Pillow.open(io.BytesIO(result.data))
    assert image.size == (result.width, result.height)
    return result, image


def near(one: object, other: tuple[int, ...]) -> bool:
    assert isinstance(one, tuple)
    return all(abs(a - b) < 24 for a, b in zip(one, other, strict=False))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_every_format_becomes_a_jpeg_with_a_small_one(name: str) -> None:
    result, image = done(Image(), encoded(picture(), name))
    assert (result.mime_type, image.format, image.size) == ("image/jpeg", "JPEG", (320, 200))
    assert near(image.getpixel((10, 100)), RED)
    assert near(image.getpixel((310, 100)), BLUE)
    assert result.thumbnail is not None
    small = Pillow.open(io.BytesIO(result.thumbnail))
    assert (small.format, max(small.size)) == ("JPEG", 100)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "I;16", "LA", "YCbCr"])
def test_other_colours_become_plain_ones(mode: str) -> None:
    name = {"CMYK": "JPEG", "YCbCr": "TIFF"}.get(mode, "PNG")
    _, image = done(Image(), encoded(picture().convert("L" if mode == "I;16" else "RGB").convert(mode), name))
    assert image.mode in {"RGB", "L"}


def test_sixteen_bits_are_scaled_not_cut() -> None:
    grey = Pillow.new("I;16", (20, 20), 128 * 256)
    _, image = done(Image(), encoded(grey, "PNG"))
    assert near(image.convert("RGB").getpixel((5, 5)), (128, 128, 128))


def test_a_transparent_picture_stays_a_png_and_an_opaque_one_does_not() -> None:
    clear = picture(mode="RGBA")
    clear.putpixel((0, 0), (0, 0, 0, 0))
    result, image = done(Image(), encoded(clear, "PNG"))
    assert result.mime_type == "image/png"
    assert image.getpixel((0, 0)) == (0, 0, 0, 0)
    assert done(Image(), encoded(picture(mode="RGBA"), "PNG"))[0].mime_type == "image/jpeg"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_and_the_metadata_gone(orientation: int) -> None:
    turns = Pillow.Transpose
    undo = {  # how the camera held it
        1: None,
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }[orientation]
    shot = picture() if undo is None else picture().transpose(undo)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET-CAMERA"
    data = encoded(shot, "JPEG", exif=exif, comment=b"SECRET-NOTE", quality=95)
    assert b"SECRET" in data
    result, image = done(Image(), data)
    assert image.size == (320, 200)
    assert near(image.getpixel((10, 100)), RED)
    assert b"SECRET" not in result.data
    assert not image.getexif()


def test_the_metadata_of_a_png_is_gone() -> None:
    clear = picture(mode="RGBA")
    clear.putalpha(100)
    exif = Pillow.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    result, _ = done(Image(), encoded(clear, "PNG", exif=exif))
    assert b"SECRET" not in result.data


def test_broken_metadata_does_not_spoil_a_picture() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert done(Image(), data)[1].size == (320, 200)


def test_a_colour_profile_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("JPEG", "PNG"):
        assert done(Image(), encoded(picture(), name, icc_profile=profile))[1].info["icc_profile"] == profile


def test_a_jpeg_keeps_its_quality() -> None:
    data = encoded(noise((64, 64)), "JPEG", quality=97)
    _, image = done(Image(), data)
    before, after = Pillow.open(io.BytesIO(data)), image
    assert after.quantization == before.quantization  # type: ignore[attr-defined]


def test_a_large_picture_is_scaled_down() -> None:
    assert done(Image(side=100), encoded(picture((400, 200)), "PNG"))[1].size == (100, 50)
    assert done(Image(side=100), encoded(picture((200, 400)), "JPEG"))[1].size == (50, 100)


def test_what_moves_becomes_its_first_frame() -> None:
    assert done(Image(), animation())[1].size == (120, 80)


def test_a_preview_is_a_small_jpeg() -> None:
    result, image = done(Thumbnail(side=64), encoded(picture(mode="RGBA"), "WEBP"))
    assert (result.mime_type, image.format, image.size) == ("image/jpeg", "JPEG", (64, 40))
    assert result.thumbnail is None


def test_a_portrait_is_the_middle_of_a_picture_as_a_square_jpeg() -> None:
    middle = picture((300, 100))
    middle.paste("lime", (100, 0, 200, 100))
    result, image = done(Portrait(side=64), encoded(middle, "PNG"))
    assert (result.mime_type, image.size) == ("image/jpeg", (64, 64))
    assert near(image.getpixel((4, 32)), (0, 255, 0))
    assert near(image.getpixel((60, 32)), (0, 255, 0))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"])
def test_a_sticker_is_a_padded_square(name: str) -> None:
    result, image = done(Sticker(), encoded(picture((300, 100)), name))
    assert (result.mime_type, image.size, result.animated) == ("image/webp", (512, 512), False)
    assert image.convert("RGBA").getpixel((256, 10))[3] == 0  # type: ignore[index]
    assert near(image.convert("RGBA").getpixel((10, 256)), (*RED, 255))


def test_a_sticker_of_noise_keeps_within_its_size() -> None:
    result, _ = done(Sticker(), encoded(noise((512, 512)), "PNG"))
    assert len(result.data) <= 100_000


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_a_sticker_moves_as_long_as_its_source(name: str) -> None:
    result, image = done(Sticker(), animation(name, frames=6, duration=120))
    assert result.animated
    assert length(image) == 720


def test_a_moving_sticker_ends_after_ten_seconds() -> None:
    result, image = done(Sticker(), animation(frames=30, duration=500))
    assert result.animated
    assert length(image) == 10_000
    assert len(result.data) <= 500_000


def test_a_moving_sticker_of_noise_keeps_within_its_size() -> None:
    frames = [noise((128, 128), seed=seed) for seed in range(20)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, quality=50)
    result, _ = done(Sticker(), data)
    assert len(result.data) <= 500_000


def test_what_is_a_sticker_already_is_left_alone() -> None:
    for data in (encoded(picture((512, 512)), "WEBP"), animation("WEBP", size=(512, 512))):
        assert done(Sticker(), data)[0].data is data


def length(image: Pillow.Image) -> int:
    """Milliseconds."""
    total = 0
    for at in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(at)
        image.load()
        total += image.info["duration"]
    return total


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("job", [Image(), Sticker(), Thumbnail(), Portrait()])
def test_too_many_pixels_are_refused(name: str, job: Job) -> None:
    with pytest.raises(TooLarge) as caught:
        convert(job, encoded(picture((64, 64)), name), Limits(max_pixels=4095, max_seconds=1))
    assert (caught.value.what, caught.value.limit) == ("pixels", 4095)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1)])
def test_the_thinnest_pictures_become_everything(size: tuple[int, int]) -> None:
    data = encoded(picture(size), "GIF")
    for job in (Image(), Sticker(), Thumbnail(), Portrait(), Video(gif=True)):
        assert convert(job, data, LIMITS).data


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_a_picture_cut_short_is_undecodable(name: str) -> None:
    data = encoded(noise((64, 64)), name)
    with pytest.raises(Undecodable):
        convert(Image(), data[: len(data) // 2], LIMITS)


@pytest.mark.parametrize(
    "data", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS\n", b"%PDF-1.4", b"\0\1\2", b"text"]
)
def test_what_is_no_picture_is_undecodable(data: bytes) -> None:
    for job in (Image(), Sticker(), Thumbnail(), Portrait()):
        with pytest.raises(Undecodable):
            convert(job, data, LIMITS)
