"""All that is counted: an object for each part, which whoever puts the gateway together hands to that part.

They are plain numbers. Whoever counts knows of no metrics, and whoever reads them asks nobody.
"""

from collections import Counter

from attrs import define, field, frozen

from actors.cells import CellStats
from actors.decoding import DecoderStats
from actors.delivery import DeliveryStats
from actors.hub import HubStats
from actors.media.stats import MediaStats
from actors.session.stats import AllSessionStats
from runtime import Histogram, LoopLag
from storage import WriterStats

_CALLED = ("storage", "hub", "sessions")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS"})


@define(eq=False)
class HttpStats:
    """The requests that were answered. Whatever a client may send, there are only so many names."""

    requests: Counter[tuple[str, str, int]] = field(factory=Counter)
    """By method, route and status."""
    seconds: dict[tuple[str, ...], Histogram] = field(factory=dict)
    """By method and route; not of WebSockets, which stay."""

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request, or a WebSocket (`WS`), is over; `route` is its pattern."""
        method = method if method in _METHODS else "other"
        self.requests[method, route, status] += 1
        if method != "WS":
            self.seconds.setdefault((method, route), Histogram(_SECONDS)).observe(seconds)


@frozen(kw_only=True)
class Stats:
    """What the parts of one gateway count."""

    calls: dict[str, Histogram] = field(factory=lambda: {part: Histogram(_SECONDS) for part in _CALLED})
    """How long callers waited for actors, by the part of the tree that these belong to."""
    loop: LoopLag = field(factory=LoopLag)
    storage: WriterStats = field(factory=WriterStats)
    sessions: AllSessionStats = field(factory=AllSessionStats)
    cells: CellStats = field(factory=CellStats)
    hub: HubStats = field(factory=HubStats)
    webhooks: DeliveryStats = field(factory=DeliveryStats)
    media: MediaStats = field(factory=MediaStats)
    decoders: DecoderStats = field(factory=DecoderStats)
    http: HttpStats = field(factory=HttpStats)
