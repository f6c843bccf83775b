"""A session's client over a client library that plays a script."""

from typing import Any

from attrs import define, field

from actors.errors import OutcomeUnknown, WhatsAppFailed
from actors.session.messages import Perform
from actors.whatsapp.client import Client
from actors.whatsapp.control import decode_call
from actors.whatsapp.errors import CellError
from actors.whatsapp.errors import OutcomeUnknown as UnknownToClient
from actors.whatsapp.proto import neonize
from tests.api.stage import Stage


@define(eq=False)
class Library:
    """A client's port: by function what it answers, a protobuf or an error's text, or what it raises."""

    answers: dict[str, Any] = field(factory=dict)
    calls: list[tuple[str, list[Any]]] = field(factory=list)
    """Functions and their arguments, in order."""
    id: str = "cell-1"

    async def call(self, client: int, payload: bytes) -> bytes:
        function, arguments = decode_call(payload)
        self.calls.append((function, arguments))
        answer = self.answers.get(function, b"")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return answer.encode()
        return answer if isinstance(answer, bytes) else bytes(answer.SerializeToString())

    def acknowledge(self, client: int, seq: int) -> None:
        """Nothing comes that could be acknowledged."""

    async def stop_client(self, client: int) -> None:
        """Nothing runs that could be stopped."""

    @property
    def functions(self) -> list[str]:
        return [function for function, _ in self.calls]


def play(stage: Stage, session_id: str, **answers: Any) -> Library:
    """Have a session's client answer so; `GetGroupInfo=…`."""
    library = Library(answers)

    async def perform(request: Perform) -> Any:
        try:
            return await request.act(Client(session_id, 1, library))
        except UnknownToClient as error:
            raise OutcomeUnknown(session_id=session_id) from error
        except CellError as error:
            raise WhatsAppFailed(session_id=session_id, reason=str(error)) from error

    stage.scripts[session_id].answers[Perform] = perform
    return library


def jid(text: str) -> Any:
    """An address as the library gives it; empty: none."""
    user, _, server = text.partition("@")
    return neonize.JID(User=user, Server=server, Device=0, RawAgent=0, Integrator=0, IsEmpty=not text)


def participant(lid: str, phone: str = "", *, role: str = "", error: int = 0, invitation: str = "") -> Any:
    """Somebody in a group."""
    person = neonize.GroupParticipant(
        JID=jid(lid),
        LID=jid(lid),
        PhoneNumber=jid(f"{phone}@s.whatsapp.net" if phone else ""),
        IsAdmin=role in {"admin", "superadmin"},
        IsSuperAdmin=role == "superadmin",
        DisplayName="",
        Error=error,
    )
    if invitation:
        person.AddRequest.CopyFrom(neonize.GroupParticipantAddRequest(Code=invitation, Expiration=0.0))
    return person


def group(address: str, *people: Any, subject: str = "Trip") -> Any:
    """A group as `GetGroupInfo` and its like answer it."""
    info = neonize.GroupInfo(
        OwnerJID=jid("1@lid"),
        JID=jid(address),
        OwnerPN=jid("628110000001@s.whatsapp.net"),
        GroupName=neonize.GroupName(Name=subject, NameSetAt=0, NameSetBy=jid("1@lid")),
        GroupTopic=neonize.GroupTopic(
            Topic="", TopicID="", TopicSetAt=0, TopicSetBy=jid(""), TopicDeleted=False
        ),
        GroupLocked=neonize.GroupLocked(isLocked=False),
        GroupAnnounce=neonize.GroupAnnounce(IsAnnounce=False, AnnounceVersionID=""),
        GroupEphemeral=neonize.GroupEphemeral(IsEphemeral=False, DisappearingTimer=0),
        GroupIncognito=neonize.GroupIncognito(IsIncognito=False),
        GroupParent=neonize.GroupParent(IsParent=False, DefaultMembershipApprovalMode=""),
        GroupLinkedParent=neonize.GroupLinkedParent(LinkedParentJID=jid("")),
        GroupIsDefaultSub=neonize.GroupIsDefaultSub(IsDefaultSubGroup=False),
        GroupCreated=1_769_860_800.0,
        ParticipantVersionID="1",
        Participants=people,
    )
    return neonize.GetGroupInfoReturnFunction(GroupInfo=info)
