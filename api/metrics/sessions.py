"""What is known of sessions: of those that count for themselves one by one, and of all others together."""

from collections import Counter
from collections.abc import Callable, Iterator

from attrs import define, field
from prometheus_client import Metric

from actors.session.state import SessionState
from actors.session.stats import OTHERS, AllSessionStats, SessionStats
from api.metrics.families import Labelled, Total, counter, gauge, histogram
from runtime import State, TreeNode

PART = "sessions"

_OUTCOMES = ("sent", "failed", "unknown", "refused", "withdrawn")
_LIMITS = ("rate", "queue")


@define(eq=False)
class Sessions:
    """Remembers what it saw, for the sums of counters whose owners are gone."""

    stats: AllSessionStats
    _restarts: Total = field(init=False, factory=Total)
    _dropped: Total = field(init=False, factory=Total)

    def metrics(self, tree: TreeNode) -> Iterator[Metric]:
        nodes = next((part.children for part in tree.children if part.id == PART), ())
        yield gauge("sessions", "Sessions, by state.", self._by_state(nodes), "state")
        yield from self._seen(nodes)
        yield from self._counted()

    def _state(self, node: TreeNode) -> SessionState:
        """The state that its actor said last, unless there is no actor any more."""
        match node.state:
            case State.STARTING | State.RESTARTING | State.BACKING_OFF:
                return SessionState.STARTING
            case State.FAILED:
                return SessionState.FAILED
            case State.STOPPED | State.ENDED | State.IGNORED:
                return SessionState.STOPPED
            case _:
                return self.stats.states.get(node.id, SessionState.STARTING)

    def _by_state(self, nodes: tuple[TreeNode, ...]) -> Labelled:
        found = Counter(self._state(node) for node in nodes)
        return {(state,): found[state] for state in SessionState}

    def _seen(self, nodes: tuple[TreeNode, ...]) -> Iterator[Metric]:
        own = [node for node in nodes if node.id in self.stats.own]
        others = [node for node in nodes if node.id not in self.stats.own]

        def each(read: Callable[[TreeNode], float], together: float) -> Labelled:
            return {**{(node.id,): read(node) for node in own}, (OTHERS,): together}

        def connected(node: TreeNode) -> float:
            return self._state(node) is SessionState.CONNECTED

        yield gauge(
            "session_connected",
            "1 while the session is connected to WhatsApp, else 0; of the others, how many are.",
            each(connected, sum(map(connected, others))),
            "session",
        )
        yield counter(
            "session_restarts_total",
            "Restarts of the session's actor.",
            each(_restarts, self._restarts.of({node.id: _restarts(node) for node in others})),
            "session",
        )
        yield gauge(
            "session_mailbox_depth",
            "Messages that wait in the session's mailbox.",
            each(_depth, sum(map(_depth, others))),
            "session",
        )
        yield gauge(
            "session_mailbox_peak",
            "The most messages that ever lay in the session's mailbox.",
            each(_peak, max(map(_peak, others), default=0)),
            "session",
        )
        yield counter(
            "session_mailbox_dropped_total",
            "Messages that had to make room for younger ones in the session's mailbox.",
            each(_dropped, self._dropped.of({node.id: _dropped(node) for node in others})),
            "session",
        )

    def _counted(self) -> Iterator[Metric]:
        counted: dict[str, SessionStats] = {**self.stats.own, OTHERS: self.stats.others}
        yield counter(
            "sends_total",
            "Messages to be sent, by outcome. Those refused or withdrawn were not given to WhatsApp.",
            {(id_, outcome): each.sends[outcome] for id_, each in counted.items() for outcome in _OUTCOMES},
            "session",
            "outcome",
        )
        yield counter(
            "limiter_refusals_total",
            "Sends refused because a limit was reached: of the rate, or of the queue.",
            {(id_, limit): each.limited[limit] for id_, each in counted.items() for limit in _LIMITS},
            "session",
            "limit",
        )
        yield counter(
            "received_total",
            "New messages from others.",
            {(id_,): each.received for id_, each in counted.items()},
            "session",
        )
        yield counter(
            "session_clients_started_total",
            "Clients started for the session: one for each attempt to connect, beyond those of the library.",
            {(id_,): each.clients for id_, each in counted.items()},
            "session",
        )
        yield histogram(
            "send_seconds",
            "How long WhatsApp took to acknowledge a message that it was given.",
            self.stats.acknowledged,
        )


def _restarts(node: TreeNode) -> float:
    return node.restarts


def _depth(node: TreeNode) -> float:
    return 0 if node.mailbox is None else node.mailbox.depth


def _peak(node: TreeNode) -> float:
    return 0 if node.mailbox is None else node.mailbox.peak


def _dropped(node: TreeNode) -> float:
    return 0 if node.mailbox is None else node.mailbox.dropped
