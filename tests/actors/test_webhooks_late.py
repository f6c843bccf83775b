"""Webhooks and a log that is kept for a time only: what is gone is left out and told, and nothing else."""

import psycopg
import pytest
import trio

from tests.actors.endpoint import Endpoint, serving
from tests.actors.webhooks_stage import running


async def test_a_webhook_paused_for_too_long_goes_on_with_what_is_kept_and_the_loss_is_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        hook = await stage.webhook(endpoint.url, active=False)
        gone, kept = await stage.happen("call", "poll.vote")
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM events WHERE position <= %s", (gone.position,))
            connection.execute("UPDATE event_log SET dropped = %s", (gone.position,))
        await stage.webhooks.update("whk_1", {"active": True})
        (request,) = await endpoint.until(1)
        assert request.headers["webhook-id"] == kept.event_id
    (told,) = [record.message for record in caplog.records if "events_expired" in record.message]
    assert told == f"events_expired destination=whk_1 after={hook.cursor} kept_after={gone.position}"


async def test_a_cursor_goes_on_with_the_log_though_nothing_comes_that_is_wanted(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.courier._IDLE", 0.05)
    monkeypatch.setattr("actors.courier._UNSAVED", 1)
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url, events=("call",))
        *_, last = await stage.happen("poll.vote", "poll.vote")
        with trio.fail_after(20):
            while await stage.cursor() < last.position:
                await trio.sleep(0.02)
        assert endpoint.requests == []
