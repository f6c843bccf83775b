"""What a file is to become, and what became of it: plain values."""

from attrs import field, frozen

__all__ = [
    "Audio",
    "Converted",
    "Document",
    "Image",
    "Job",
    "Portrait",
    "Sticker",
    "Thumbnail",
    "Video",
    "Voice",
]


@frozen
class Image:
    """A picture as WhatsApp shows one: a JPEG, or a PNG where it is transparent.

    Upright, without metadata, its longer side at most `side` pixels. Of what moves, the first frame.
    """

    side: int = 4096


@frozen
class Video:
    """An MP4 with H.264 and AAC: passed through where it is one already, else put into one or made one.

    With `gif` it is silent; then animated GIF, WebP and PNG are taken as well.
    A video that has to be made gets a longer side of at most `side` pixels.
    """

    gif: bool = False
    side: int = 1280


@frozen
class Audio:
    """An audio file: MP3, AAC, M4A, AMR and Ogg with Opus pass through, all others become M4A."""


@frozen
class Voice:
    """A voice note: Ogg with Opus, mono, and its waveform. Opus that is mono already passes through."""


@frozen
class Sticker:
    """A WebP of 512 x 512 pixels, transparent where the file leaves room: still ≤ 100 kB, moving ≤ 500 kB.

    Of what moves longer than 10 seconds, the first 10. A WebP that is a sticker already passes through.
    """


@frozen
class Thumbnail:
    """A small JPEG of a picture, its longer side at most `side` pixels: for the card of a link."""

    side: int = 192


@frozen
class Portrait:
    """The picture of a profile: a square JPEG out of the picture's middle, at most `side` pixels wide."""

    side: int = 640


@frozen
class Document:
    """A file of any kind, as it is: only its type is told from its bytes, nothing is decoded."""


Job = Image | Video | Audio | Voice | Sticker | Thumbnail | Portrait | Document


@frozen(kw_only=True)
class Converted:
    """A file in the form in which it is sent; what does not apply to its kind is None."""

    data: bytes = field(repr=False)
    mime_type: str
    """With the codec for Ogg: "audio/ogg; codecs=opus"."""
    width: int | None = None
    height: int | None = None
    """Pixels, as shown: a rotation that the file asks for is reckoned in."""
    seconds: int | None = None
    """Rounded, at least 1."""
    waveform: bytes | None = field(default=None, repr=False)
    """64 bytes, each the loudness of that part, 0 to 100."""
    thumbnail: bytes | None = field(default=None, repr=False)
    """A JPEG, its longer side at most 100 pixels."""
    animated: bool = False
    """Whether the sticker moves."""
