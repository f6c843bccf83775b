"""The message brokers of the configuration, as the sinks take them."""

from collections.abc import Mapping

from actors.sinks import Broker, SinkSpec
from api.config import NatsSink, RabbitMqSink, Sink


def sink_specs(sinks: Mapping[str, Sink]) -> tuple[SinkSpec, ...]:
    """Each with what makes its client; the clients' libraries are loaded only where one is wanted."""
    return tuple(_spec(name, sink) for name, sink in sinks.items())


def _spec(name: str, sink: Sink) -> SinkSpec:
    def made() -> Broker:
        match sink:
            case NatsSink():
                from actors.sinks.jetstream import JetStream  # noqa: PLC0415 - takes half a second to load

                return JetStream(sink.url, sink.subject, sink.timeout)
            case RabbitMqSink():
                from actors.sinks.rabbitmq import RabbitMq  # noqa: PLC0415 - as above

                return RabbitMq(sink.url, sink.exchange, sink.routing_key, sink.timeout)

    return SinkSpec(
        name=name,
        kind=sink.kind,
        target=_target(sink),
        sessions=sink.sessions,
        events=sink.events,
        broker=made,
        timeout=sink.timeout,
        backoff=sink.backoff.policy(),
    )


def _target(sink: Sink) -> str:
    match sink:
        case NatsSink(subject=subject):
            return subject
        case RabbitMqSink(exchange=exchange, routing_key=routing_key):
            return f"{exchange}: {routing_key}"
