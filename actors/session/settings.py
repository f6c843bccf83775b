"""The settings of one session: what its row carries, over the gateway's defaults."""

from enum import StrEnum
from pathlib import Path

from attrs import field, frozen

from actors.keys import DeviceStore, FileDevices, PostgresDevices
from actors.session.ignoring import Ignored
from actors.session.state import Policy
from storage.rows import Json


@frozen(kw_only=True)
class Limits:
    """How fast a session may send."""

    per_minute: int = 10
    burst: int = 10
    queue: int = 256  # sends waiting in the session for their turn
    new_chats_per_day: int | None = None  # chats that begin with a message of ours; None: any number


@frozen(kw_only=True)
class SessionConfig:
    """What every session of this gateway shares. Raises BadConnectionString."""

    data: Path  # journals and devices in files lie beneath
    keys_dsn: str | None = field(default=None, repr=False)
    """The PostgreSQL that keeps the devices' keys, as the client library is to reach it; None: files do."""
    keys_name: str = "terzetto keys"
    """What its connections are called there."""
    limits: Limits = field(factory=Limits)
    policy: Policy = field(factory=Policy)
    liveness_window: float = 300.0  # seconds without a sign of life before one is asked for
    probe_timeout: float = 20.0  # seconds for WhatsApp's answer to that
    send_timeout: float = 80.0  # seconds; the client library itself gives up after 75
    queued_max: int = 10_000  # messages of a session that may wait to be sent
    stranger_lock: float = 24 * 3600.0  # seconds without new chats, after WhatsApp refused one

    devices: DeviceStore = field(init=False, repr=False)

    @devices.default
    def _devices(self) -> DeviceStore:
        if self.keys_dsn is None:
            return FileDevices(self.data / "devices")
        return PostgresDevices(self.keys_dsn, self.keys_name)

    @property
    def journals(self) -> Path:
        return self.data / "journal"

    def journal(self, session_id: str, epoch: int | None = None) -> Path:
        """Of a session's client; with many nodes, of its time here under an epoch."""
        folder = self.journals / session_id
        return folder if epoch is None else folder / str(epoch)


@frozen(kw_only=True)
class CallRejection:
    """Calls are declined as they come in."""

    message: str | None = field(default=None, repr=False)
    """A text that is then sent to the caller."""


class HistoryDepth(StrEnum):
    """How much of the past is stored that the phone hands over when it is linked."""

    NONE = "none"
    RECENT = "recent"
    FULL = "full"
    """As much as the phone gives, which may be years."""

    @property
    def wanted(self) -> bool:
        return self is not HistoryDepth.NONE


@frozen(kw_only=True)
class SessionSettings:
    """What the user chose for one session."""

    device_name: str = "Terzetto"
    proxy: str | None = field(default=None, repr=False)  # may carry a password
    auto_read: bool = False
    auto_reject_calls: CallRejection | None = None
    history: HistoryDepth = HistoryDepth.RECENT
    ignored: Ignored = field(factory=Ignored)
    limits: Limits = field(factory=Limits)


def settings_of(stored: Json, config: SessionConfig) -> SessionSettings:
    """The settings in a session's row; what it leaves out is the gateway's default."""
    limits = stored.get("limits") or {}
    ignore = stored.get("ignore") or {}
    defaults = config.limits
    per_minute = limits.get("perMinute", defaults.per_minute)
    return SessionSettings(
        device_name=stored.get("deviceName") or "Terzetto",
        proxy=stored.get("proxy"),
        auto_read=bool(stored.get("autoRead", False)),
        auto_reject_calls=_call_rejection(stored.get("autoRejectCalls")),
        history=HistoryDepth(stored.get("history") or HistoryDepth.RECENT),
        ignored=Ignored(
            groups=ignore.get("groups", False),
            channels=ignore.get("channels", False),
            status=ignore.get("status", False),
            broadcasts=ignore.get("broadcasts", False),
            chats=ignore.get("chats", ()),
        ),
        limits=Limits(
            per_minute=per_minute,
            burst=limits.get(
                "burst", min(defaults.burst, per_minute) if "perMinute" in limits else defaults.burst
            ),
            queue=defaults.queue,
            new_chats_per_day=limits.get("newChatsPerDay", defaults.new_chats_per_day),
        ),
    )


def _call_rejection(stored: Json | bool | None) -> CallRejection | None:
    """`true`, or an object with the text to answer with."""
    if not stored:
        return None
    return CallRejection(message=stored.get("message") if isinstance(stored, dict) else None)
