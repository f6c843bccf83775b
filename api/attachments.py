"""Where a message's file comes from, as a client says it."""

from collections.abc import Iterator
from typing import ClassVar

from attrs import fields_dict, frozen

from actors.outgoing import Media, MediaKind
from api.checks import MismatchError
from api.constraints import exactly_one
from api.fields import Base64, FileName, MediaId, MimeType, Paragraph, Upload, WebUrl
from storage.rows import Json


@frozen(kw_only=True, slots=False)  # among two bases only one may have slots
class Attachment:
    """Where a file comes from: exactly one of a URL, its bytes, the id of a stored one, and an upload."""

    SOURCE: ClassVar[str]
    """What begins the names of the fields with its URL and its bytes."""

    media_id: MediaId | None = None
    mime_type: MimeType | None = None
    """Absent: what its bytes and its source say."""
    file_name: FileName | None = None

    @property
    def kind(self) -> MediaKind:
        """As what it is shown."""
        raise NotImplementedError

    @property
    def url(self) -> WebUrl | None:
        """Where to fetch it."""
        found: WebUrl | None = getattr(self, f"{self.SOURCE}_url")
        return found

    @property
    def data(self) -> Base64 | None:
        """Its bytes."""
        found: Base64 | None = getattr(self, f"{self.SOURCE}_base64")
        return found

    @property
    def upload(self) -> Upload | None:
        """The file that came with the request."""
        found: Upload | None = getattr(self, "file", None)
        return found

    def source_problems(self) -> Iterator[MismatchError]:
        """One error where there is not exactly one source."""
        given = (self.url, self.data, self.media_id, self.upload)
        if sum(each is not None for each in given) != 1:
            file = " and file" if "file" in fields_dict(type(self)) else ""
            names = f"{self.SOURCE}Url, {self.SOURCE}Base64{', mediaId' if file else ' and mediaId'}{file}"
            yield MismatchError(f"give exactly one of {names}", path=f"{self.SOURCE}Url")

    @classmethod
    def source_constraints(cls) -> Iterator[Json]:
        """The same, for the API's description."""
        file = ("file",) if "file" in fields_dict(cls) else ()
        yield exactly_one(f"{cls.SOURCE}Url", f"{cls.SOURCE}Base64", "mediaId", *file)

    def media(self, media_id: str, file_name: str | None, album_id: str | None = None) -> Media:
        """What it is to say, once its file is stored under this id and name."""
        return Media(
            kind=self.kind,
            media_id=media_id,
            caption=getattr(self, "caption", None),
            file_name=self.file_name or file_name,
            view_once=getattr(self, "view_once", False),
            album_id=album_id,
        )


@frozen(kw_only=True, slots=False)
class Picture(Attachment):
    """A picture and where it comes from."""

    SOURCE = "image"

    image_url: WebUrl | None = None
    image_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.IMAGE


@frozen(kw_only=True, slots=False)
class Film(Attachment):
    """A video and where it comes from."""

    SOURCE = "video"

    video_url: WebUrl | None = None
    video_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VIDEO


@frozen(kw_only=True, slots=False)
class Uploadable(Attachment):
    """A file that may come with the request itself."""

    file: Upload | None = None
    """A part of a `multipart/form-data` body, whose other parts are the fields."""
