"""NATS JetStream as a broker: an event has arrived when a stream has stored it, once for each id."""

import asyncio

from attrs import define, field
from nats.aio.client import Client
from nats.errors import Error, MaxPayloadError, NoServersError
from nats.js.errors import NoStreamResponseError

from actors.sinks.broker import BrokerFailed, filled
from storage import Event


@define(eq=False)
class JetStream:
    """Publishes to subjects that a stream takes. What soon comes again the server knows by its id."""

    url: str = field(repr=False)
    """May carry a user and password or a token; several servers stand between commas."""
    subject: str
    """With `{sessionId}` and `{event}`."""
    timeout: float
    _client: Client | None = field(init=False, default=None)
    _connecting: asyncio.Lock = field(init=False, factory=asyncio.Lock)

    async def publish(self, event: Event, body: bytes) -> None:
        try:
            client = await self._connected()
            await client.jetstream().publish(
                filled(self.subject, event),
                body,
                timeout=self.timeout,
                headers={"Nats-Msg-Id": event.event_id},
            )
        except NoStreamResponseError:
            raise BrokerFailed("no stream takes its subject") from None
        except MaxPayloadError:
            raise BrokerFailed("larger than the broker takes") from None
        except (Error, OSError) as error:
            await self.close()  # whatever it says of itself: it may be half open
            raise BrokerFailed(_words(error)) from None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _close(client)

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None or not self._client.is_connected:
                await self.close()
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Client:
        client = Client()
        try:
            # It neither persists nor comes back by itself: when to try again is decided elsewhere.
            await asyncio.wait_for(
                client.connect(
                    self.url.split(","),
                    name="terzetto",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=max(1, round(self.timeout)),
                    error_cb=_known_by_what_fails,
                ),
                2 * self.timeout,
            )
        except BaseException:
            await _close(client)  # it would leave its socket open
            raise
        return client


async def _close(client: Client) -> None:
    try:
        await asyncio.wait_for(client.close(), 1)
    except (Error, OSError, TimeoutError):
        return  # it is gone either way


async def _known_by_what_fails(_: Exception) -> None:
    """The library would log it, with the address."""


def _words(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case NoServersError() | OSError():
            return "no connection"
        case _:
            return type(error).__name__
