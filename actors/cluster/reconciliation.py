"""What a node does about the sessions that the database says are its own: decided, not done."""

from collections.abc import Mapping

from attrs import frozen

__all__ = ["Reconciliation", "reconcile"]


@frozen
class Reconciliation:
    """What is to be done; each session is in one of them at most."""

    stop: frozenset[str]
    """Running here and not ours, or ours again under another epoch: stopped now, started by a later look."""
    start: Mapping[str, int]
    """Ours and not running: the epoch under which each is to write."""
    retake: Mapping[str, int]
    """Ours still, but perhaps being given away: to be handed over from this epoch to this very node."""


def reconcile(
    owned: Mapping[str, int], running: Mapping[str, int], given: Mapping[str, int]
) -> Reconciliation:
    """Compare what the database said (`owned`) with what runs here, each by its epoch.

    `given` is the highest epoch from which a handing over was ever begun, of each session: noted before its
    statement is sent and kept for as long as the node has its id, whatever came of it. Such an epoch is never
    started again. That an answer was lost does not tell that the statement will not be carried out: it may be
    waiting for a lock, or on its way, and then another node would start what was started here again. Nor does
    an answer to a question from before tell how things are now. To take the session under its next epoch
    settles that: only one of the two statements can find the epoch that both ask for.
    """
    start: dict[str, int] = {}
    retake: dict[str, int] = {}
    for session, epoch in owned.items():
        if session not in running:
            (retake if epoch <= given.get(session, -1) else start)[session] = epoch
    stop = frozenset(session for session, epoch in running.items() if owned.get(session) != epoch)
    return Reconciliation(stop, start, retake)
