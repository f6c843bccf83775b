"""Clients become companions of a phone, come back as such, and cease to be."""

from pathlib import Path
from typing import Any

import trio

from tests.loopback.networks import start_network, until

ANNA, BERT = "628111111111", "628222222222"


async def test_client_is_linked_by_the_code_typed_into_the_phone(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        client = await network.client("anna")
        await client.call("connect")
        await client.event("qr")
        code = await client.call("pair_phone", phone=ANNA)
        wrong = ("1" if code[0] != "1" else "2") + code[1:]
        refused = await network.control.post(f"/phones/{ANNA}/enter-code", json={"code": wrong})
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong-code")
        linked = await network.post(f"/phones/{ANNA}/enter-code", code=code)
        assert linked["jid"] == f"{ANNA}:1@s.whatsapp.net"
        await client.event("Connected")


async def test_linked_client_logs_in_again_without_a_code(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        client = await network.linked(ANNA)
        await client.kill()
        again = await network.client(ANNA)
        await again.call("connect")
        await again.event("Connected")
        assert not again.all("qr")
        await network.post(f"/phones/{BERT}/messages", to=ANNA, message="hello")
        await again.text("hello")


async def test_qr_code_that_no_client_shows_links_nothing(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        client = await network.client("anna")
        await client.call("connect")
        code = (await client.event("qr"))["code"]
        stale = code.replace("#2@", "#2@stale")
        refused = await network.control.post(f"/phones/{ANNA}/scan", json={"qr": stale})
        assert (refused.status_code, refused.json()["code"]) == (409, "unknown-qr")
        nonsense = await network.control.post(f"/phones/{ANNA}/scan", json={"qr": "nonsense"})
        assert (nonsense.status_code, nonsense.json()["code"]) == (422, "malformed-qr")
        assert (await network.get(f"/phones/{ANNA}"))["devices"] == []


async def test_unlinked_client_is_logged_out_and_cannot_come_back(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        client = await network.linked(ANNA)
        assert await network.post(f"/phones/{ANNA}/unlink") == {"unlinked": [1]}
        await client.event("LoggedOut")
        await client.kill()
        again = await network.client(ANNA)
        await again.call("connect")
        await again.event("qr")


async def test_client_unlinked_while_away_is_told_at_its_next_login(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        client = await network.linked(ANNA)
        await client.kill()
        await network.post(f"/phones/{ANNA}/unlink", device=1)
        again = await network.client(ANNA)
        await again.call("connect")
        assert (await again.event("LoggedOut"))["OnConnect"]


async def test_client_that_logs_out_is_no_device_any_more(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        client = await network.linked(ANNA)
        await client.call("logout")

        async def gone() -> Any:
            return not (await network.get(f"/phones/{ANNA}"))["devices"]

        await until(gone)


async def test_second_client_on_the_same_store_replaces_the_first(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        first = await network.linked(ANNA)
        second = await network.client(ANNA)
        await second.call("connect")
        await second.event("Connected")
        await first.event("StreamReplaced")


async def test_sender_learns_of_a_companion_linked_after_its_first_message(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        await anna.call("send", to=BERT, text="before")
        bert = await network.linked(BERT)

        async def told() -> Any:
            devices = (await network.get(f"/deliveries?phone={ANNA}"))["devices"]
            return all(device["waiting"] == 0 for device in devices)

        await until(told)
        await anna.call("send", to=BERT, text="after")
        await bert.text("after")
        assert [m["text"] for m in bert.all("Message") if m["text"]] == ["after"]


async def test_both_clients_come_back_after_the_network_was_killed_and_still_decrypt(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert", autoRead=True)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await anna.call("send", to=BERT, text="one")
        await bert.text("one")
        await network.post(f"/phones/{ANNA}/messages", to=BERT, message="by phone")
        await bert.text("by phone")
        group = (await network.post(f"/phones/{ANNA}/groups", subject="Us", participants=[BERT]))["group"]
        await bert.event("JoinedGroup")
        # One message is on its way to a client that is away while the network dies.
        await bert.kill()
        await anna.call("send", to=BERT, text="waiting")
        port, control = network.proxy_port, int(network.where["control"].rpartition(":")[2])
        await network.kill()
        await anna.event("Disconnected")
        async with start_network(tmp_path / "net", proxy_port=port, control_port=control) as revived:
            assert revived.where["rootKey"] == network.where["rootKey"]
            await anna.event("Connected")
            back = await revived.client(BERT)
            await back.call("connect")
            await back.text("waiting")
            await anna.call("send", to=BERT, text="two")
            await back.text("two")
            await back.call("send", to=ANNA, text="three")
            await anna.text("three")
            await revived.post(f"/phones/{ANNA}/messages", to=BERT, message="by phone again")
            await back.text("by phone again")
            await anna.call("send", to=group, text="to us")
            await back.text("to us")

            async def texts() -> Any:
                found = [m["text"] for m in await revived.inbox(BERT) if not m["fromMe"]]
                wanted = ["one", "by phone", "waiting", "two", "by phone again", "to us"]
                return len(found) >= len(wanted) and found == wanted

            await until(texts)


async def test_network_ends_when_asked_and_when_its_parent_leaves(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        network.process.terminate()
        with trio.fail_after(5):
            assert await network.process.wait() == 0
    async with start_network(tmp_path / "net", "--parent") as network:
        assert network.process.stdin is not None
        await network.process.stdin.aclose()
        with trio.fail_after(5):
            assert await network.process.wait() == 0
