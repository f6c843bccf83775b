"""What a sink needs of a message broker, and how it says that something went wrong."""

from typing import Protocol

from storage import Event


class BrokerFailed(Exception):
    """The broker has not said that it has an event; why, in words without an address."""


class Broker(Protocol):
    """A connection to a broker, made when it is needed; all of it within one asyncio loop."""

    async def publish(self, event: Event, body: bytes) -> None:
        """Return when the broker has the event for good. Raises BrokerFailed."""

    async def close(self) -> None:
        """Let go of the connection, if there is one. Raises nothing."""


def filled(template: str, event: Event) -> str:
    """A subject or routing key, with `{sessionId}` and `{event}` filled in."""
    return template.replace("{sessionId}", event.session_id).replace("{event}", event.event)
