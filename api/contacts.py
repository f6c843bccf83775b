"""People: who is on WhatsApp, what is known and shown of them, and whom the account has blocked."""

from collections.abc import Iterator

from attrs import frozen
from quart import Blueprint

from actors import errors
from actors.addressbook import named
from actors.session.keys import phone_first
from actors.session.messages import CheckContacts, ContactCheck
from actors.whatsapp import people
from actors.whatsapp.client import Client
from actors.whatsapp.errors import WhatsAppError
from actors.whatsapp.jid import LID, number_of, phone_jid
from api.caller import Scope
from api.checks import MismatchError, is_jid, is_phone
from api.constraints import sized
from api.fields import DEFAULT_LIMIT, Flag, Limit, Phone
from api.operation import operation
from api.performing import PERFORMING, jid_of, perform
from api.refusals import InvalidJid, NotFound
from api.services import services
from storage.chats import USERS, Address
from storage.rows import Json
from storage.writes import StoreAddresses

routes = Blueprint("contacts", __name__)

_ANSWER_WAIT = 60.0  # seconds for WhatsApp's answer
_MOST = 100  # numbers in one question

_HIDDEN = "The picture is hidden from this account."
_NONE = "There is no picture."


@frozen(kw_only=True)
class ContactView:
    """Somebody that the phone's address book has, or who wrote."""

    jid: str
    """By phone number where it is known."""
    alt: str | None
    """The other address of the same person."""
    phone: str | None
    name: str | None
    """As in the phone's address book."""
    push_name: str | None
    """What they call themselves."""
    business_name: str | None
    """A business's, as WhatsApp has verified it."""


@frozen(kw_only=True)
class ContactDetailView(ContactView):
    """Somebody, with what WhatsApp shows of them now."""

    about: str | None
    """None: hidden, or none."""
    picture_id: str | None
    blocked: bool


@frozen(kw_only=True)
class ContactsView:
    """A page of contacts, by address."""

    contacts: list[ContactView]
    cursor: str | None


@frozen(kw_only=True)
class PictureView:
    """A profile picture."""

    id: str
    url: str
    """Of WhatsApp's media host; good for some days."""
    type: str
    """`image`, or `preview`, the small one."""


@frozen(kw_only=True)
class AboutView:
    """What somebody says of themselves."""

    about: str | None
    """None: hidden from this account, or none."""


@frozen(kw_only=True)
class BlockedView:
    """Somebody who is blocked."""

    jid: str
    alt: str | None
    phone: str | None


@frozen(kw_only=True)
class BlocklistView:
    """Whom the account has blocked."""

    contacts: list[BlockedView]


@frozen(kw_only=True)
class CheckView:
    """Whether a number has an account."""

    phone: str
    exists: bool
    jid: str | None
    lid: str | None


@frozen(kw_only=True)
class AddressesView:
    """Both addresses of one person."""

    phone: str
    jid: str
    lid: str


@frozen(kw_only=True)
class BusinessView:
    """What the client library can tell of a business."""

    jid: str
    verified_name: str


@frozen
class _Check:
    phones: tuple[Phone, ...]

    def __attrs_post_init__(self) -> None:
        if not 1 <= len(self.phones) <= _MOST:
            raise MismatchError(f"expected 1 to {_MOST} phones", path="phones")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield sized("phones", 1, _MOST)


@frozen(kw_only=True)
class _Listing:
    q: str | None = None
    """Looked for in names and addresses."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class _Picture:
    preview: Flag | None = None
    """The small one."""


_UNKNOWN = (*PERFORMING, InvalidJid, errors.RecipientNotOnWhatsApp)


@operation(routes, "POST", "/contacts/check", scope=Scope.READ, body=_Check, answers={200: list[CheckView]})
async def check(session_id: str, body: _Check) -> list[CheckView]:
    """Which of these numbers have an account, in the order asked."""
    checks = await _check(session_id, body.phones)
    return [CheckView(phone=each.phone, exists=each.exists, jid=each.jid, lid=each.lid) for each in checks]


@operation(routes, "GET", "/contacts", scope=Scope.READ, query=_Listing, answers={200: ContactsView})
async def listing(session_id: str, query: _Listing) -> ContactsView:
    """Everybody in the phone's address book, and who wrote."""
    if query.cursor is None:
        await services().address_book.refresh(session_id)
    page = await services().reads.chats.people(session_id, q=query.q, cursor=query.cursor, limit=query.limit)
    return ContactsView(contacts=[_view(each) for each in page.items], cursor=page.cursor)


