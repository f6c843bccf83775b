"""What the supervision tree shows of its parts, the children of the root, with all that is below each."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from attrs import define, field
from prometheus_client import Metric

from api.metrics.families import Total, counter, gauge
from runtime import MailboxStats, State, TreeNode


@define(eq=False)
class Parts:
    """Remembers what it saw, for the sums of counters whose owners are gone."""

    _restarts: defaultdict[str, Total] = field(init=False, factory=lambda: defaultdict(Total))
    _dropped: defaultdict[str, Total] = field(init=False, factory=lambda: defaultdict(Total))

    def metrics(self, tree: TreeNode) -> Iterator[Metric]:
        below = {part.id: tuple(_below(part)) for part in tree.children}
        yield gauge(
            "part_running",
            "1 while this part of the tree runs, else 0.",
            {(part.id,): part.state is State.RUNNING for part in tree.children},
            "part",
        )
        yield counter(
            "restarts_total",
            "Restarts, by their supervisor, of a part and of all below it.",
            {
                (part.id,): self._restarts[part.id].of(
                    {"": part.restarts} | {node.id: node.restarts for node in below[part.id]}
                )
                for part in tree.children
            },
            "part",
        )
        workers = {part.id: below[part.id] or (part,) for part in tree.children}
        states = {part: Counter(node.state for node in nodes) for part, nodes in workers.items()}
        yield gauge(
            "actors",
            "Actors and other workers of a part, by state.",
            {(part, state): found[state] for part, found in states.items() for state in State},
            "part",
            "state",
        )
        yield gauge(
            "message_in_hand_seconds",
            "The longest that an actor of a part has had one message in hand; it grows while one is stuck.",
            {
                (part,): max((node.message_age or 0.0 for node in nodes), default=0.0)
                for part, nodes in workers.items()
            },
            "part",
        )
        yield from self._mailboxes(
            {
                part: {node.id: node.mailbox for node in nodes if node.mailbox is not None}
                for part, nodes in workers.items()
            }
        )

    def _mailboxes(self, parts: dict[str, dict[str, MailboxStats]]) -> Iterator[Metric]:
        yield gauge(
            "mailbox_depth",
            "Messages that wait in the mailboxes of a part, senders waiting for room included.",
            {(part,): sum(each.depth for each in some.values()) for part, some in parts.items()},
            "part",
        )
        yield gauge(
            "mailbox_peak",
            "The most messages that ever lay in one mailbox of a part.",
            {(part,): max((each.peak for each in some.values()), default=0) for part, some in parts.items()},
            "part",
        )
        yield gauge(
            "mailbox_oldest_seconds",
            "How long the oldest message has waited in a mailbox of a part.",
            {
                (part,): max((each.oldest_age or 0.0 for each in some.values()), default=0.0)
                for part, some in parts.items()
            },
            "part",
        )
        yield counter(
            "mailbox_dropped_total",
            "Messages that had to make room for younger ones in a mailbox of a part.",
            {
                (part,): self._dropped[part].of({id_: each.dropped for id_, each in some.items()})
                for part, some in parts.items()
            },
            "part",
        )


def _below(node: TreeNode) -> Iterator[TreeNode]:
    """All that is below a node, but for supervisors."""
    for child in node.children:
        yield from _below(child) if child.children else (child,)
