"""Why a file was not taken: facts with fields. `UrlForbidden` of `actors.egress` is one of them."""

from attrs import frozen


class MediaError(Exception):
    """Base of everything that `Fetcher` and `Intake` raise by themselves."""


@frozen
class MediaFetchFailed(MediaError):
    """A URL gave no file; the reason names neither an address nor anything of the answer's body."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen
class MediaTooLarge(MediaError):
    """The file, or its content, goes beyond a limit: `10485760 bytes`."""

    limit: str

    def __str__(self) -> str:
        return f"more than {self.limit}"


@frozen
class MediaTypeUnsupported(MediaError):
    """The file is of no kind that can become what was asked for, or is broken."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen
class MediaBusy(MediaError):
    """More files are being converted, or wait for it, than are taken. Nothing was stored."""

    retry_after: float  # seconds
