"""What goes wrong on request, and that it goes right again afterwards."""

from pathlib import Path

import httpx
import pytest
import trio

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, start_network

ANNA, BERT = "628111111111", "628222222222"


async def two(network: Network) -> None:
    await network.phone(ANNA, "Anna")
    await network.phone(BERT, "Bert")


async def test_dropped_link_comes_back_by_itself(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        assert (await network.post("/faults", kind="drop", phone=ANNA))["struck"] == 1
        await anna.event("Disconnected")
        await anna.event("Connected")
        await anna.call("send", to=BERT, text="back")


@pytest.mark.parametrize("code", [500, 503, 515, 516])
async def test_stream_error_is_understood_and_survived(tmp_path: Path, code: int) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await network.post("/faults", kind="streamError", phone=ANNA, code=code)
        if code in {500, 516}:
            assert (await anna.event("StreamError"))["Code"] == str(code)
        await anna.event("Connected")


async def test_replaced_client_stays_away(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await network.post("/faults", kind="replaced", phone=ANNA)
        await anna.event("StreamReplaced")


@pytest.mark.parametrize(
    ("code", "event"),
    [(401, "LoggedOut"), (402, "TemporaryBan"), (405, "ClientOutdated"), (409, "ConnectFailure")],
)
async def test_refused_login_tells_its_reason(tmp_path: Path, code: int, event: str) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await network.post("/faults", kind="refuseLogin", phone=ANNA, code=code, banCode=102, banSeconds=60)
        await network.post("/faults", kind="drop", phone=ANNA)
        said = await anna.event(event)
        if event == "TemporaryBan":
            assert (said["Expire"], said["Code"]) == ("60", "BLOCKED_BY_USERS")


async def test_login_refused_once_with_503_succeeds_the_second_time(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await network.post("/faults", kind="refuseLogin", phone=ANNA, code=503, count=1)
        await network.post("/faults", kind="drop", phone=ANNA)
        await anna.event("Disconnected")
        await anna.event("Connected")
        assert (await network.get("/faults"))["faults"] == []


async def test_refused_connection_is_an_error_until_lifted(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        await network.post("/faults", kind="refuseConnection")
        anna = await network.client(ANNA)
        await anna.call("connect")
        assert "failed to dial" in (await anna.event("connectReturned"))["error"]
        await network.lift()
        await anna.call("connect")
        await anna.event("qr")


async def test_send_refused_with_a_code_goes_nowhere_and_the_next_is_fine(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await network.post("/faults", kind="ackError", phone=ANNA, code=463, count=1)
        with pytest.raises(ClientError, match="server returned error 463"):
            await anna.call("send", to=BERT, text="refused")
        await anna.call("send", to=BERT, text="fine")
        assert [m["text"] for m in await network.inbox(BERT)] in ([], ["fine"])


async def test_send_without_acknowledgement_arrives_and_the_sender_waits(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await network.post("/faults", kind="noAck", phone=ANNA, count=1)
        with trio.move_on_after(1) as patience:
            await anna.call("send", to=BERT, text="unacknowledged")
        assert patience.cancelled_caught
        await bert.text("unacknowledged")


async def test_stalled_network_holds_everything_until_it_is_lifted(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await anna.call("send", to=BERT, text="before")
        await bert.text("before")
        await network.post("/faults", kind="stall", phone=BERT)
        await anna.call("send", to=BERT, text="held")
        with pytest.raises(AssertionError, match="no Message"):
            await bert.text("held", within=0.5)
        await network.lift()
        await bert.text("held")


async def test_delayed_stanzas_come_late(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        await anna.call("send", to=BERT, text="quick")
        await network.post("/faults", kind="delay", phone=ANNA, delayMs=400, durationMs=30_000)
        begin = trio.current_time()
        await anna.call("send", to=BERT, text="slow")
        assert trio.current_time() - begin >= 0.4


@pytest.mark.parametrize(("kind", "match"), [("usyncError", "429"), ("mediaError", "503")])
async def test_directory_and_media_errors_are_told(tmp_path: Path, kind: str, match: str) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna = await network.linked(ANNA)
        fault = await network.post("/faults", kind=kind)
        with pytest.raises(ClientError, match=match):
            await anna.call("document", to=BERT, data="x")
        lifted = await network.control.delete(f"/faults/{fault['id']}")
        assert lifted.json() == {"lifted": 1}
        await anna.call("document", to=BERT, data="x")


async def test_refused_prekeys_send_the_message_to_nobody(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await two(network)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await network.post("/faults", kind="prekeyError", phone=ANNA, count=1)
        await anna.call("send", to=BERT, text="for nobody")
        await anna.call("send", to=BERT, text="for Bert")
        await bert.text("for Bert")
        assert [m["text"] for m in bert.all("Message") if m["text"]] == ["for Bert"]


async def test_control_refuses_strangers_and_nonsense(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        async with httpx.AsyncClient(base_url=network.where["control"]) as stranger:
            refused = await stranger.get("/phones")
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        await network.phone(ANNA, "Anna")
        for path, body, status, code in (
            ("/phones", {"phone": ANNA, "name": "Again"}, 409, "number-taken"),
            ("/phones", {"phone": "+1"}, 422, "invalid-fields"),
            ("/phones/628999/scan", {"qr": "x"}, 404, "unknown-phone"),
            (f"/phones/{ANNA}/unlink", {"device": 7}, 404, "unknown-device"),
            (f"/phones/{ANNA}/enter-code", {"code": "ABCD-EFGH"}, 409, "no-code-asked"),
            ("/faults", {"kind": "rain"}, 422, "invalid-fields"),
        ):
            answer = await network.control.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
