"""What a client's event means for its session's state machine: a pure function."""

from actors.session.state import Banned, ClientEnded, Input, LinkDown, LinkUp, Refused
from actors.whatsapp import events as wa

# Said by the client library itself, not by WhatsApp.
_NO_SIGN_OF_LIFE = (
    wa.KeepAliveTimeout,
    wa.Disconnected,
    wa.LoopEnded,
    wa.JournalFull,
    wa.PairingEnded,
    wa.Unreadable,
)


def is_sign_of_life(event: wa.ClientEvent) -> bool:
    """Whether WhatsApp itself has just been heard of."""
    return not isinstance(event, _NO_SIGN_OF_LIFE)


def input_for(event: wa.ClientEvent) -> Input | None:
    """The machine's input for what counts only while the client that said it lives; None: no meaning."""
    match event:
        case wa.Connected() | wa.KeepAliveRestored():
            return LinkUp()
        case wa.Disconnected():
            return LinkDown("the connection to WhatsApp broke")
        case wa.KeepAliveTimeout():
            return LinkDown("WhatsApp does not answer")
        case wa.PairingEnded(reason=reason) if reason != "success":
            return ClientEnded(f"pairing ended: {reason}")
        case wa.PairingRefused(reason=reason):
            return ClientEnded(f"pairing refused: {reason}")
        case wa.ConnectFailure(reason=reason):
            return ClientEnded(f"WhatsApp refused the login: {reason}")
        case wa.LoopEnded(error=error):
            return ClientEnded(error or "the client's event loop ended")
        case wa.JournalFull():
            return ClientEnded("more was received than could be stored")
        case wa.TemporaryBan(reason=reason, expires_in=seconds):
            return Banned(reason, seconds or None)
        case wa.StreamReplaced():
            return Refused("another client logged in with this session's keys")
        case wa.ClientOutdated():
            return Refused("WhatsApp no longer accepts this version of the client library")
        case _:
            return None
