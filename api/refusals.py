"""What the HTTP layer itself refuses, before any actor is asked: facts with fields."""

from attrs import frozen


class Refusal(Exception):
    """Base of everything the API refuses by itself."""


@frozen
class FieldError:
    """One thing wrong with one field; `path` as a client writes it: `limits.perMinute`, `phones[2]`."""

    path: str
    message: str


@frozen
class InvalidJson(Refusal):
    """The body is no JSON document."""

    reason: str


@frozen
class ValidationFailed(Refusal):
    """The request is well-formed and wrong: every bad field is named."""

    errors: tuple[FieldError, ...]


@frozen
class InvalidJid(Refusal):
    """Addressed to something that is no JID."""

    jid: str


@frozen
class ContentTypeUnsupported(Refusal):
    """The body is of a type that this route does not read."""

    given: str


@frozen
class KeyMissing(Refusal):
    """Neither an API key nor a cookie."""


@frozen
class KeyInvalid(Refusal):
    """A key that nobody was given."""


@frozen
class KeyExpired(Refusal):
    """The key's expiresAt has passed."""


@frozen
class KeyRevoked(Refusal):
    """The key was revoked, or rotated longer ago than its grace time."""


@frozen
class ScopeDenied(Refusal):
    """The key is good, and not for this."""

    detail: str


@frozen
class AddressDenied(Refusal):
    """The key is good, and not from this address."""


@frozen
class SignInFailed(Refusal):
    """No user has this name and this password, or they are disabled: which of these is nobody's business."""


@frozen
class SignInExpired(Refusal):
    """The cookie is of a sign-in that has ended, or of none."""


@frozen
class CsrfDenied(Refusal):
    """A browser may have sent this, with its cookie, for another site's page."""

    detail: str


@frozen
class TooManyTries(Refusal):
    """So many tries to sign in have failed that the next one has to wait."""

    retry_after: float


@frozen
class UserExists(Refusal):
    """Somebody has this name."""


@frozen
class LastAdmin(Refusal):
    """Without this admin there would be none."""


@frozen
class NotFound(Refusal):
    """There is no such thing; `kind` is message, webhook, delivery, key, user, node or child."""

    kind: str
    id: str


@frozen
class KeyReused(Refusal):
    """The Idempotency-Key was used with another request."""


@frozen
class KeyInProgress(Refusal):
    """The first request with this Idempotency-Key is not answered yet."""

    retry_after: float = 1.0


@frozen
class AnswerLost(Refusal):
    """The first request with this Idempotency-Key was cut off, and nothing tells what it had done."""


@frozen
class NodeSilent(Refusal):
    """The request was handed to the node that does such things, and no answer came back."""


@frozen
class RangeOutside(Refusal):
    """A range of bytes that a file does not have."""

    file_size: int


@frozen
class NotQueued(Refusal):
    """The message does not wait to be sent (any more)."""

    status: str


@frozen
class NotRetryable(Refusal):
    """The message neither failed nor is its outcome unknown, or it was not sent from here."""

    status: str


@frozen
class BatchCancelled(Refusal):
    """The batch was cancelled: it neither pauses nor goes on."""


@frozen
class NotPossible(Refusal):
    """WhatsApp's client library has no way to do this; `reason` says what it lacks."""

    reason: str


@frozen
class ItemRefused(Refusal):
    """What is wrong with one of many, counted from 0: nothing was done about any of them."""

    number: int
    error: Exception


@frozen
class NoSuchRoute(Refusal):
    """A path that leads nowhere in this gateway."""


@frozen
class NotSteerable(Refusal):
    """A child of the supervision tree that is not to be treated so."""

    reason: str


@frozen
class ChildNotRunning(Refusal):
    """What was asked needs a child that runs."""

    path: str
    state: str


@frozen
class NotStarted(Refusal):
    """A child of the supervision tree was to start, and could not."""

    reason: str


@frozen
class NodeAmbiguous(Refusal):
    """Several nodes have this name; `ids` says which."""

    name: str
    ids: str


@frozen
class Draining(Refusal):
    """The node hands its sessions over and ends: another is to be asked."""


@frozen
class NotReady(Refusal):
    """The gateway cannot serve this yet, or not now."""

    reason: str


@frozen
class TooManyListeners(Refusal):
    """So many WebSockets of this key or user listen already."""

    limit: int


@frozen
class UpstreamRefused(Refusal):
    """The loopback network's control API said no; `status` and `detail` are its own."""

    status: int
    detail: str
