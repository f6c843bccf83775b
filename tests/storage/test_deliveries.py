"""What became of webhooks' events: stored, found again, and kept within bounds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from storage import (
    Append,
    Delete,
    Delivery,
    DeliveryStatus,
    Insert,
    NewEvent,
    StoreDelivery,
    TrimDeliveries,
    Update,
    Webhook,
)
from tests.storage.gateway import Gateway

AT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def delivery(event_id: str, minute: int = 0, **more: Any) -> Delivery:
    fields: dict[str, Any] = {
        "webhook_id": "w1",
        "event_id": event_id,
        "session_id": "s1",
        "event": "call",
        "status": "delivered",
        "attempts": 1,
        "first_attempt_at": AT,
        "last_attempt_at": AT + timedelta(minutes=minute),
        "latency_ms": 12,
        "response_status": 200,
        "response_body": "ok",
        "error": None,
    }
    return Delivery(**fields | more)


async def webhook(gateway: Gateway, webhook_id: str = "w1") -> None:
    await gateway.writer.call(Insert(Webhook(id=webhook_id, url="https://x", secret="s")))


async def listed(gateway: Gateway, **filters: Any) -> list[str]:
    return [each.event_id for each in (await gateway.reads.deliveries("w1", **filters)).items]


async def test_the_last_known_of_a_delivery_is_stored_also_within_a_batch(gateway: Gateway) -> None:
    await webhook(gateway)
    failed = delivery("e1", status="failing", response_status=503, error="status 503")
    await gateway.together(
        StoreDelivery(delivery("e1")), StoreDelivery(delivery("e2")), StoreDelivery(failed)
    )
    assert await gateway.reads.delivery("w1", "e1") == failed
    assert await gateway.reads.failing("w1") == [failed]
    written = await gateway.together(StoreDelivery(delivery("e1")))
    assert written.applied
    assert await gateway.reads.failing("w1") == []
    assert await gateway.reads.delivery("w1", "e9") is None


async def test_deliveries_go_with_their_webhook_and_late_ones_harm_nothing(gateway: Gateway) -> None:
    await webhook(gateway)
    await gateway.together(StoreDelivery(delivery("e1")), Delete(Webhook, "w1"))
    written = await gateway.together(
        Append("s1", ()), StoreDelivery(delivery("e2")), StoreDelivery(delivery("e3"))
    )
    assert not written.applied
    assert await listed(gateway) == []


async def test_deliveries_are_listed_by_outcome_the_last_tried_first(gateway: Gateway) -> None:
    await webhook(gateway)
    rows = [delivery(f"e{n}", minute=n, status="dead" if n % 2 else "delivered") for n in (0, 1, 2, 3, 4)]
    await gateway.together(*map(StoreDelivery, rows))
    assert await listed(gateway) == ["e4", "e3", "e2", "e1", "e0"]
    assert await listed(gateway, status=[DeliveryStatus.DEAD]) == ["e3", "e1"]
    page = await gateway.reads.deliveries("w1", limit=3)
    assert page.cursor is not None
    assert await listed(gateway, cursor=page.cursor) == ["e1", "e0"]


async def test_trimming_keeps_the_newest_of_each_outcome_and_nothing_that_is_old(
    gateway: Gateway,
) -> None:
    await webhook(gateway)
    await webhook(gateway, "w2")
    rows = [
        delivery(f"{s}{n}", minute=n, status=s) for s in ("delivered", "dead", "failing") for n in range(5)
    ]
    await gateway.together(*map(StoreDelivery, rows), StoreDelivery(delivery("other", webhook_id="w2")))
    await gateway.together(TrimDeliveries(webhook_id="w1", keep=3, before=AT - timedelta(days=1)))
    assert await listed(gateway, status=[DeliveryStatus.DELIVERED]) == [f"delivered{n}" for n in (4, 3, 2)]
    assert await listed(gateway, status=[DeliveryStatus.DEAD]) == [f"dead{n}" for n in (4, 3, 2)]
    assert len(await gateway.reads.failing("w1")) == 5
    await gateway.together(TrimDeliveries(webhook_id="w1", keep=3, before=AT + timedelta(minutes=4)))
    assert sorted(await listed(gateway)) == ["dead4", "delivered4", "failing4"]
    assert await gateway.reads.delivery("w2", "other") is not None


async def test_what_is_held_and_replayed_is_stored_with_the_cursor(gateway: Gateway) -> None:
    await webhook(gateway)
    changes = {"cursor": 9, "held": {"s1": 4}, "replay": {"position": 1, "until": 5}}
    await gateway.together(Update(Webhook, "w1", changes))
    row = await gateway.reads.webhook("w1")
    assert row is not None
    assert (row.cursor, row.held, row.replay) == (9, changes["held"], changes["replay"])
    await gateway.together(Update(Webhook, "w1", {"replay": None}))
    row = await gateway.reads.webhook("w1")
    assert row is not None
    assert row.replay is None


async def test_a_moment_is_found_in_the_log(gateway: Gateway) -> None:
    assert await gateway.reads.position_at(AT) == 0
    await gateway.session()
    times = [AT + timedelta(minutes=n) for n in range(3)]
    await gateway.together(Append("s1", [NewEvent("call", {}, at) for at in times]))
    positions = [event.position for event in gateway.events]
    assert await gateway.reads.position_at(AT - timedelta(seconds=1)) == positions[0] - 1
    assert await gateway.reads.position_at(AT) == positions[1] - 1
    assert await gateway.reads.position_at(times[-1]) == positions[-1]
