"""Sinks over HTTP and in the metrics; what they do with real brokers has tests of its own."""

from pathlib import Path

import trio

from api.brokers import sink_specs
from api.config import parse
from tests.actors.brokers import free_port
from tests.api.scrape import read
from tests.api.stage import running_api


async def test_who_administers_sees_how_far_a_broker_has_been_told_and_no_url(
    database: str, tmp_path: Path
) -> None:
    away = parse(
        f"""
        [sinks.bus]
        kind = "rabbitmq"
        url = "amqp://a:hunter2@127.0.0.1:{free_port()}/"
        exchange = "wa"
        events = ["call"]
        backoff = {{ min = 0.05, max = 0.1 }}
        """
    )
    async with running_api(database, tmp_path, sinks=sink_specs(away.sinks)) as stage:
        async with await stage.session("ana") as own:
            assert (await own.get("/api/sinks")).json()["code"] == "scope_denied"
        with trio.fail_after(30):
            while (await stage.client.get("/api/sinks")).json()["sinks"][0]["state"] != "running":
                await trio.sleep(0.02)
        await stage.event("ana", 1)
        await stage.event("ana", 2, "call")
        with trio.fail_after(30):
            while (await stage.client.get("/api/sinks")).json()["sinks"][0]["state"] != "away":
                await trio.sleep(0.02)
        answer = await stage.client.get("/api/sinks")
        (bus,) = answer.json()["sinks"]
        assert (bus["name"], bus["kind"], bus["target"]) == ("bus", "rabbitmq", "wa: {sessionId}.{event}")
        assert (bus["sessions"], bus["events"], bus["published"]) == ([], ["call"], 0)
        assert (bus["error"], bus["sessionsHeld"]) == ("no connection", 1)
        assert bus["lag"] >= 1
        assert bus["failed"] >= 5
        assert "hunter2" not in answer.text
        seen = read(await stage.client.get("/metrics"))
        assert seen("sink_lag", sink="bus") >= 1
        assert seen("sink_events_total", sink="bus", outcome="failed") >= 5
