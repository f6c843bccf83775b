"""The client library as a witness: it reads the votes that we seal, and we read those that it seals."""

from pathlib import Path
from typing import Any

from attrs import evolve

from actors.outgoing.content import Poll
from actors.outgoing.context import put_secret
from actors.outgoing.polls import poll_message, vote
from actors.outgoing.target import target_of
from actors.session.arrival import Known, message_writes
from actors.whatsapp.client import Client
from actors.whatsapp.events import Identified, MessageArrived
from actors.whatsapp.jid import phone_jid, to_proto
from actors.whatsapp.proto import neonize
from actors.whatsapp.secrets import option_hash
from storage.rows import Message
from storage.writes import Append, StoreMessage
from tests.actors.whatsapp.stand import Network, Session, Stand, network, stand

ANNA, BEN = "6281300000001", "6281300000002"


class Side:
    """One of the two: a paired session and its client."""

    def __init__(self, session: Session, client: Client, number: str) -> None:
        self.session, self.client, self.jid = session, client, phone_jid(number)

    @property
    def lid(self) -> str:
        found = next(each.lid for each in self.session.events if isinstance(each, Identified))
        assert found is not None
        return found.partition(":")[0].partition("@")[0] + "@lid"

    async def arrived(self, field: str, after: int = 0) -> MessageArrived:
        """The first message with such a part."""

        def found() -> MessageArrived | None:
            return next(
                (
                    each
                    for each in self.session.events[after:]
                    if isinstance(each, MessageArrived) and each.message.HasField(field)
                ),
                None,
            )

        arrived: MessageArrived = await self.session.until(found)
        return arrived


def info(event: MessageArrived) -> Any:
    """What the library wants to know of a message."""
    empty = neonize.JID(User="", Server="", Device=0, RawAgent=0, Integrator=0, IsEmpty=True)
    return neonize.MessageInfo(
        MessageSource=neonize.MessageSource(
            Chat=to_proto(event.chat),
            Sender=to_proto(event.sender),
            IsFromMe=event.from_me,
            IsGroup=event.is_group,
            SenderAlt=empty,
            RecipientAlt=empty,
            BroadcastListOwner=empty,
        ),
        ID=event.id,
        ServerID=0,
        Type=event.type,
        Pushname=event.push_name,
        Timestamp=int(event.timestamp),
        Category="",
        Multicast=False,
        MediaType="",
        Edit="",
    )


def row_of(event: MessageArrived) -> Message:
    (write,) = message_writes("s", event, Known())
    assert isinstance(write, StoreMessage)
    return write.message


async def side(net: Network, at: Stand, number: str, name: str) -> Side:
    await net.phone(number, name)
    session = await at.session(name)
    return Side(session, await net.pair(at, session, number), number)


async def test_votes_are_read_on_both_sides(tmp_path: Path) -> None:
    async with network(tmp_path / "network") as net, stand(tmp_path / "sessions", **net.config) as at:
        anna, ben = await side(net, at, ANNA, "Anna"), await side(net, at, BEN, "Ben")
        asked = poll_message(Poll(question="Tea?", options=("yes", "no")))
        put_secret(asked)
        sent = await anna.client.send(ben.jid, asked)
        poll = await ben.arrived("pollCreationMessage")
        # Anna's own row says the same, but for whose it is.
        own = evolve(row_of(poll), chat=ben.jid, sender=anna.jid, from_me=True)
        assert own.wa_id == sent.message_id

        theirs = await ben.client.ask(
            neonize.BuildPollVoteReturnFunction,
            "BuildPollVote",
            info(poll),
            neonize.ArrayString(data=["no"]),
        )
        await ben.client.send(anna.jid, theirs.PollVote)
        event = await anna.arrived("pollUpdateMessage")
        (write,) = message_writes("s", event, Known(own, (anna.jid, anna.lid)))
        assert isinstance(write, Append)
        (told,) = write.events
        assert (told.event, told.data["options"], told.data["voter"]) == ("poll.vote", ["no"], ben.jid)

        heard = len(anna.session.events)
        target = target_of(row_of(poll), anna.lid)
        ours = vote(target, ("yes",), chat=anna.jid, voter=ben.lid, own_jid=ben.jid)
        await ben.client.send(anna.jid, ours.message)
        event = await anna.arrived("pollUpdateMessage", heard)
        whole = neonize.Message(
            Info=info(event),
            Message=event.message,
            UnavailableRequestID="",
            RetryCount=0,
            **dict.fromkeys(
                (
                    "IsEphemeral",
                    "IsViewOnce",
                    "IsViewOnceV2",
                    "IsViewOnceV2Extension",
                    "IsDocumentWithCaption",
                    "IsLottieSticker",
                    "IsEdit",
                ),
                False,
            ),
        )
        read = await anna.client.ask(neonize.ReturnFunctionWithError, "DecryptPollVote", whole)
        assert list(read.PollVoteMessage.selectedOptions) == [option_hash("yes")]
