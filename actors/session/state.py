"""The session's state machine: `advance(machine, input, now, policy)` decides, the actor acts on the effects.

    stopped → starting → pairing → starting → connected ⇄ reconnecting
                  └─ logged_out | restricted | failed end a run; `StartAsked` begins the next one

No clock, no I/O: it draws on the policy's chance and starts alone. Times are seconds of one monotonic clock;
`due` is when `Due` has to be fed next.
What the user wants (`desired`) is kept apart from what is (`state`).
"""

from enum import StrEnum
from random import Random
from typing import assert_never

from attrs import evolve, field, frozen

from actors.limiter import TokenBucket
from runtime import Backoff
from storage.rows import Desired


class SessionState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"  # a client is on its way to WhatsApp
    PAIRING = "pairing"  # a QR or pairing code is shown
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  # the link or the client was lost; coming back by itself
    LOGGED_OUT = "logged_out"  # unlinked: has to be paired again
    RESTRICTED = "restricted"  # banned by WhatsApp for a time
    FAILED = "failed"  # only the user can help


RUNNING_STATES = frozenset(
    {SessionState.STARTING, SessionState.PAIRING, SessionState.CONNECTED, SessionState.RECONNECTING}
)


def starts(per_second: int) -> TokenBucket:
    """How many paired clients of a node may be started in a second, the first of them at once."""
    return TokenBucket(60 * per_second, per_second)


@frozen(kw_only=True)
class Policy:
    """How long each step may take, in seconds, and how fast clients are started, also lost ones anew.

    Sessions that share a policy share its `starts`: when many are to come back at once, they do so in turn.
    """

    starts: TokenBucket = field(factory=lambda: starts(20))
    start_window: float = 60.0  # from a client's start to its login or first code
    pairing_window: float = 180.0  # one round of QR codes: 60 s and 5 times 20 s, and some grace
    pairing_rounds: int = 5
    settling: float = 3.0  # what a new device gets to receive its keys and settings before it moves
    reconnect_window: float = 90.0  # what the library gets to come back by itself
    restricted_retry: float = 3600.0  # when WhatsApp did not say how long
    backoff: Backoff = field(factory=lambda: Backoff(min=0.2, max=60.0, factor=2.0, jitter=0.5))
    stable_after: float = 30.0  # connected for this long, earlier failures are forgotten
    rng: Random = field(factory=Random)


@frozen(kw_only=True)
class Machine:
    """Where a session stands."""

    state: SessionState
    desired: Desired
    paired: bool  # device keys are stored
    hosted: bool = False  # a client exists, is being started or waits for its turn
    disposable: bool = False  # the client was started to pair: its cell serves no other session
    failures: int = 0  # clients lost in a row
    rounds: int = 0  # rounds of QR codes that nobody scanned
    connected_at: float | None = None
    due: float | None = None
    error: str | None = None


# ── inputs ──────────────────────────────────────────────────────────────────────────────────────────────


@frozen
class Begin:
    """The actor came up."""


@frozen
class StartAsked:
    """The user wants the session to run."""


@frozen
class StopAsked:
    """The user wants the session to stay away."""


@frozen
class LeaveAsked:
    """The session goes on elsewhere: what is wanted of it stays as it is."""


@frozen
class RestartAsked:
    """The user wants a new client."""


@frozen
class LogoutAsked:
    """The device is unlinked by us, or is to be forgotten."""


@frozen
class CodeShown:
    """A QR or pairing code is there to be used."""


@frozen
class PairingDone:
    """The phone accepted; the login with the new keys follows."""


@frozen
class LinkUp:
    """WhatsApp accepted the login."""


@frozen
class LinkDown:
    """The connection broke; the library tries again by itself."""

    reason: str


@frozen
class ClientEnded:
    """The client is gone, or is worth nothing any more."""

    reason: str


@frozen
class LoggedOutRemotely:
    """WhatsApp unlinked this device."""

    reason: str


@frozen
class Banned:
    """WhatsApp restricts the account for `seconds`, if it said how long."""

    reason: str
    seconds: float | None


@frozen
class Refused:
    """An end that trying again will not mend: replaced by another login, or a client too old."""

    reason: str


@frozen
class Due:
    """`Machine.due` has come."""


Input = (
    Begin
    | StartAsked
    | StopAsked
    | LeaveAsked
    | RestartAsked
    | LogoutAsked
    | CodeShown
    | PairingDone
    | LinkUp
    | LinkDown
    | ClientEnded
    | LoggedOutRemotely
    | Banned
    | Refused
    | Due
)

# ── effects, to be carried out in order ─────────────────────────────────────────────────────────────────


@frozen
class Attach:
    """Start a client: for pairing in a cell of its own, otherwise in a shared one."""

    pairing: bool
    wait: float = 0.0
    """Seconds until it is its turn."""


@frozen
class Detach:
    """End the client, if there is one."""


@frozen
class ForgetDevice:
    """Delete the device's keys."""


Effect = Attach | Detach | ForgetDevice
Step = tuple[Machine, tuple[Effect, ...]]


