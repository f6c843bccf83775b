"""Linking a companion to an account's phone: by the QR code it shows, or by a code typed into the phone.

A client without an account gets references that it shows as QR codes. Whoever scans one, or types the code
that the client shows instead, has its phone sign the client's identity; the client signs too, and is a device
of the account from then on. It is told to connect anew, now as that device.
"""

import secrets
import time

import trio
from attrs import Factory, define

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, new_id, notification, result
from loopback.connection import Connection
from loopback.directory import Directory
from loopback.log import log
from loopback.phone import Phone
from loopback.prekeys import Prekeys
from loopback.signal import KeyPair, PreKeyBundle, SignalError
from loopback.signal.adv import parse_qr, sign_companion, verify_companion
from loopback.signal.errors import UndecryptableError
from loopback.signal.paircode import open_ephemeral, open_key_bundle, parse_code, wrap_ephemeral
from loopback.wire.node import SERVER, Node

__all__ = ["CODE_LIFETIME", "Pairing", "PairingFailed"]

REFERENCES = 6
CODE_LIFETIME = 160.0  # seconds: the client shows the first reference for 60, the five others for 20 each
PATIENCE = 20.0  # seconds the phone waits for the companion's part


class PairingFailed(Exception):
    """A companion was not linked. `code` says why, for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@define(eq=False)
class CodeRequest:
    """A client waits for somebody to type the code that it shows."""

    reference: bytes
    phone: str
    wrapped: bytes  # its ephemeral key, hidden under the code
    ephemeral: KeyPair | None = None  # the phone's, once the code was typed
    companion_ephemeral: bytes = b""
    phone_asked: Phone | None = None


@define(eq=False)
class Candidate:
    """A client that wants to be linked, and how far that has got."""

    connection: Connection
    bundle: PreKeyBundle  # what it showed of its Signal keys
    references: list[str]
    by_code: CodeRequest | None = None
    account: Account | None = None
    device: Device | None = None
    success_id: str = ""
    failure: PairingFailed | None = None
    done: trio.Event = Factory(trio.Event)

    def fail(self, code: str, text: str) -> None:
        self.failure = PairingFailed(code, text)
        self.done.set()


class Pairing:
    """The candidates of the network."""

    def __init__(self, accounts: Accounts, prekeys: Prekeys, directory: Directory) -> None:
        self._accounts = accounts
        self._prekeys = prekeys
        self._directory = directory
        self._candidates: dict[Connection, Candidate] = {}

    # --- The client's side --------------------------------------------------------------------------------

    def begin(self, connection: Connection) -> None:
        """Give a client that has no account its references."""
        data = connection.link.payload.devicePairingData
        bundle = PreKeyBundle(
            registration_id=int.from_bytes(data.eRegid, "big"),
            identity_key=data.eIdent,
            signed_prekey_id=int.from_bytes(data.eSkeyID, "big"),
            signed_prekey=data.eSkeyVal,
            signed_prekey_signature=data.eSkeySig,
        )
        try:
            bundle.check()
        except SignalError:
            connection.finish(Node("failure", {"reason": 400}))
            return
        references = [f"2@{secrets.token_urlsafe(64)}" for _ in range(REFERENCES)]
        self._candidates[connection] = Candidate(connection, bundle, references)
        refs = [Node("ref", {}, reference) for reference in references]
        attrs: Attrs = {"from": SERVER, "type": "set", "id": new_id(), "xmlns": "md"}
        connection.send(Node("iq", attrs, Node("pair-device", {}, refs)))

    def end(self, connection: Connection) -> None:
        """The client's link is gone."""
        candidate = self._candidates.pop(connection, None)
        if candidate is not None and not candidate.done.is_set():
            self._withdraw(candidate)
            candidate.fail("companion-gone", "the client left before it was linked")

    def handle(self, connection: Connection, node: Node) -> None:
        """A stanza of a client that has no account yet. Raises Refused."""
        candidate = self._candidates.get(connection)
        if candidate is None or node.tag != "iq":
            return
        kind = node.attr("type")
        if kind == "set" and (request := node.child("link_code_companion_reg")) is not None:
            answer = self._code_stage(candidate, request)
            connection.send(result(node, answer))
            if answer is None:
                self._finish_code(candidate, request)
        elif kind in {"get", "set"}:
            connection.send(result(node))  # keep-alive
        elif node.attr("id") == candidate.success_id:
            self._signed(candidate, node)

    def _code_stage(self, candidate: Candidate, request: Node) -> Node | None:
        if request.attr("stage") == "companion_hello":
            jid = request.jid("jid")
            wrapped = request.child("link_code_pairing_wrapped_companion_ephemeral_pub")
            if jid is None or wrapped is None:
                raise Refused(400, "bad-request")
            reference = secrets.token_bytes(16)
            candidate.by_code = CodeRequest(reference, jid.user, wrapped.data)
            return Node("link_code_companion_reg", {}, Node("link_code_pairing_ref", {}, reference))
        if candidate.by_code is None or candidate.by_code.ephemeral is None:
            raise Refused(400, "bad-request")
        return None

    def _finish_code(self, candidate: Candidate, request: Node) -> None:
        """The companion answered the phone: with the right code both now have the same secret."""
        pending, bundle = candidate.by_code, request.child("link_code_pairing_wrapped_key_bundle")
        assert pending is not None
        assert pending.ephemeral is not None
        assert pending.phone_asked is not None
        phone = pending.phone_asked
        try:
            companion = open_key_bundle(
                bundle.data if bundle is not None else b"",
                ephemeral=pending.ephemeral,
                companion_ephemeral=pending.companion_ephemeral,
                account=phone.identity,
            )
        except UndecryptableError:
            candidate.fail("wrong-code", "this is not the code that the client shows")
        except SignalError:
            candidate.fail("pairing-refused", "the client's answer is malformed")
        else:
            self._accept(candidate, phone, companion.identity_key, companion.adv_secret)

    def _signed(self, candidate: Candidate, answer: Node) -> None:
        """The companion's answer to its acceptance."""
        account, device = candidate.account, candidate.device
        assert account is not None
        assert device is not None
        identity = answer.child("pair-device-sign", "device-identity")
        phone_key = self._prekeys.take(account.lid_jid)
        assert phone_key is not None
        try:
            if identity is None:
                raise SignalError("the client refused the phone's signature")  # noqa: TRY301
            device.signed_identity = verify_companion(identity.data, device.identity, phone_key.identity_key)
        except SignalError as refused:
            self._withdraw(candidate)
            candidate.fail("pairing-refused", str(refused))
            return
        device.linked = int(time.time())
        self._prekeys.deposit(account.lid_jid.with_device(device.number), candidate.bundle)
        self._accounts.save(account)
        self._directory.devices_changed(account, device.number)
        log("device_linked", phone=account.phone, device=device.number)
        candidate.connection.finish(Node("stream:error", {"code": 515}))
        candidate.done.set()

    # --- The phone's side ---------------------------------------------------------------------------------

    async def scan(self, phone: Phone, qr: str) -> Device:
        """The phone scans a QR code; the new device once it has signed. Raises PairingFailed."""
        try:
            code = parse_qr(qr)
        except SignalError as malformed:
            raise PairingFailed("malformed-qr", str(malformed)) from malformed
        for candidate in self._candidates.values():
            if code.ref in candidate.references and candidate.account is None:
                break
        else:
            raise PairingFailed("unknown-qr", "no client waits with this QR code")
        told = (code.noise_key, code.identity_key)
        if told != (candidate.connection.link.noise_key, candidate.bundle.identity_key):
            raise PairingFailed("unknown-qr", "the QR code is not of the client that waits with it")
        self._accept(candidate, phone, code.identity_key, code.adv_secret)
        return await self._outcome(candidate)

    async def enter_code(self, phone: Phone, typed: str) -> Device:
        """Somebody types a code into the phone; the new device once it has signed. Raises PairingFailed."""
        try:
            code = parse_code(typed)
        except SignalError as malformed:
            raise PairingFailed("malformed-code", str(malformed)) from malformed
        for candidate in reversed(self._candidates.values()):
            pending = candidate.by_code
            if pending is not None and pending.phone == phone.account.phone and candidate.account is None:
                break
        else:
            raise PairingFailed("no-code-asked", "no client waits for a code typed into this phone")
        # The derivations are slow on purpose.
        opened = await trio.to_thread.run_sync(open_ephemeral, code, pending.wrapped)
        ephemeral = KeyPair.generate()
        wrapped = await trio.to_thread.run_sync(wrap_ephemeral, code, ephemeral.public)
        pending.companion_ephemeral, pending.ephemeral, pending.phone_asked = opened, ephemeral, phone
        parts = [
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped),
            Node("primary_identity_pub", {}, phone.identity.public),
            Node("link_code_pairing_ref", {}, pending.reference),
        ]
        reg = Node("link_code_companion_reg", {"stage": "primary_hello"}, parts)
        candidate.connection.send(notification("link_code_companion_reg", SERVER, reg))
        return await self._outcome(candidate)

    def _accept(self, candidate: Candidate, phone: Phone, identity: bytes, adv_secret: bytes) -> None:
        """Make the client a device of the phone's account, as far as the phone is concerned."""
        account = phone.account
        link = candidate.connection.link
        number = account.next_device
        account.next_device += 1
        device = Device(number, link.noise_key, identity, candidate.bundle.registration_id)
        account.devices[number] = device
        self._accounts.save(account)
        candidate.account, candidate.device, candidate.success_id = account, device, new_id()
        now = int(time.time())
        blob = sign_companion(phone.identity, identity, adv_secret, key_index=number, timestamp=now)
        parts = [
            Node("device-identity", {}, blob),
            Node(
                "device",
                {"jid": account.pn_jid.with_device(number), "lid": account.lid_jid.with_device(number)},
            ),
            Node("platform", {"name": "android"}),
        ]
        attrs: Attrs = {"from": SERVER, "type": "set", "id": candidate.success_id, "t": now}
        candidate.connection.send(Node("iq", attrs, Node("pair-success", {}, parts)))

    async def _outcome(self, candidate: Candidate) -> Device:
        with trio.move_on_after(PATIENCE):
            await candidate.done.wait()
        if candidate.failure is not None:
            failure, candidate.failure = candidate.failure, None
            candidate.done = trio.Event()  # another code may be tried
            raise failure
        if not candidate.done.is_set() or candidate.device is None:
            raise PairingFailed("companion-silent", "the client did not answer in time")
        return candidate.device

    def _withdraw(self, candidate: Candidate) -> None:
        """The device that was to be is none."""
        account, device = candidate.account, candidate.device
        if account is not None and device is not None and not device.signed_identity:
            account.devices.pop(device.number, None)
            self._accounts.save(account)
        candidate.account = candidate.device = None
