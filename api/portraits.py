"""The pictures of profiles: an account's, a group's, a channel's."""

from collections.abc import Iterator

from attrs import frozen

from actors.egress import UrlForbidden
from actors.errors import MediaNotFound, PictureUnsuitable
from actors.media.errors import MediaBusy, MediaFetchFailed, MediaTooLarge, MediaTypeUnsupported
from actors.outgoing.content import MediaKind
from api.attachments import Uploadable
from api.fields import Base64, WebUrl
from api.services import services
from api.submission import source_of
from storage.rows import Json

PORTRAYING = (
    MediaNotFound,
    MediaFetchFailed,
    MediaTooLarge,
    MediaTypeUnsupported,
    MediaBusy,
    UrlForbidden,
    PictureUnsuitable,
)
"""What may go wrong with a picture besides what may with all that is asked of WhatsApp."""


@frozen(kw_only=True)
class PortraitDraft(Uploadable):
    """A picture in any format, of which the middle is shown: exactly one source of it."""

    SOURCE = "image"

    image_url: WebUrl | None = None
    image_base64: Base64 | None = None

    def __attrs_post_init__(self) -> None:
        if wrong := list(self.source_problems()):
            raise ExceptionGroup("fields that do not go together", wrong)

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        return cls.source_constraints()

    @property
    def kind(self) -> MediaKind:
        return MediaKind.IMAGE


@frozen(kw_only=True)
class PictureSetView:
    """WhatsApp has the picture."""

    id: str


async def portrait(session_id: str, draft: PortraitDraft) -> bytes:
    """The picture as WhatsApp shows one, a square JPEG. Raises what `Intake.obtain` does."""
    return await services().intake.portrait(session_id, source_of(draft))
