"""Pictures: opened within limits, turned upright, stripped of all that they tell beside, made small."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import DecodingError, TooLarge, Undecodable
from .jobs import Converted
from .limits import Limits

__all__ = [
    "FORMATS",
    "convert_picture",
    "convert_portrait",
    "convert_thumbnail",
    "flat",
    "opened",
    "thumbnail",
    "upright",
]

# Pillow knows more, and some of those start programs.
FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
}
THUMBNAIL = 100  # pixels of the longer side
QUALITY = 88
THUMBNAIL_QUALITY = 60
MAX_PROFILE = 64 * 1024  # bytes of a colour profile that is kept
OPAQUE = (255, 255)  # the least and the greatest of all pixels
ORIENTATION = 0x0112  # the tag of EXIF, and what its values ask for
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextmanager
def opened(data: bytes, mime_type: str, limits: Limits) -> Iterator[Image.Image]:
    """A picture, its first frame not yet decoded. Whatever Pillow raises for it becomes Undecodable.

    Raises TooLarge before anything of that size was allocated.
    """
    if mime_type not in FORMATS:
        raise Undecodable(f"{mime_type} is no picture that can be read")
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=[FORMATS[mime_type]]) as image:
                yield image
        except (DecodingError, MemoryError):
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise TooLarge("pixels", limits.max_pixels) from None
        except UnidentifiedImageError as error:
            raise Undecodable("the picture is broken") from error
        except Exception as error:  # its parsers stumble over broken files in many ways
            raise Undecodable(f"the picture is broken: {error}") from error


def convert_picture(data: bytes, mime_type: str, side: int, limits: Limits) -> Converted:
    """The picture as a JPEG or, where it is transparent, a PNG."""
    with opened(data, mime_type, limits) as image:
        file = io.BytesIO()
        profile = image.info.get("icc_profile")
        kept = {"icc_profile": profile} if profile and len(profile) <= MAX_PROFILE else {}
        if _is_fine(image, side):
            image.load()
            image.info = {}
            image.save(file, "JPEG", quality="keep", **kept)
            return _converted(file, "image/jpeg", image)
        if image.mode in {"CMYK", "LAB", "YCbCr"}:
            kept = {}  # it describes colours that are not written any more
        shown = upright(image, side)
        if shown.mode == "RGBA" and shown.getchannel("A").getextrema() != OPAQUE:
            shown.save(file, "PNG", **kept)
            return _converted(file, "image/png", shown)
        shown = flat(shown)
        shown.save(file, "JPEG", quality=QUALITY, **kept)
        return _converted(file, "image/jpeg", shown)


def convert_thumbnail(data: bytes, mime_type: str, side: int, limits: Limits) -> Converted:
    """The picture as a small JPEG."""
    with opened(data, mime_type, limits) as image:
        small = flat(upright(image, side))
        return Converted(
            data=thumbnail(small, side), mime_type="image/jpeg", width=small.width, height=small.height
        )


def convert_portrait(data: bytes, mime_type: str, side: int, limits: Limits) -> Converted:
    """The middle of the picture as a square JPEG."""
    with opened(data, mime_type, limits) as image:
        whole = flat(upright(image, 4 * side))  # enough for its shorter side, unless it is a mere strip
        edge = min(side, *whole.size)
        file = io.BytesIO()
        ImageOps.fit(whole, (edge, edge)).save(file, "JPEG", quality=QUALITY)
        return Converted(data=file.getvalue(), mime_type="image/jpeg", width=edge, height=edge)


def thumbnail(image: Image.Image, side: int = THUMBNAIL) -> bytes:
    """A JPEG of the picture, its longer side at most so many pixels."""
    small = flat(image.copy())
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return file.getvalue()


def flat(image: Image.Image) -> Image.Image:
    """The picture in plain colours; where it is transparent, it is white."""
    if image.mode == "RGB":
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image.convert("RGBA"))
    return background.convert("RGB")


def _orientation(image: Image.Image) -> int | None:
    """What the metadata asks for; nothing when it is broken, for the picture may be whole all the same."""
    try:
        found = image.getexif().get(ORIENTATION)
    except Exception:  # noqa: BLE001 - its parser stumbles in many ways
        return None
    return found if isinstance(found, int) else None


def _is_fine(image: Image.Image, side: int) -> bool:
    """Whether the picture needs only its metadata taken off, so that its own quality can be kept."""
    return (
        image.format == "JPEG"
        and image.mode in {"RGB", "L"}
        and max(image.size) <= side
        and _orientation(image) not in TURNS
    )


def upright(image: Image.Image, side: int) -> Image.Image:
    """The first frame as RGB or RGBA, upright, within `side` pixels and without metadata."""
    turn = TURNS.get(_orientation(image) or 1)
    image.draft("RGB", (side, side))  # a JPEG is decoded at no more than about that size
    image.load()
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode.startswith("I"):
        image = (
            image.convert("I").point(lambda value: value / 256).convert("L")
        )  # else all above 255 is white
    small = image if image.mode == wanted else image.convert(wanted)  # a needless copy may be 200 MB
    small.thumbnail((side, side))
    small.info = {}
    return small if turn is None else small.transpose(turn)


def _converted(file: io.BytesIO, mime_type: str, image: Image.Image) -> Converted:
    return Converted(
        data=file.getvalue(),
        mime_type=mime_type,
        width=image.width,
        height=image.height,
        thumbnail=thumbnail(image),
    )
