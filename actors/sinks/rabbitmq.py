"""RabbitMQ as a broker: an event has arrived when the broker confirmed it, in some queue and on its disk."""

import asyncio
import logging

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError, PublishError
from attrs import define, field

from actors.sinks.broker import BrokerFailed, filled
from storage import Event

# What goes wrong is told by the sink; the libraries' own lines quote addresses.
for _name in ("aio_pika", "aiormq"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@define(eq=False)
class RabbitMq:
    """Publishes persistent messages to an exchange; what no queue takes has not arrived."""

    url: str = field(repr=False)
    """May carry user and password, and the virtual host."""
    exchange: str
    """It must be there; empty: the default one, whose routing keys are the names of queues."""
    routing_key: str
    """With `{sessionId}` and `{event}`."""
    timeout: float
    _connection: AbstractConnection | None = field(init=False, default=None)
    _channel: AbstractChannel | None = field(init=False, default=None)
    _exchange: AbstractExchange | None = field(init=False, default=None)
    _connecting: asyncio.Lock = field(init=False, factory=asyncio.Lock)

    async def publish(self, event: Event, body: bytes) -> None:
        message = aio_pika.Message(
            body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=event.event_id,
            timestamp=event.occurred_at,
            type=event.event,
            app_id="terzetto",
        )
        try:
            exchange = await self._connected()
            await exchange.publish(
                message, filled(self.routing_key, event), mandatory=True, timeout=self.timeout
            )
        except PublishError:
            raise BrokerFailed("no queue takes its routing key") from None
        except DeliveryError:
            raise BrokerFailed("the broker refused it") from None
        except (AMQPError, OSError, RuntimeError) as error:
            await self.close()  # whatever it says of itself: it may be half open
            raise BrokerFailed(_words(error)) from None

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            try:
                await asyncio.wait_for(connection.close(), 1)
            except (AMQPError, OSError, RuntimeError, TimeoutError):
                return  # it is gone either way

    async def _connected(self) -> AbstractExchange:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                await self.close()
                self._connection = await aio_pika.connect(self.url, timeout=self.timeout)
            if self._channel is None or self._channel.is_closed or self._exchange is None:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = (
                    await self._channel.get_exchange(self.exchange, ensure=False)
                    if self.exchange
                    else self._channel.default_exchange
                )
            return self._exchange


def _words(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case OSError():  # the library's errors of connections are such too
            return "no connection"
        case ChannelNotFoundEntity():
            return "there is no such exchange"
        case _:
            return type(error).__name__