@operation(
    routes, "GET", "/contacts/blocked", scope=Scope.READ, answers={200: BlocklistView}, errors=PERFORMING
)
async def blocked(session_id: str) -> BlocklistView:
    """Whom the account has blocked."""

    async def act(client: Client) -> list[BlockedView]:
        found = []
        for address in await people.blocked(client):
            jid, alt = phone_first(address, await _other(client, address))
            found.append(BlockedView(jid=jid, alt=alt, phone=number_of(jid)))
        return found

    return BlocklistView(contacts=await perform(session_id, "contact.blocked", act))


@operation(
    routes, "GET", "/contacts/<jid>", scope=Scope.READ, answers={200: ContactDetailView}, errors=_UNKNOWN
)
async def get(session_id: str, jid: str) -> ContactDetailView:
    """Somebody by phone number or address, asked of WhatsApp now."""
    asked = _person(jid)

    async def act(client: Client) -> tuple[Address, ContactDetailView]:
        shown = await people.person(client, asked)
        first, alt = phone_first(asked, await _other(client, asked))
        if shown is None or not (shown.devices or alt):
            raise errors.RecipientNotOnWhatsApp(recipient=asked)
        known = Address(jid=first, alt=alt)
        for address in (first, alt):
            contact = None if address is None else await people.contact(client, address)
            if contact is not None:
                known = named(known, contact)
        view = _view(known)
        return known, ContactDetailView(
            jid=view.jid,
            alt=view.alt,
            phone=view.phone,
            name=view.name,
            push_name=view.push_name,
            business_name=view.business_name,
            about=shown.about,
            picture_id=shown.picture_id,
            blocked=bool({first, alt} & set(await people.blocked(client))),
        )

    known, view = await perform(session_id, "contact.get", act)
    await services().writer.cast(StoreAddresses(session_id, (known,)))
    return view


@operation(
    routes,
    "GET",
    "/contacts/<jid>/picture",
    scope=Scope.READ,
    query=_Picture,
    answers={200: PictureView},
    errors=(*PERFORMING, InvalidJid, errors.PictureNotFound),
)
async def picture(session_id: str, jid: str, query: _Picture) -> PictureView:
    """The picture of a person or a group."""
    asked = jid_of(jid)

    async def act(client: Client) -> PictureView:
        try:
            found = await people.picture(client, asked, preview=bool(query.preview))
        except WhatsAppError as error:
            if error.code not in {401, 404}:
                raise
            raise errors.PictureNotFound(reason=_HIDDEN if error.code == 401 else _NONE) from error
        if found is None:
            raise errors.PictureNotFound(reason=_NONE)
        return PictureView(id=found.id, url=found.url, type=found.type)

    return await perform(session_id, "contact.picture", act)


@operation(
    routes, "GET", "/contacts/<jid>/about", scope=Scope.READ, answers={200: AboutView}, errors=_UNKNOWN
)
async def about(session_id: str, jid: str) -> AboutView:
    """The text below somebody's name."""
    asked = _person(jid)

    async def act(client: Client) -> AboutView:
        shown = await people.person(client, asked)
        if shown is None:
            raise errors.RecipientNotOnWhatsApp(recipient=asked)
        return AboutView(about=shown.about)

    return await perform(session_id, "contact.about", act)


