"""What a phone hands over when it is linked: stored as the past, and never announced as new."""

from tests.whole.processes import Gateway, Network, Session, until

ANA, BUDI, CUSTOMER = "628190000011", "628190000012", "628190000013"


async def pair_with_past(gw: Gateway, name: str, phone: str, **settings: str) -> Session:
    await gw.network.phone(phone)
    for number in range(3):
        await gw.network.write(CUSTOMER, phone, f"old {number}")
    await gw.network.write(phone, CUSTOMER, "an old answer")
    return await gw.pair(name, phone, old=True, **settings)


async def test_the_past_is_stored_apart_from_what_is_new(gw: Gateway, wa: Network) -> None:
    await wa.phone(CUSTOMER)
    ana = await pair_with_past(gw, "ana", ANA)

    async def told() -> list[object]:
        page = await gw.call("GET", "/api/events?events=history.sync", session=ana)
        return [event["data"] for event in page["events"] if event["data"]["messages"]]

    (data,) = await until(told, "the history is told of")
    assert data["messages"] == 4
    await wa.write(CUSTOMER, ANA, "new")

    async def texts() -> bool:
        stored = {each["text"]: each for each in await gw.messages(ana)}
        if "new" not in stored:
            return False
        assert stored.keys() == {"old 0", "old 1", "old 2", "an old answer", "new"}
        assert {text for text, each in stored.items() if not each.get("history")} == {"new"}
        assert stored["an old answer"]["fromMe"]
        return True

    await until(texts, "all is stored")
    page = await gw.call("GET", "/api/events?events=messages.upsert", session=ana)
    assert [event["data"]["message"]["conversation"] for event in page["events"]] == ["new"]
    refused = await gw.call("POST", f"/api/chats/{CUSTOMER}/history", {"count": 50}, session=ana, status=501)
    assert refused["code"] == "not_possible"


async def test_who_wants_no_past_gets_none(gw: Gateway, wa: Network) -> None:
    await wa.phone(CUSTOMER)
    budi = await pair_with_past(gw, "budi", BUDI, history="none")
    await wa.write(CUSTOMER, BUDI, "new")
    await until(lambda: gw.messages(budi), "what is new is stored")
    assert [each["text"] for each in await gw.messages(budi)] == ["new"]
    assert (await gw.call("GET", "/api/session", session=budi))["history"] == "none"
