"""A channel between two real sessions: made, found, followed, written in, reacted to, muted and left."""

import trio

from tests.whole.processes import Gateway, Json, Network, until
from tests.whole.test_account import both, events, one, picture


async def test_followers_find_read_and_answer_what_is_posted(gw: Gateway, wa: Network) -> None:
    ana, budi = await both(gw)
    body = {"name": "Toko news", "description": "What is new", "picture": {"imageBase64": picture()}}
    made = await gw.call("POST", "/api/channels", body, session=ana, status=201)
    channel = made["jid"]
    assert (made["name"], made["description"], made["role"]) == ("Toko news", "What is new", "owner")
    assert made["picture"].startswith("https://pps.whatsapp.net/")
    assert (made["muted"], made["subscribers"], made["reactions"]) == (False, 1, "all")
    (listed,) = (await gw.call("GET", "/api/channels", session=ana))["channels"]
    assert listed["jid"] == channel

    # Found by its link, followed.
    found = await gw.call("GET", f"/api/channels/by-invite/{made['inviteCode']}", session=budi)
    assert (found["jid"], found["name"]) == (channel, "Toko news")
    assert (await gw.call("GET", f"/api/channels/{channel}", session=budi))["role"] == "guest"
    missing = "120363499999999999@newsletter"
    for method, path in [("GET", missing), ("POST", f"{missing}/follow"), ("GET", f"{missing}/messages")]:
        refused = await gw.call(method, f"/api/channels/{path}", session=budi, status=404)
        assert refused["code"] == "channel_not_found"
    await gw.call("GET", "/api/channels/by-invite/nothing", session=budi, status=404)
    await gw.call("POST", f"/api/channels/{channel}/follow", session=budi, status=204)
    joined = await one(gw, budi, "newsletter.join", jid=channel)
    assert (joined["name"], joined["role"]) == ("Toko news", "subscriber")

    # Written in by its owner alone.
    post = {"to": channel, "message": "New mangoes"}
    sent = await gw.call("POST", "/api/messages/text", post, session=ana)
    assert sent["chat"] == channel

    async def arrived() -> Json | None:
        upserts = await events(gw, budi, "messages.upsert")
        return next((data for data in upserts if data["key"]["remoteJid"] == channel), None)

    heard: Json = await until(arrived, "Budi has the post")
    assert heard["message"] == {"conversation": "New mangoes"}
    assert heard["key"]["id"] == sent["messageId"]
    number = heard["newsletterServerId"]
    refused = await gw.call("POST", "/api/messages/text", post, session=budi, status=502)
    assert refused["code"] == "whatsapp_error"

    # Seen and reacted to, which the owner is told.
    watched = await gw.call("POST", f"/api/channels/{channel}/subscribe", session=ana)
    assert watched["seconds"] > 0
    reaction = f"/api/channels/{channel}/messages/{number}/reaction"
    await gw.call("POST", reaction, {"emoji": "🥭"}, session=budi, status=204)
    await gw.call(
        "POST", f"/api/channels/{channel}/viewed", {"serverIds": [number]}, session=budi, status=204
    )

    async def counted() -> bool:
        (update,) = (await events(gw, ana, "newsletter.update"))[-1:] or [{"messages": []}]
        return bool(update["messages"] == [{"serverId": number, "views": 1, "reactions": {"🥭": 1}}])

    await until(counted, "Ana is told of the reaction and the view")
    await gw.call("POST", reaction, {"emoji": ""}, session=budi, status=204)

    async def taken_back() -> bool:
        (read,) = (await gw.call("GET", f"/api/channels/{channel}/messages", session=ana))["messages"]
        assert (read["serverId"], read["type"], read["text"]) == (number, "text", "New mangoes")
        return bool((read["views"], read["reactions"]) == (1, {}))

    await until(taken_back, "the reaction is taken back")
    for text in ("Fresh durian", "Closed on Monday"):
        await gw.call("POST", "/api/messages/text", {"to": channel, "message": text}, session=ana)
    pages: list[str] = []
    before = ""
    for _ in range(3):
        path = f"/api/channels/{channel}/messages?limit=2{before}"
        page = (await gw.call("GET", path, session=budi))["messages"]
        pages.append(" | ".join(read["text"] for read in page))
        before = f"&before={page[0]['serverId']}" if page else before
    assert pages == ["Fresh durian | Closed on Monday", "New mangoes", ""]

    (kept,) = (await wa.control.get("/channels")).raise_for_status().json()["channels"]
    assert (kept["jid"], kept["picture"], len(kept["posts"])) == (channel, True, 3)

    # Muted, heard again, and left.
    await gw.call("POST", f"/api/channels/{channel}/mute", session=budi, status=204)
    await one(gw, budi, "newsletter.mute", jid=channel, muted=True)
    assert (await gw.call("GET", f"/api/channels/{channel}", session=budi))["muted"] is True
    await gw.call("POST", f"/api/channels/{channel}/unmute", session=budi, status=204)
    await one(gw, budi, "newsletter.mute", jid=channel, muted=False)
    refused = await gw.call("POST", f"/api/channels/{channel}/unfollow", session=ana, status=403)
    assert refused["code"] == "not_channel_admin"
    await gw.call("POST", f"/api/channels/{channel}/unfollow", session=budi, status=204)
    await one(gw, budi, "newsletter.leave", jid=channel)
    assert (await gw.call("GET", "/api/channels", session=budi))["channels"] == []

    # Who ignores channels hears nothing of them.
    await gw.call("PATCH", "/api/session", {"ignore": {"channels": True}}, session=budi)
    await gw.call("POST", f"/api/channels/{channel}/follow", session=budi, status=204)
    await gw.call("POST", "/api/messages/text", {"to": channel, "message": "not heard"}, session=ana)
    await gw.send(ana, budi.phone, "heard")

    async def heard_only() -> bool:
        texts = await gw.received(budi)
        assert "not heard" not in texts
        return "heard" in texts

    with trio.fail_after(20):
        await until(heard_only, "Ana's own message is stored")
