"""What two sessions and a phone in a group say about earlier messages: votes, edits, deletions."""

from base64 import b64decode, b64encode
from typing import Any

from attrs import define

from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Sealed, Use, open_sealed, option_hash, seal
from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, BEA, CLEO = "628170000001", "628170000002", "628170000003"
JID_OF_ANA, JID_OF_BEA, JID_OF_CLEO = (f"{number}@s.whatsapp.net" for number in (ANA, BEA, CLEO))
SECRET = b"cleo's secret of thirty-two byte"


@define(eq=False)
class Circle:
    """A group of two sessions and a phone."""

    gw: Gateway
    wa: Network
    ana: Session
    bea: Session
    group: str
    lids: dict[str, str]

    async def send(self, session: Session, kind: str, **body: Any) -> str:
        sent = await self.gw.call("POST", f"/api/messages/{kind}", body, session=session)
        return str(sent["messageId"])

    async def written(self, message: Any) -> str:
        """The id of what Cleo's phone writes to the group."""
        body = {"to": self.group, "raw": b64encode(message.SerializeToString()).decode()}
        answer = (await self.wa.control.post(f"/phones/{CLEO}/messages", json=body)).raise_for_status()
        return str(answer.json()["messageId"])

    async def row(self, session: Session, message_id: str, **about: Any) -> Json:
        """The session's stored message, once it is so."""

        async def found() -> Json | None:
            answer = await self.gw.http.get(f"/api/messages/{message_id}", headers=session.headers)
            row = dict(answer.json()) if answer.is_success else {}
            return row if row and about.items() <= row.items() else None

        return dict(await until(found, f"{session.id} has {message_id} {about}"))

    async def told(self, session: Session, name: str, message_id: str, **about: Any) -> Json:
        """The data of the event about a message, once it is there."""

        async def found() -> Json | None:
            events = await self.events(session, name, message_id)
            return next((data for data in events if about.items() <= data.items()), None)

        return dict(await until(found, f"{session.id} is told {name} of {message_id} {about}"))

    async def events(self, session: Session, name: str, message_id: str) -> list[Json]:
        query = {"after": "0", "events": name, "limit": "500"}
        answer = await self.gw.http.get("/api/events", params=query, headers=session.headers)
        found = [event["data"] for event in answer.raise_for_status().json()["events"]]
        return [data for data in found if data["key"]["id"] == message_id]

    def sealed(self, use: Use, plain: Any, message_id: str, author: str) -> Sealed:
        """What Cleo has to say in secret about a message of somebody's."""
        return seal(
            plain.SerializeToString(),
            SECRET,
            use,
            message_id=message_id,
            author=self.lids[author],
            sender=self.lids[CLEO],
        )

    def vote(self, message_id: str, author: str, *options: str) -> Any:
        chosen = e2e.PollVoteMessage(selectedOptions=[option_hash(option) for option in options])
        sealed = self.sealed(Use.POLL_VOTE, chosen, message_id, author)
        key = {"remoteJID": self.group, "fromMe": author == CLEO, "ID": message_id}
        return e2e.Message(
            pollUpdateMessage={
                "pollCreationMessageKey": {**key, "participant": self.lids[author]},
                "vote": {"encPayload": sealed.payload, "encIV": sealed.iv},
            }
        )


def poll(question: str, *options: str) -> Any:
    creation = {"name": question, "options": [{"optionName": option} for option in options]}
    return e2e.Message(pollCreationMessage=creation, messageContextInfo={"messageSecret": SECRET})


def edit(message_id: str, words: str) -> Any:
    protocol = {"key": {"ID": message_id}, "type": 14, "editedMessage": {"conversation": words}}
    return e2e.Message(protocolMessage={**protocol, "key": {"ID": message_id, "fromMe": True}})


async def test_what_is_said_about_messages_reaches_those_whom_it_may(gw: Gateway, wa: Network) -> None:
    circle = await _circle(gw, wa)
    await _votes_of_sessions(circle)
    await _votes_of_a_phone(circle)
    await _an_admin_deletes(circle)
    await _nobody_edits_another(circle)
    await _seen_once(circle)
    await _all_in_one_breath(circle)


async def _circle(gw: Gateway, wa: Network) -> Circle:
    await wa.phone(CLEO)
    ana, bea = await gw.pair("ana", ANA), await gw.pair("bea", BEA)
    made = await gw.call(
        "POST", "/api/chats/groups", {"subject": "Circle", "participants": [BEA, CLEO]}, session=ana
    )
    lids = {}
    for number in (ANA, BEA, CLEO):
        lids[number] = (await wa.control.get(f"/phones/{number}")).json()["lid"]
    circle = Circle(gw, wa, ana, bea, made["jid"], lids)
    hello = await circle.send(ana, "text", to=circle.group, message="hello")
    await circle.row(bea, hello)
    return circle


