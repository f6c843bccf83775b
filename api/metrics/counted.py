"""What the parts count by themselves, and what their processes take."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client import Metric

from actors.cells import Cell, CellStats
from actors.cluster.cluster import Cluster
from actors.decoding import DecoderStats
from actors.delivery import DeliveryStats
from actors.hub import HubStats
from actors.media.stats import MediaStats
from actors.sinks import Sinks
from api.metrics.families import Labelled, counter, gauge, histogram
from api.stats import HttpStats
from runtime import DeadLetters, Histogram, LoopLag
from storage import WriterStats

_REASONS = ("gone", "full", "dropped")


def node(cluster: Cluster | None) -> Iterator[Metric]:
    """Nothing but their names where a gateway shares with no other."""
    of_this: dict[str, float] = {}
    if cluster is not None:
        of_this = {
            "lease": max(0.0, cluster.leash.until - time.monotonic()),
            "sessions": len(cluster.sessions.epochs),
            "unowned": cluster.unowned,
            "draining": cluster.unready == "draining",
        }

    def of(what: str) -> Labelled:
        return {(): of_this[what]} if of_this else {}

    yield gauge(
        "node_lease_seconds",
        "For how long this node may still have what it has unless it renews its lease; 0: it has nothing.",
        of("lease"),
    )
    yield gauge("node_sessions_held", "Sessions that run on this node.", of("sessions"))
    yield gauge("node_draining", "1 while this node hands over what it has, to end.", of("draining"))
    yield gauge("sessions_unowned", "Sessions that no node had when this one looked last.", of("unowned"))


def runtime(letters: DeadLetters, calls: dict[str, Histogram], loop: LoopLag) -> Iterator[Metric]:
    yield counter(
        "dead_letters_total",
        "Messages that reached no actor: it was gone, its mailbox was full, or they were dropped from it.",
        {(reason,): letters.by_reason[reason] for reason in _REASONS},
        "reason",
    )
    yield histogram(
        "call_seconds",
        "How long callers waited for an actor of a part, however that ended.",
        {(part,): each for part, each in calls.items()},
        "part",
    )
    yield histogram(
        "loop_turn_seconds",
        "Turns of the event loop: how long a task that is ready may have to wait.",
        loop.turns,
    )


def storage(stats: WriterStats) -> Iterator[Metric]:
    yield counter("storage_commits_total", "Transactions committed.", stats.commits)
    yield counter("storage_writes_total", "Writes committed.", stats.writes)
    yield counter(
        "storage_refused_total",
        "Writes that the database will never take, through a fault of ours.",
        stats.refused,
    )
    yield counter("storage_failed_tries_total", "Tries to commit that the database failed.", stats.failed)
    yield gauge(
        "storage_failures_in_a_row", "Such tries since the last commit; 0: it is well.", stats.failures
    )
    yield gauge("storage_waiting", "Writes taken in and not committed yet.", stats.waiting)
    yield histogram("storage_batch_writes", "Writes in a transaction.", stats.batches)
    yield histogram(
        "storage_commit_seconds",
        "How long a transaction took until it was committed, failed tries included.",
        stats.seconds,
    )


def cells(stats: CellStats, running: Iterable[Cell], most: int, memory_limit: int) -> Iterator[Metric]:
    """`most` cells have series of their own."""
    memory: defaultdict[tuple[str, ...], float] = defaultdict(float)
    clients: defaultdict[tuple[str, ...], float] = defaultdict(float)
    kinds: dict[tuple[str, ...], float] = {("shared",): 0, ("pairing",): 0}
    for cell in running:
        kind = "shared" if cell.shared else "pairing"
        kinds[kind,] += 1
        # A cell for pairing is named after its session.
        label = (kind if not cell.shared else cell.id if kinds[kind,] <= most else "other",)
        memory[label] += cell.memory
        clients[label] += cell.clients
    yield gauge("cells", "Cells that run, by what they are for.", kinds, "kind")
    yield gauge(
        "cell_resident_memory_bytes",
        "Resident memory of a cell; of those for pairing together.",
        memory,
        "cell",
    )
    yield gauge("cell_clients", "Clients in a cell; in those for pairing together.", clients, "cell")
    yield gauge("cell_memory_limit_bytes", "Memory above which a cell is retired.", memory_limit)
    yield counter("cells_started_total", "Cells that became ready.", stats.started)
    yield counter("cells_died_total", "Cells that ended without having been asked to.", stats.died)
    yield counter("cells_retired_total", "Cells whose sessions were handed over.", stats.retired)
    yield counter("cell_clients_started_total", "Clients that were to start in a cell.", stats.clients)


def hub(stats: HubStats) -> Iterator[Metric]:
    yield gauge("hub_listeners", "WebSockets that listen to live events.", stats.listeners)
    yield counter("hub_events_total", "Events published.", stats.events)
    yield counter("hub_cut_offs_total", "Listeners cut off because they fell behind.", stats.cut_offs)


def webhooks(stats: DeliveryStats) -> Iterator[Metric]:
    yield counter(
        "webhook_deliveries_total",
        "Events delivered to webhooks; tries that failed; events given up after many tries.",
        {
            ("delivered",): stats.delivered,
            ("failed",): stats.failed,
            ("given_up",): stats.given_up,
        },
        "outcome",
    )
    yield histogram("webhook_seconds", "How long a try to deliver took, whatever came of it.", stats.seconds)


def sinks(sinks: Sinks | None) -> Iterator[Metric]:
    counts = {} if sinks is None else sinks.stats
    lags = {} if sinks is None else {name: sinks.lag(name) for name in sinks.stats}
    yield counter(
        "sink_events_total",
        "Events that a message broker has; tries that it did not acknowledge.",
        {
            (name, outcome): count
            for name, stats in counts.items()
            for outcome, count in (("published", stats.published), ("failed", stats.failed))
        },
        "sink",
        "outcome",
    )
    yield gauge(
        "sink_lag",
        "Events that wait for a message broker; absent while that is not known.",
        {(name,): lag for name, lag in lags.items() if lag is not None},
        "sink",
    )


def media(stats: MediaStats, decoders: DecoderStats) -> Iterator[Metric]:
    yield counter(
        "media_fetches_total",
        "Files and pages that were to be fetched from URLs.",
        {(outcome,): stats.fetches[outcome] for outcome in ("fetched", "failed", "forbidden")},
        "outcome",
    )
    yield counter(
        "media_downloads_total",
        "Files of messages that were to be downloaded; those that WhatsApp has no longer are gone.",
        {(outcome,): stats.downloads[outcome] for outcome in ("downloaded", "gone", "failed")},
        "outcome",
    )
    yield gauge("decoder_workers", "Processes that convert files.", decoders.workers)
    yield gauge("decoder_files", "Files being converted.", decoders.busy)
    yield gauge("decoder_waiting", "Files waiting to be converted.", decoders.waiting)
    yield counter(
        "decoder_jobs_total",
        "Files that were to be converted: refused are those that cannot be, failed those that a process died"
        " of, and turned away those that were too many.",
        {
            ("refused",): decoders.refused,
            ("failed",): decoders.failures,
            ("turned_away",): decoders.turned_away,
            ("converted",): decoders.jobs - decoders.refused - decoders.failures - decoders.busy,
        },
        "outcome",
    )
    yield counter("decoder_seconds_total", "Time spent on converting files.", decoders.seconds)
    yield counter("decoder_restarts_total", "Processes that ended unasked or were killed.", decoders.restarts)


def http(stats: HttpStats) -> Iterator[Metric]:
    yield counter(
        "http_requests_total",
        "Requests answered, and WebSockets (WS) ended, by the pattern of their route; - where there is none.",
        {(method, route, str(status)): count for (method, route, status), count in stats.requests.items()},
        "method",
        "route",
        "status",
    )
    yield histogram(
        "http_request_seconds",
        "How long requests took until their answer was ready; not of WebSockets.",
        stats.seconds,
        "method",
        "route",
    )