@operation(
    routes,
    "GET",
    "/contacts/<jid>/business",
    scope=Scope.READ,
    answers={200: BusinessView},
    errors=(*_UNKNOWN, errors.NotBusiness),
)
async def business(session_id: str, jid: str) -> BusinessView:
    """A business's verified name, which is all that the client library tells of its profile."""
    asked = _person(jid)

    async def act(client: Client) -> BusinessView:
        if await people.person(client, asked) is None:
            raise errors.RecipientNotOnWhatsApp(recipient=asked)
        known = await people.contact(client, asked)  # where the answer has been put
        if known is None or known.business_name is None:
            raise errors.NotBusiness(jid=asked)
        return BusinessView(jid=asked, verified_name=known.business_name)

    return await perform(session_id, "contact.business", act)


@operation(
    routes,
    "POST",
    "/contacts/<jid>/block",
    scope=Scope.SEND,
    answers={204: None},
    errors=_UNKNOWN,
)
async def block(session_id: str, jid: str) -> None:
    """Have nothing that this person sends reach the account any more."""
    await _set_blocked(session_id, jid, blocked=True)


@operation(
    routes,
    "POST",
    "/contacts/<jid>/unblock",
    scope=Scope.SEND,
    answers={204: None},
    errors=_UNKNOWN,
)
async def unblock(session_id: str, jid: str) -> None:
    """Let what this person sends reach the account again."""
    await _set_blocked(session_id, jid, blocked=False)


@operation(
    routes,
    "GET",
    "/lids/<lid>",
    scope=Scope.READ,
    answers={200: AddressesView},
    errors=(*PERFORMING, InvalidJid, NotFound),
)
async def phone_of_lid(session_id: str, lid: str) -> AddressesView:
    """The phone number behind a LID, if the account has learnt it: WhatsApp gives it to nobody who asks."""
    asked = lid if "@" in lid else f"{lid}@{LID}"
    if not (asked.endswith(f"@{LID}") and is_jid(asked)):
        raise InvalidJid(lid[:255])
    jid = await perform(session_id, "contact.phone", lambda client: client.phone_of(asked))
    if jid is None:
        raise NotFound("phone", asked)
    return AddressesView(phone=jid.partition("@")[0], jid=jid, lid=asked)


@operation(
    routes,
    "GET",
    "/lids/by-phone/<phone>",
    scope=Scope.READ,
    answers={200: AddressesView},
    errors=(*_UNKNOWN, NotFound),
)
async def lid_of_phone(session_id: str, phone: str) -> AddressesView:
    """The LID of a phone number."""
    if not is_phone(phone):
        raise InvalidJid(phone[:255])
    (checked,) = await _check(session_id, (Phone(phone),))
    if not checked.exists:
        raise errors.RecipientNotOnWhatsApp(recipient=phone)
    if checked.lid is None:
        raise NotFound("lid", phone)
    return AddressesView(phone=phone, jid=checked.jid or phone_jid(phone), lid=checked.lid)


async def _set_blocked(session_id: str, address: str, *, blocked: bool) -> None:
    asked = _person(address)
    if (phone := number_of(asked)) is not None:  # the client knows nothing of those it never asked about
        (checked,) = await _check(session_id, (Phone(phone),))
        if not checked.exists:
            raise errors.RecipientNotOnWhatsApp(recipient=phone)

    name = "contact.block" if blocked else "contact.unblock"
    await perform(session_id, name, lambda client: people.set_blocked(client, asked, blocked))


async def _check(session_id: str, phones: tuple[Phone, ...]) -> tuple[ContactCheck, ...]:
    session = services().sessions.ref(session_id)
    checks: tuple[ContactCheck, ...] = await session.call(CheckContacts(phones), timeout=_ANSWER_WAIT)
    return checks


def _person(address: str) -> str:
    jid = jid_of(address)
    if jid.rpartition("@")[2] not in USERS:
        raise InvalidJid(address[:255])
    return jid


async def _other(client: Client, jid: str) -> str | None:
    """The other address of a person, if the client has learnt it."""
    return await (client.phone_of(jid) if jid.endswith(f"@{LID}") else client.lid_of(jid))


def _view(address: Address) -> ContactView:
    return ContactView(
        jid=address.jid,
        alt=address.alt,
        phone=number_of(address.jid),
        name=address.name,
        push_name=address.push_name,
        business_name=address.business_name,
    )
