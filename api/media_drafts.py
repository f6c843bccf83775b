"""Messages with files, as a client asks for them: a class for each kind."""

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen

from actors.outgoing import AlbumHeader, MediaKind
from api.attachments import Film, Picture, Uploadable
from api.checks import MismatchError
from api.constraints import sized
from api.draft import ToSomeone, Wrong
from api.fields import Base64, Paragraph, WebUrl
from storage.rows import Json


@frozen(kw_only=True)
class ImageDraft(ToSomeone, Uploadable, Picture):
    """A picture."""

    TYPE = "image"

    view_once: bool = False


@frozen(kw_only=True)
class VideoDraft(ToSomeone, Uploadable, Film):
    """A video."""

    TYPE = "video"

    gif: bool = False
    """Plays by itself, again and again, without sound."""
    note: bool = False
    """A round video message."""
    view_once: bool = False

    @property
    def kind(self) -> MediaKind:
        return MediaKind.GIF if self.gif else MediaKind.VIDEO_NOTE if self.note else MediaKind.VIDEO

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.gif and self.note:
            yield MismatchError("give at most one of gif and note", path="gif")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield {"anyOf": [{"properties": {name: {"enum": [False]}}} for name in ("gif", "note")]}


@frozen(kw_only=True)
class VoiceDraft(ToSomeone, Uploadable):
    """A voice note: whatever it comes as is converted to what WhatsApp's own look like."""

    TYPE = "voice"
    SOURCE = "audio"

    audio_url: WebUrl | None = None
    audio_base64: Base64 | None = None
    view_once: bool = False

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VOICE


@frozen(kw_only=True)
class AudioDraft(VoiceDraft):
    """An audio file: mp3, ogg, wav and others."""

    TYPE = "audio"

    ptt: bool = False
    """Send it as a voice note."""

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VOICE if self.ptt else MediaKind.AUDIO


@frozen(kw_only=True)
class DocumentDraft(ToSomeone, Uploadable):
    """Any file."""

    TYPE = "document"
    SOURCE = "document"

    document_url: WebUrl | None = None
    document_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.DOCUMENT


@frozen(kw_only=True)
class StickerDraft(ToSomeone, Uploadable):
    """A picture, also a moving one, as a sticker."""

    TYPE = "sticker"
    SOURCE = "sticker"

    sticker_url: WebUrl | None = None
    sticker_base64: Base64 | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.STICKER


@frozen(kw_only=True)
class AlbumImage(Picture):
    """A picture of an album."""

    TYPE: ClassVar[str] = "image"

    def __attrs_post_init__(self) -> None:
        for wrong in self.source_problems():
            raise wrong

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        return cls.source_constraints()


@frozen(kw_only=True)
class AlbumVideo(Film):
    """A video of an album."""

    TYPE: ClassVar[str] = "video"

    def __attrs_post_init__(self) -> None:
        for wrong in self.source_problems():
            raise wrong

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        return cls.source_constraints()


AlbumItem = AlbumImage | AlbumVideo


@frozen(kw_only=True)
class AlbumDraft(ToSomeone):
    """2 to 30 pictures and videos shown as one."""

    TYPE = "album"

    items: tuple[AlbumItem, ...]

    def problems(self) -> Wrong:
        yield from super().problems()
        if not 2 <= len(self.items) <= 30:
            yield MismatchError("expected 2 to 30 items", path="items")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield sized("items", 2, 30)

    @property
    def header(self) -> AlbumHeader:
        """What goes before its items."""
        images = sum(isinstance(item, AlbumImage) for item in self.items)
        return AlbumHeader(images=images, videos=len(self.items) - images)
