"""Why a file was not converted: facts with fields, the errors of the decoders."""

from attrs import frozen


class DecodingError(Exception):
    """Base of everything `Decoders.convert` raises."""


@frozen
class Undecodable(DecodingError):
    """The file is broken, or of no kind that can become what was asked for."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen
class TooLarge(DecodingError):
    """The file's content goes beyond a limit, however small the file itself."""

    what: str
    """ "pixels", "seconds" or "bytes"."""
    limit: int

    def __str__(self) -> str:
        return f"more than {self.limit} {self.what}"


@frozen
class DecoderFailed(DecodingError):
    """The worker died of the file, outgrew its memory or its time. Another try would most likely, too."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen
class Busy(DecodingError):
    """As many files are waiting as may, or the decoders are just being restarted. Nothing was done."""

    retry_after: float
    """Seconds."""

    def __str__(self) -> str:
        return f"busy for {self.retry_after:g} s"