def advance(machine: Machine, event: Input, now: float, policy: Policy) -> Step:
    """What the session is after this input, and what is to be done. An input out of place changes nothing."""
    m = machine
    match event:
        case Begin():
            resumes = m.desired is Desired.RUNNING and m.state not in {
                SessionState.LOGGED_OUT,
                SessionState.FAILED,
            }
            return _attach(m, now, policy) if resumes else (m, ())
        case StartAsked():
            if m.state in RUNNING_STATES:
                return evolve(m, desired=Desired.RUNNING), ()
            return _attach(evolve(m, desired=Desired.RUNNING, failures=0, rounds=0, error=None), now, policy)
        case StopAsked():
            return _ended(evolve(m, desired=Desired.STOPPED, error=None), SessionState.STOPPED)
        case LeaveAsked():
            if m.state not in RUNNING_STATES:
                return m, ()
            state = SessionState.RECONNECTING if m.paired else SessionState.STARTING
            return _ended(evolve(m, error="moving to another node"), state)
        case RestartAsked():
            away, effects = _ended(m, SessionState.STARTING)
            back, more = _attach(
                evolve(away, desired=Desired.RUNNING, failures=0, rounds=0, error=None), now, policy
            )
            return back, effects + more
        case LogoutAsked():
            return _forgotten(m, None)
        case CodeShown():
            if m.state is not SessionState.STARTING or m.paired:
                return m, ()  # the next code of the same round moves nothing
            return evolve(m, state=SessionState.PAIRING, due=now + policy.pairing_window, error=None), ()
        case PairingDone():
            if not m.hosted or m.paired:
                return m, ()
            return evolve(
                m, state=SessionState.STARTING, paired=True, rounds=0, due=now + policy.start_window
            ), ()
        case LinkUp():
            return _linked(m, now, policy)
        case LinkDown(reason=reason):
            if m.state is not SessionState.CONNECTED:
                return m, ()
            m = evolve(_unstable(m, now, policy), state=SessionState.RECONNECTING, error=reason)
            return evolve(m, due=now + policy.reconnect_window), ()
        case ClientEnded(reason=reason):
            return _lost(m, reason, now, policy)
        case LoggedOutRemotely(reason=reason):
            return _forgotten(m, reason) if m.hosted else (m, ())
        case Banned(reason=reason, seconds=seconds):
            if not m.hosted:
                return m, ()
            m, effects = _ended(evolve(m, error=reason), SessionState.RESTRICTED)
            return evolve(m, due=now + (policy.restricted_retry if seconds is None else seconds)), effects
        case Refused(reason=reason):
            return _ended(evolve(m, error=reason), SessionState.FAILED) if m.hosted else (m, ())
        case Due():
            return _due(m, now, policy)
        case _:
            assert_never(event)


def _attach(m: Machine, now: float, policy: Policy) -> Step:
    if m.hosted:
        return m, ()
    back = m.state is SessionState.RECONNECTING and m.paired
    state = SessionState.RECONNECTING if back else SessionState.STARTING
    wait = policy.starts.reserve(now) if m.paired else 0.0  # somebody sits before one that is to be paired
    m = evolve(m, state=state, hosted=True, disposable=not m.paired, due=now + wait + policy.start_window)
    return m, (Attach(pairing=not m.paired, wait=wait),)


def _ended(m: Machine, state: SessionState) -> Step:
    effects: tuple[Effect, ...] = (Detach(),) if m.hosted else ()
    return evolve(m, state=state, hosted=False, disposable=False, connected_at=None, due=None), effects


def _forgotten(m: Machine, reason: str | None) -> Step:
    m, effects = _ended(evolve(m, paired=False, error=reason), SessionState.LOGGED_OUT)
    return m, (*effects, ForgetDevice())


def _linked(m: Machine, now: float, policy: Policy) -> Step:
    if not m.hosted or not m.paired:
        return m, ()
    if not m.disposable:
        return evolve(m, state=SessionState.CONNECTED, connected_at=now, due=None, error=None), ()
    if m.connected_at is not None:
        return m, ()
    # Paired and proven. What the phone sends a new device may still be on its way: then to a shared cell.
    return evolve(m, connected_at=now, due=now + policy.settling), ()


def _unstable(m: Machine, now: float, policy: Policy) -> Machine:
    stable = m.connected_at is not None and now - m.connected_at >= policy.stable_after
    return evolve(m, failures=0 if stable else m.failures, connected_at=None)


def _lost(m: Machine, reason: str, now: float, policy: Policy) -> Step:
    if not m.hosted:
        return m, ()
    if not m.paired and m.rounds + 1 >= policy.pairing_rounds and m.state is SessionState.PAIRING:
        return _ended(evolve(m, error=reason), SessionState.FAILED)
    m = _unstable(m, now, policy)
    rounds = m.rounds + (m.state is SessionState.PAIRING)
    state = SessionState.RECONNECTING if m.paired else SessionState.STARTING
    m, effects = _ended(evolve(m, error=reason, rounds=rounds), state)
    wait = policy.backoff.delay(m.failures, policy.rng)
    return evolve(m, failures=m.failures + 1, due=now + wait), effects


def _due(m: Machine, now: float, policy: Policy) -> Step:
    if m.due is None or now < m.due:
        return m, ()
    if not m.hosted:
        return _attach(m, now, policy)
    match m.state:
        case SessionState.STARTING if m.disposable and m.connected_at is not None:
            m, effects = _ended(m, SessionState.STARTING)
            m, more = _attach(m, now, policy)
            return m, effects + more
        case SessionState.STARTING:
            return _lost(m, "WhatsApp did not answer in time", now, policy)
        case SessionState.PAIRING:
            return _lost(m, "the pairing code was not used in time", now, policy)
        case SessionState.RECONNECTING:
            return _lost(m, m.error or "the connection did not come back", now, policy)
        case _:
            return evolve(m, due=None), ()
