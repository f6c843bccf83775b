"""What goes wrong on request, and that it goes right again afterwards."""

import time
from pathlib import Path

import httpx
import pytest
import trio

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, start_network, until


async def two(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")


async def test_dropped_link_comes_back_by_itself(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    assert (await network.post("/faults", kind="drop", phone=network.anna))["struck"] == 1
    await anna.event("Disconnected")
    await anna.event("Connected")
    await anna.call("send", to=network.bert, text="back")


async def test_every_connection_and_login_that_is_tried_is_told(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    since = time.time()
    await network.post("/faults", kind="refuseConnection", count=1)
    await network.post("/faults", kind="refuseLogin", phone=network.anna, count=1)
    await network.post("/faults", kind="drop", phone=network.anna)
    await anna.event("Connected")
    tried = await network.get(f"/attempts?since={since}")
    logins = [each for each in tried["logins"] if each["phone"] == network.anna]
    assert [(each["device"], each["accepted"]) for each in logins] == [(1, False), (1, True)]
    assert len(tried["connections"]) >= 3  # refused, let in but not logged in, logged in
    assert sorted(tried["connections"]) == tried["connections"]
    assert all(since <= each["at"] <= time.time() for each in logins)


@pytest.mark.parametrize("code", [500, 503, 515, 516])
async def test_stream_error_is_understood_and_survived(network: Network, code: int) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await network.post("/faults", kind="streamError", phone=network.anna, code=code)
    if code in {500, 516}:
        assert (await anna.event("StreamError"))["Code"] == str(code)
    await anna.event("Connected")


async def test_replaced_client_stays_away(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await network.post("/faults", kind="replaced", phone=network.anna)
    await anna.event("StreamReplaced")


@pytest.mark.parametrize(
    ("code", "event"),
    [(401, "LoggedOut"), (402, "TemporaryBan"), (405, "ClientOutdated"), (409, "ConnectFailure")],
)
async def test_refused_login_tells_its_reason(network: Network, code: int, event: str) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await network.post(
        "/faults", kind="refuseLogin", phone=network.anna, code=code, banCode=102, banSeconds=60
    )
    await network.post("/faults", kind="drop", phone=network.anna)
    said = await anna.event(event)
    if event == "TemporaryBan":
        assert (said["Expire"], said["Code"]) == ("60", "BLOCKED_BY_USERS")


async def test_login_refused_once_with_503_succeeds_the_second_time(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await network.post("/faults", kind="refuseLogin", phone=network.anna, code=503, count=1)
    await network.post("/faults", kind="drop", phone=network.anna)
    await anna.event("Disconnected")
    await anna.event("Connected")
    assert (await network.get("/faults"))["faults"] == []


async def test_refused_connection_is_an_error_until_lifted(network: Network) -> None:
    await two(network)
    await network.post("/faults", kind="refuseConnection")
    anna = await network.client(network.anna)
    await anna.call("connect")
    assert "failed to dial" in (await anna.event("connectReturned"))["error"]
    await network.lift()
    await anna.call("connect")
    await anna.event("qr")


async def test_send_refused_with_a_code_goes_nowhere_and_the_next_is_fine(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await network.post("/faults", kind="ackError", phone=network.anna, code=463, count=1)
    with pytest.raises(ClientError, match="server returned error 463"):
        await anna.call("send", to=network.bert, text="refused")
    await anna.call("send", to=network.bert, text="fine")
    assert [m["text"] for m in await network.inbox(network.bert)] in ([], ["fine"])


async def test_send_without_acknowledgement_arrives_and_the_sender_waits(network: Network) -> None:
    await two(network)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await network.post("/faults", kind="noAck", phone=network.anna, count=1)
    with trio.move_on_after(1) as patience:
        await anna.call("send", to=network.bert, text="unacknowledged")
    assert patience.cancelled_caught
    await bert.text("unacknowledged")


async def test_stalled_network_holds_everything_until_it_is_lifted(network: Network) -> None:
    await two(network)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await anna.call("send", to=network.bert, text="before")
    await bert.text("before")
    await network.post("/faults", kind="stall", phone=network.bert)
    await anna.call("send", to=network.bert, text="held")
    with pytest.raises(AssertionError, match="no Message"):
        await bert.text("held", within=0.5)
    await network.lift()
    await bert.text("held")


async def test_delayed_stanzas_come_late(network: Network) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    await anna.call("send", to=network.bert, text="quick")
    await network.post("/faults", kind="delay", phone=network.anna, delayMs=400, durationMs=30_000)
    begin = trio.current_time()
    await anna.call("send", to=network.bert, text="slow")
    assert trio.current_time() - begin >= 0.4


@pytest.mark.parametrize(("kind", "match"), [("usyncError", "429"), ("mediaError", "503")])
async def test_directory_and_media_errors_are_told(network: Network, kind: str, match: str) -> None:
    await two(network)
    anna = await network.linked(network.anna)
    fault = await network.post("/faults", kind=kind)
    with pytest.raises(ClientError, match=match):
        await anna.call("document", to=network.bert, data="x")
    lifted = await network.control.delete(f"/faults/{fault['id']}")
    assert lifted.json() == {"lifted": 1}
    await anna.call("document", to=network.bert, data="x")


async def test_refused_prekeys_send_the_message_to_nobody(network: Network) -> None:
    await two(network)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await network.post("/faults", kind="prekeyError", phone=network.anna, count=1)
    await anna.call("send", to=network.bert, text="for nobody")
    await anna.call("send", to=network.bert, text="for Bert")
    await bert.text("for Bert")
    assert [m["text"] for m in bert.all("Message") if m["text"]] == ["for Bert"]


async def test_control_refuses_strangers_and_nonsense(network: Network) -> None:
    async with httpx.AsyncClient(base_url=network.where["control"]) as stranger:
        refused = await stranger.get("/phones")
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    await network.phone(network.anna, "Anna")
    for path, body, status, code in (
        ("/phones", {"phone": network.anna, "name": "Again"}, 409, "number-taken"),
        ("/phones", {"phone": "+1"}, 422, "invalid-fields"),
        ("/phones/628999/scan", {"qr": "x"}, 404, "unknown-phone"),
        (f"/phones/{network.anna}/unlink", {"device": 7}, 404, "unknown-device"),
        (f"/phones/{network.anna}/enter-code", {"code": "ABCD-EFGH"}, 409, "no-code-asked"),
        ("/faults", {"kind": "rain"}, 422, "invalid-fields"),
    ):
        answer = await network.control.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


async def test_network_survives_a_stranger_who_ends_its_control_server(tmp_path: Path) -> None:
    """Hypercorn ends as a whole when somebody asks for a WebSocket and goes on talking HTTP."""
    async with start_network(tmp_path / "net") as network:
        port = int(network.where["control"].rpartition(":")[2])
        anna = await network.phone(network.anna, "Anna")
        client = await network.linked(anna)
        stranger = await trio.open_tcp_stream("127.0.0.1", port)
        await stranger.send_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nX"
        )

        async def served() -> bool:
            async with httpx.AsyncClient(base_url=network.where["control"]) as fresh:
                try:
                    return (await fresh.get("/phones")).status_code == 401
                except httpx.TransportError:
                    return False

        await until(lambda: logged(tmp_path / "network.log", "control_failed"))
        await until(served)
        await client.call("send", to=anna, text="still here")
        await stranger.aclose()


async def logged(log: Path, event: str) -> bool:
    return event in log.read_text()
