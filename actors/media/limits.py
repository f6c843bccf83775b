"""How large a file may be."""

from attrs import frozen

from actors.outgoing.content import MediaKind


@frozen(kw_only=True)
class MediaLimits:
    """How many bytes a file may have, as it comes, before it is converted."""

    document: int = 100 << 20
    video: int = 64 << 20
    audio: int = 16 << 20
    image: int = 16 << 20

    def of(self, kind: MediaKind) -> int:
        match kind:
            case MediaKind.IMAGE | MediaKind.STICKER:
                return self.image
            case MediaKind.AUDIO | MediaKind.VOICE:
                return self.audio
            case MediaKind.DOCUMENT:
                return self.document
            case _:
                return self.video

    @property
    def largest(self) -> int:
        """What no file of any kind goes beyond."""
        return max(self.document, self.video, self.audio, self.image)
