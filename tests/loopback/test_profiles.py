"""What people show of themselves, to whom, and whom they shut out."""

import base64

import httpx
import pytest

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, until


async def test_profile_is_shown_to_those_who_may_see_it(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    at = f"/phones/{network.bert}"

    async def change(**what: object) -> None:
        assert (await network.control.patch(at, json=what)).is_success

    await anna.call("user_info", person=network.bert)  # from now on it hears of changes
    await change(about="busy", business={"name": "Bert & Sons", "description": "Locks"})
    jpeg = base64.b64encode(b"\xff\xd8\xff\xe0 a face").decode()
    shown = (await network.control.put(f"{at}/picture", json={"data": jpeg})).json()
    await anna.event("Picture")
    picture = await anna.call("picture", of=network.bert)
    assert picture["ID"] == shown["pictureId"]
    (info,) = await anna.call("user_info", person=network.bert)
    assert (info["UserInfo"]["Status"], info["UserInfo"]["PictureID"]) == ("busy", shown["pictureId"])
    assert await anna.call("verified_name", number=network.bert) == "Bert & Sons"

    await change(privacy={"profile": "contacts", "status": "none"})
    with pytest.raises(ClientError, match="hidden"):
        await anna.call("picture", of=network.bert)
    (info,) = await anna.call("user_info", person=network.bert)
    assert not info["UserInfo"].get("Status")
    settings = {"contact": network.anna, "fullName": "Anna"}
    assert (await network.control.patch(f"{at}/settings", json=settings)).is_success
    assert (await anna.call("picture", of=network.bert))["ID"] == shown["pictureId"]


async def test_changes_on_the_phone_are_told_to_its_companion(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    at = f"/phones/{network.anna}"
    assert (await network.control.patch(at, json={"privacy": {"last": "none"}})).is_success
    assert (await anna.event("privacySettingsEvent"))["LastSeenChanged"]
    assert (await network.control.put(f"{at}/blocked/{network.bert}")).json()["blocked"] == [network.bert]
    await anna.event("BlocklistEvent")
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="let me in")
    await network.post(f"/phones/{network.bert}/calls", to=network.anna)
    assert (await network.control.delete(f"{at}/blocked/{network.bert}")).json()["blocked"] == []
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="friends again?")
    await anna.text("friends again?")
    assert [m["text"] for m in anna.all("Message") if m["text"]] == ["friends again?"]
    assert anna.all("CallOffer") == []


async def test_phone_that_is_looked_at_is_available_to_those_who_watch(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    await until(lambda: named(anna, "Anna A."))
    await anna.call("presence", available=True)
    await anna.call("subscribe", to=f"{network.bert}@s.whatsapp.net")
    await anna.event("Presence", lambda p: p.get("Unavailable", False))
    await network.post(f"/phones/{network.bert}/presence", available=True)
    await anna.event("Presence", lambda p: not p.get("Unavailable", False))
    await anna.call("typing", to=network.bert)

    async def typing() -> object:
        return (await network.get(f"/phones/{network.bert}/typing"))["typing"]

    assert await until(typing) == [
        {"chat": network.anna, "from": network.anna, "state": "composing", "media": "text"}
    ]


async def named(client: object, name: str) -> bool:
    """Whether the push name could be set, which needs the keys that the phone shares."""
    try:
        await client.call("profile_name", name=name)  # type: ignore[attr-defined]
    except ClientError:
        return False
    return True


async def test_strangers_are_written_to_only_after_they_wrote(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    await network.post("/faults", kind="unaskedError", phone=network.anna)
    with pytest.raises(ClientError, match="463"):
        await anna.call("send", to=network.bert, text="you do not know me")
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="who are you?")
    await anna.text("who are you?")

    async def accepted() -> bool:
        # The token travels beside the message.
        try:
            await anna.call("send", to=network.bert, text="a friend")
        except ClientError:
            return False
        return True

    await until(accepted)


async def test_settings_written_at_once_by_two_devices_are_both_kept(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    anna = await network.linked(network.anna)
    await until(lambda: named(anna, "From the client"))
    # What the phone writes now is news to the client only after its own change has left.
    await network.post("/faults", kind="delay", phone=network.anna, delayMs=300)
    at = f"/phones/{network.anna}"
    assert (await network.control.patch(at, json={"name": "From the phone"})).is_success
    await anna.call("profile_name", name="From the client again")
    assert (await network.get(at))["pushName"] == "From the client again"


async def test_proxy_that_hangs_answers_nobody(network: Network) -> None:
    await network.post("/faults", kind="hangConnection", count=1)
    async with httpx.AsyncClient(proxy=network.where["proxy"], verify=False, timeout=0.5) as client:
        with pytest.raises(httpx.TimeoutException):
            await client.get("https://web.whatsapp.com/")
    async with httpx.AsyncClient(proxy=network.where["proxy"], verify=False, timeout=5) as client:
        assert (await client.get("https://mmg.whatsapp.net/nothing")).status_code == 404
