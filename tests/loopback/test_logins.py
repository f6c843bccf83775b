"""Who was logged in when, and whether one device was there twice."""

import signal
import time
from typing import Any

from tests.loopback.networks import Network, until


async def logins(network: Network) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await network.get(f"/logins?phone={network.anna}"))["logins"]
    return found


async def all_ended(network: Network) -> Any:
    found = await logins(network)
    return found[:-1] if all(login["ended"] for login in found[:-1]) else None


async def test_two_living_clients_of_one_device_overlap(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    first = await network.linked(network.anna)
    before = await logins(network)
    second = await network.client(network.anna)
    await second.call("connect")
    await second.event("Connected")
    await first.event("StreamReplaced")
    *_, replaced = await until(lambda: all_ended(network))
    now = (await logins(network))[-1]
    assert (replaced["number"], replaced["replacedBy"]) == (before[-1]["number"], now["number"])
    assert replaced["overlap"] > 0
    assert (now["replacedBy"], now["ended"], now["overlap"]) == (None, None, 0)
    assert replaced["at"] < now["at"] <= replaced["heard"] <= replaced["ended"] < time.time()
    assert now["peer"].startswith("127.0.0.1:")
    assert now["peer"] != replaced["peer"]
    later = await network.get(f"/logins?phone={network.anna}&after={replaced['number']}")
    assert [login["number"] for login in later["logins"]] == [now["number"]]


async def test_a_client_that_stands_still_overlaps_with_nobody(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    first = await network.linked(network.anna)
    first.process.send_signal(signal.SIGSTOP)
    second = await network.client(network.anna)
    await second.call("connect")
    await second.event("Connected")
    *_, replaced = await until(lambda: all_ended(network))
    now = (await logins(network))[-1]
    assert (replaced["replacedBy"], replaced["overlap"]) == (now["number"], 0)
    assert replaced["heard"] < now["at"]


async def test_a_killed_client_overlaps_with_nobody(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    first = await network.linked(network.anna)
    second = await network.client(network.anna)
    first.process.kill()
    await second.call("connect")
    await second.event("Connected")
    *_, ended = await until(lambda: all_ended(network))
    assert ended["overlap"] == 0
    assert ended["heard"] < (await logins(network))[-1]["at"]


async def test_the_number_to_begin_after_is_a_number(network: Network) -> None:
    refused = await network.control.get("/logins?after=x")
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "after")