async def _votes_of_sessions(circle: Circle) -> None:
    asked = await circle.send(
        circle.ana,
        "poll",
        to=circle.group,
        question="When?",
        options=["Mon", "Tue", "Wed"],
        selectableCount=2,
    )
    await circle.row(circle.bea, asked, type="poll", text="When?")
    await circle.send(circle.bea, "poll-vote", messageId=asked, options=["Wed", "Mon"])
    vote = await circle.told(circle.ana, "poll.vote", asked)
    assert (vote["voter"], set(vote["options"])) == (JID_OF_BEA, {"Mon", "Wed"})
    assert vote["key"] == {
        "remoteJid": circle.group,
        "fromMe": True,
        "id": asked,
        "participant": JID_OF_ANA,
    }
    own = await circle.told(circle.bea, "poll.vote", asked)
    assert (own["voter"], set(own["options"])) == (JID_OF_BEA, {"Mon", "Wed"})

    await circle.send(circle.bea, "poll-vote", messageId=asked, options=[])
    assert (await circle.told(circle.ana, "poll.vote", asked, options=[]))["voter"] == JID_OF_BEA
    wrong = {"messageId": asked, "options": ["Sun"]}
    refused = await circle.gw.call("POST", "/api/messages/poll-vote", wrong, session=circle.bea, status=422)
    assert refused["code"] == "message_unsuitable"


async def _votes_of_a_phone(circle: Circle) -> None:
    asked = await circle.written(poll("Tea?", "yes", "no"))
    await circle.row(circle.ana, asked, type="poll")
    await circle.written(circle.vote(asked, CLEO, "no"))
    assert (await circle.told(circle.ana, "poll.vote", asked, options=["no"]))["voter"] == JID_OF_CLEO

    vote_id = await circle.send(circle.ana, "poll-vote", messageId=asked, options=["yes"])

    async def arrived() -> Any:
        inbox = await circle.wa.inbox(CLEO)
        return next((each for each in inbox if each["messageId"] == vote_id), None)

    got = e2e.Message.FromString(b64decode((await until(arrived, "Cleo has the vote"))["raw"]))
    update = got.pollUpdateMessage
    assert update.pollCreationMessageKey.participant == circle.lids[CLEO]
    plain = open_sealed(
        Sealed(update.vote.encPayload, update.vote.encIV),
        SECRET,
        Use.POLL_VOTE,
        message_id=asked,
        authors=[circle.lids[CLEO]],
        senders=[circle.lids[ANA]],
    )
    assert plain is not None
    assert list(e2e.PollVoteMessage.FromString(plain).selectedOptions) == [option_hash("yes")]


async def _an_admin_deletes(circle: Circle) -> None:
    spam = await circle.send(circle.bea, "text", to=circle.group, message="spam")
    await circle.row(circle.ana, spam)
    await circle.gw.call("DELETE", f"/api/messages/{spam}?for=everyone", session=circle.ana)
    for session in (circle.ana, circle.bea):
        row = await circle.row(session, spam, type="revoked")
        assert (row["text"], row["message"]) == ("", {})
        assert (await circle.told(session, "messages.revoked", spam))["revokedBy"] == JID_OF_ANA


async def _nobody_edits_another(circle: Circle) -> None:
    promise = await circle.send(circle.bea, "text", to=circle.group, message="I owe you 1")
    await circle.row(circle.ana, promise)
    await circle.written(edit(promise, "I owe you 1000"))
    own = {"ID": promise, "fromMe": True}  # WhatsApp's server tells who is an admin, not whose a message was
    await circle.written(e2e.Message(protocolMessage={"key": own, "type": 0}))
    marker = await circle.written(e2e.Message(conversation="after that"))
    for session in (circle.ana, circle.bea):
        await circle.row(session, marker)
        assert (await circle.row(session, promise))["text"] == "I owe you 1"
        assert await circle.events(session, "messages.edited", promise) == []
        assert await circle.events(session, "messages.revoked", promise) == []

    changed = {"message": "I owe you 2"}
    await circle.gw.call("PATCH", f"/api/messages/{promise}", changed, session=circle.bea)
    for session in (circle.ana, circle.bea):
        await circle.row(session, promise, text="I owe you 2")
        edited = await circle.told(session, "messages.edited", promise)
        assert edited["message"] == {"conversation": "I owe you 2"}


async def _seen_once(circle: Circle) -> None:
    picture = e2e.Message(imageMessage={"caption": "psst", "mimetype": "image/jpeg"})
    once = await circle.written(e2e.Message(viewOnceMessageV2={"message": picture}))
    row = await circle.row(circle.ana, once, type="image", text="psst")
    assert row["message"]["imageMessage"]["viewOnce"] is True
    refused = await circle.gw.call(
        "POST",
        "/api/messages/forward",
        {"phone": BEA, "messageId": once},
        session=circle.ana,
        status=422,
    )
    assert refused["code"] == "message_unsuitable"


async def _all_in_one_breath(circle: Circle) -> None:
    """What came while a session was away is told as if it had been there."""
    await circle.gw.call("POST", "/api/session/stop", session=circle.bea, status=200)
    asked = await circle.written(poll("Cake?", "yes", "no"))
    await circle.written(circle.vote(asked, CLEO, "yes"))
    note = await circle.written(e2e.Message(conversation="helo"))
    await circle.written(edit(note, "hello"))
    await circle.gw.call("POST", "/api/session/start", session=circle.bea, status=200)
    assert (await circle.told(circle.bea, "poll.vote", asked))["options"] == ["yes"]
    await circle.row(circle.bea, note, text="hello")
    party = {"to": circle.group, "name": "Party", "startsAt": "2027-01-02T18:00:00Z"}
    invited = await circle.send(circle.ana, "event", **party)
    row = await circle.row(circle.bea, invited, type="event", text="Party")
    assert "messageSecret" not in str(row["message"])
