"""Accounts: who exists on the network, under which number and which hidden identifier, with which devices."""

import secrets
import time
from collections.abc import Iterator

from attrs import Factory, define, frozen

from loopback.store import Store
from loopback.wire.node import HOSTED, HOSTED_LID, JID, LEGACY, LID, PN

__all__ = ["PHONE", "Account", "Accounts", "Business", "Device"]

PHONE = 0  # the number of the device that is the phone itself


@define(eq=False)
class Device:
    """A companion that was linked to an account's phone."""

    number: int
    noise_key: bytes  # public; proves at login that it is the device that was paired
    identity: bytes  # its public Signal identity key
    registration: int
    signed_identity: bytes = (
        b""  # ADVSignedDeviceIdentity with both signatures; empty until the device signed
    )
    linked: int = 0  # Unix seconds
    greeted: bool = False  # whether the phone has shared the settings keys with it


@frozen
class Business:
    """What an account shows of its business."""

    name: str
    certificate: bytes  # VerifiedNameCertificate: the name, signed by the account's phone
    description: str = ""
    category: str = ""
    address: str = ""
    email: str = ""
    website: str = ""


@define(eq=False)
class Account:
    """A registered phone number. Its phone is device 0; companions are numbered from 1 and never reused."""

    phone: str  # digits only, with country code
    lid: str
    name: str  # the push name, as others see it
    registered: int
    devices: dict[int, Device] = Factory(dict)
    next_device: int = 1
    watchers: set[str] = Factory(set)  # lids of accounts that asked for this one's devices
    blocked: set[str] = Factory(set)  # lids whose messages do not reach this account
    contacts: dict[str, str] = Factory(dict)  # the phone's address book: lid to name
    trusted: dict[str, str] = Factory(dict)  # lids that may write unasked, and the token they were given, hex
    privacy: dict[str, str] = Factory(dict)
    about: str = ""
    about_set: int = 0
    picture: str = ""  # "id path" of the profile picture, empty for none
    last_seen: int = 0  # Unix seconds
    contact_code: str = ""  # of the link under which it can be found
    disappearing: int = 0  # seconds messages last in new chats, 0 for ever
    disappearing_set: int = 0
    business: Business | None = None

    @property
    def pn_jid(self) -> JID:
        return JID(self.phone, PN)

    @property
    def lid_jid(self) -> JID:
        return JID(self.lid, LID)

    @property
    def numbers(self) -> list[int]:
        """Numbers of all its devices, the phone first."""
        return [PHONE, *(number for number, device in self.devices.items() if device.signed_identity)]

    def shows(self, what: str, asker: "Account") -> bool:
        """Whether a privacy setting lets somebody see something, or do it to this account."""
        if asker is self:
            return True
        if asker.lid in self.blocked:
            return False
        match self.privacy.get(what, "all"):
            case "none":
                return False
            case "contacts" | "contact_blacklist" | "contact_allowlist" | "known":
                return asker.lid in self.contacts
            case _:
                return True

    @property
    def device_jids(self) -> list[JID]:
        """All its devices by hidden identifier, the phone first."""
        return [self.lid_jid.with_device(number) for number in self.numbers]


class Accounts:
    """Every account of the network, kept in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_phone = store.load("account", Account)
        self._by_lid = {account.lid: account for account in self._by_phone.values()}

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._by_phone.values()))

    def register(self, phone: str, name: str) -> Account:
        """A new account with a fresh hidden identifier. Raises ValueError if the number is taken."""
        if phone in self._by_phone:
            raise ValueError("this number is registered already")
        lid = str(secrets.randbelow(9 * 10**14) + 10**14)
        account = Account(phone, lid, name, int(time.time()))
        self._by_phone[phone] = self._by_lid[lid] = account
        self.save(account)
        return account

    def save(self, account: Account) -> None:
        self._store.put("account", account.phone, account)

    def by_phone(self, phone: str) -> Account | None:
        return self._by_phone.get(phone)

    def by_lid(self, lid: str) -> Account | None:
        return self._by_lid.get(lid)

    def resolve(self, jid: JID | None) -> Account | None:
        """The account behind an address by number or hidden identifier, of whichever of its devices."""
        if jid is None:
            return None
        if jid.server in {PN, LEGACY, HOSTED}:
            return self._by_phone.get(jid.user.lstrip("+"))
        return self._by_lid.get(jid.user) if jid.server in {LID, HOSTED_LID} else None
