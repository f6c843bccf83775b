"""Message brokers that are told of events beside webhooks, with the same cursor and the same promise.

    events table ── Courier ── Publishing ──┊── asyncio in a thread ── JetStream | RabbitMq ──> the broker
                                      Trio  ┊  one of each for each sink

A sink is an entry of the configuration: it has a child in the tree, a row for its progress, and no more.
"""

from actors.sinks.broker import Broker, BrokerFailed
from actors.sinks.sinks import Sinks, SinkSpec
from actors.sinks.stats import SinkStats

__all__ = ["Broker", "BrokerFailed", "SinkSpec", "SinkStats", "Sinks"]
