"""All metrics of a gateway, in a registry of its own."""

from collections.abc import Callable, Iterable, Iterator

from attrs import define, field
from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.registry import Collector

from actors.cells import Cell
from actors.cluster.cluster import Cluster
from actors.sinks import Sinks
from api.metrics import counted
from api.metrics.families import gauge
from api.metrics.parts import Parts
from api.metrics.sessions import Sessions
from api.stats import Stats
from runtime import Supervisor
from storage import Key


@define(eq=False, kw_only=True)
class Metrics(Collector):
    """Reads what there is at the moment of asking, in trio's thread."""

    version: str
    root: Supervisor
    stats: Stats
    sinks: Sinks | None = None
    """None: there are none."""
    cluster: Cluster | None = None
    """None: this gateway shares with no other."""
    cells: Callable[[], Iterable[Cell]] = tuple
    """Those that run."""
    cell_memory_limit: int = 0
    """Bytes above which a cell is retired."""
    open: bool = False
    """Whether everybody may read them."""
    registry: CollectorRegistry = field(init=False)
    """These metrics, and those of the process, its garbage collector and its interpreter."""
    scrapers: dict[bytes, Key] = field(init=False, repr=False, factory=dict)
    """The keys that were good when the database was last asked, by their hash."""
    _parts: Parts = field(init=False, factory=Parts)
    _sessions: Sessions = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sessions = Sessions(self.stats.sessions)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)

    def collect(self) -> Iterator[Metric]:
        tree, stats = self.root.tree(), self.stats
        yield gauge("build_info", "1, with the version that runs.", {(self.version,): 1}, "version")
        yield from self._parts.metrics(tree)
        yield from counted.node(self.cluster)
        yield from counted.runtime(self.root.dead_letters, stats.calls, stats.loop)
        yield from self._sessions.metrics(tree)
        yield from counted.storage(stats.storage)
        yield from counted.cells(stats.cells, self.cells(), stats.sessions.most, self.cell_memory_limit)
        yield from counted.hub(stats.hub)
        yield from counted.webhooks(stats.webhooks)
        yield from counted.sinks(self.sinks)
        yield from counted.media(stats.media, stats.decoders)
        yield from counted.http(stats.http)
