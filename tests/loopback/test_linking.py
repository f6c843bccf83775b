"""Clients become companions of a phone, come back as such, and cease to be."""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, start_network, until


async def test_client_is_linked_by_the_code_typed_into_the_phone(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    client = await network.client("anna")
    await client.call("connect")
    await client.event("qr")
    code = await client.call("pair_phone", phone=network.anna)
    wrong = ("1" if code[0] != "1" else "2") + code[1:]
    refused = await network.control.post(f"/phones/{network.anna}/enter-code", json={"code": wrong})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-code")
    linked = await network.post(f"/phones/{network.anna}/enter-code", code=code)
    assert linked["jid"] == f"{network.anna}:1@s.whatsapp.net"
    await client.event("Connected")


async def test_linked_client_logs_in_again_without_a_code(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    client = await network.linked(network.anna)
    await client.kill()
    again = await network.client(network.anna)
    await again.call("connect")
    await again.event("Connected")
    assert not again.all("qr")
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="hello")
    await again.text("hello")


async def test_qr_code_that_no_client_shows_links_nothing(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    client = await network.client("anna")
    await client.call("connect")
    code = (await client.event("qr"))["code"]
    stale = code.replace("#2@", "#2@stale")
    refused = await network.control.post(f"/phones/{network.anna}/scan", json={"qr": stale})
    assert (refused.status_code, refused.json()["code"]) == (409, "unknown-qr")
    nonsense = await network.control.post(f"/phones/{network.anna}/scan", json={"qr": "nonsense"})
    assert (nonsense.status_code, nonsense.json()["code"]) == (422, "malformed-qr")
    assert (await network.get(f"/phones/{network.anna}"))["devices"] == []


async def test_unlinked_client_is_logged_out_and_cannot_come_back(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    client = await network.linked(network.anna)
    assert await network.post(f"/phones/{network.anna}/unlink") == {"unlinked": [1]}
    await client.event("LoggedOut")

    async def forgotten() -> bool:
        # The library deletes its keys after it has said that it is logged out.
        try:
            await client.call("send", to=network.anna, text="?")
        except ClientError as error:
            return "device JID" in str(error)
        return False

    await until(forgotten)
    await client.kill()
    again = await network.client(network.anna)
    await again.call("connect")
    await again.event("qr")


async def test_client_unlinked_while_away_is_told_at_its_next_login(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    client = await network.linked(network.anna)
    await client.kill()
    await network.post(f"/phones/{network.anna}/unlink", device=1)
    again = await network.client(network.anna)
    await again.call("connect")
    assert (await again.event("LoggedOut"))["OnConnect"]


async def test_client_that_logs_out_is_no_device_any_more(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    client = await network.linked(network.anna)
    await client.call("logout")

    async def gone() -> Any:
        return not (await network.get(f"/phones/{network.anna}"))["devices"]

    await until(gone)


async def test_second_client_on_the_same_store_replaces_the_first(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    first = await network.linked(network.anna)
    second = await network.client(network.anna)
    await second.call("connect")
    await second.event("Connected")
    await first.event("StreamReplaced")


async def test_sender_learns_of_a_companion_linked_after_its_first_message(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    await anna.call("send", to=network.bert, text="before")
    bert = await network.linked(network.bert)

    async def told() -> Any:
        devices = (await network.get(f"/deliveries?phone={network.anna}"))["devices"]
        return all(device["waiting"] == 0 for device in devices)

    await until(told)
    await anna.call("send", to=network.bert, text="after")
    await bert.text("after")
    assert [m["text"] for m in bert.all("Message") if m["text"]] == ["after"]


async def test_both_clients_come_back_after_the_network_was_killed_and_still_decrypt(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(network.anna, "Anna")
        await network.phone(network.bert, "Bert", autoRead=True)
        anna, bert = await network.linked(network.anna), await network.linked(network.bert)
        await anna.call("send", to=network.bert, text="one")
        await bert.text("one")
        await network.post(f"/phones/{network.anna}/messages", to=network.bert, message="by phone")
        await bert.text("by phone")
        group = (
            await network.post(f"/phones/{network.anna}/groups", subject="Us", participants=[network.bert])
        )["group"]
        await bert.event("JoinedGroup")
        # One message is on its way to a client that is away while the network dies.
        await bert.kill()
        await anna.call("send", to=network.bert, text="waiting")
        port, control = network.proxy_port, int(network.where["control"].rpartition(":")[2])
        await network.kill()
        await anna.event("Disconnected")
        async with start_network(tmp_path / "net", proxy_port=port, control_port=control) as revived:
            assert revived.where["rootKey"] == network.where["rootKey"]
            await anna.event("Connected")
            back = await revived.client(network.bert)
            await back.call("connect")
            await back.text("waiting")
            await anna.call("send", to=network.bert, text="two")
            await back.text("two")
            await back.call("send", to=network.anna, text="three")
            await anna.text("three")
            await revived.post(f"/phones/{network.anna}/messages", to=network.bert, message="by phone again")
            await back.text("by phone again")
            await anna.call("send", to=group, text="to us")
            await back.text("to us")

            async def texts() -> Any:
                found = [m["text"] for m in await revived.inbox(network.bert) if not m["fromMe"]]
                wanted = ["one", "by phone", "waiting", "two", "by phone again", "to us"]
                return len(found) >= len(wanted) and found == wanted

            await until(texts)


@pytest.mark.parametrize("how", ["signal", "parent"])
async def test_network_ends_when_asked_and_when_its_parent_leaves(tmp_path: Path, how: str) -> None:
    async with start_network(tmp_path / "net", "--parent") as network:
        process = network.process
        assert process is not None
        assert process.stdin is not None
        if how == "signal":
            process.terminate()
        else:
            await process.stdin.aclose()
        with trio.fail_after(10):
            assert await process.wait() == 0
