"""The network: its parts put together, and each client's stanzas brought to the part that answers them."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import trio

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.administration import Administration
from loopback.answers import Refused, error, result
from loopback.attempts import Attempts
from loopback.businesses import Businesses
from loopback.calls import Calls
from loopback.channels import Channels
from loopback.connection import Connection
from loopback.deliveries import Deliveries
from loopback.directory import Directory
from loopback.faults import Fault, Faults, Kind
from loopback.graph import Graph
from loopback.groups import Groups
from loopback.log import log
from loopback.logins import Logins
from loopback.media import Media
from loopback.messages import Messages
from loopback.pairing import CODE_LIFETIME, Pairing
from loopback.phone import Phone, Post
from loopback.pictures import Pictures
from loopback.posts import Posts
from loopback.prekeys import Prekeys
from loopback.presence import Presence
from loopback.profiles import SET_ABOUT, Profiles
from loopback.receipts import Receipts
from loopback.settings import Settings
from loopback.store import Store
from loopback.trust import Trust
from loopback.wire.gate import Fault as GateFault
from loopback.wire.gate import Stage
from loopback.wire.http import HttpRequest, HttpResponse
from loopback.wire.link import Link
from loopback.wire.node import JID, NEWSLETTER, SERVER, Node

__all__ = ["Network"]

_logger = logging.getLogger("loopback")

Answer = Callable[[Account, Device, Node], Node | None]

REPLACED = Node("stream:error", {}, Node("conflict", {"type": "replaced"}))

# Requests that are taken note of and need nothing done here.
ACCEPTED = {
    "w:p",
    "urn:xmpp:ping",
    "urn:xmpp:whatsapp:push",
    "urn:xmpp:whatsapp:dirty",
    "urn:xmpp:whatsapp:account",
    "w:stats",
    "w:web",
    "tos",
    "fb:thrift_iq",
}


class Network:
    """A WhatsApp of its own; its parts may be talked to directly.

    Without a directory it forgets everything when it ends.

    `run` keeps it going; `serve_link` and `serve_http` are what the proxy hands its clients to.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.store = Store(directory)
        self.faults = Faults()
        self.logins = Logins()
        self.attempts = Attempts()
        self.accounts = Accounts(self.store)
        self.deliveries = Deliveries(self.store)
        self.groups = Groups(self.store, self.accounts)
        self.prekeys = Prekeys(self.store, self.accounts, self.deliveries, self.faults)
        self.directory = Directory(self.accounts, self.deliveries, self.faults)
        self.messages = Messages(self.accounts, self.groups, self.deliveries, self.faults)
        self.receipts = Receipts(self.accounts, self.deliveries)
        self.media = Media(directory / "media" if directory is not None else None, self.faults)
        self.pairing = Pairing(self.accounts, self.prekeys, self.directory)
        self.presence = Presence(self.accounts, self.groups, self.connections_of)
        self.channels = Channels(self.store, self.accounts, self.deliveries, self.media)
        self.posts = Posts(self.channels, self.deliveries)
        self.calls = Calls(self.deliveries)
        self.settings = Settings(self.store, self.deliveries, self.media)
        self.trust = Trust(self.accounts, self.deliveries)
        self.profiles = Profiles(self.accounts, self.deliveries, self.trust)
        self.pictures = Pictures(self.accounts, self.groups, self.deliveries, self.media)
        self.phones: dict[str, Phone] = {}
        self._connections: dict[JID, Connection] = {}
        self._unpaired: set[Connection] = set()
        self.administration = Administration(self.accounts, self.groups, self.deliveries)
        self._answers: dict[str, Answer] = {
            "encrypt": self.prekeys.answer,
            "usync": self.directory.answer,
            "w:g2": self._group_request,
            "w:m": self.media.answer,
            "w:sync:app:state": self.settings.answer,
            "privacy": self.profiles.privacy,
            "blocklist": self.profiles.blocklist,
            "disappearing_mode": self.profiles.disappearing_mode,
            "w:mex": Graph({SET_ABOUT: self.profiles.set_about, **self.channels.queries}).answer,
            "newsletter": self.posts.answer,
            "status": self.profiles.status,
            "w:profile:picture": self.pictures.answer,
            "w:biz": Businesses(self.accounts).answer,
            "w:qr": self.profiles.contact_link,
            "abt": lambda account, device, iq: Node("props"),  # noqa: ARG005
            "w": lambda account, device, iq: Node("props"),  # noqa: ARG005
        }
        # Phones take one stanza after the other, each after what it answers has gone its way.
        self._for_phones, self._phone_work = trio.open_memory_channel[tuple[Phone, Node]](math.inf)
        for account in self.accounts:
            self._switch_on(account, auto_read=False)
        self.store.commit()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let the phones live, until cancelled."""
        task_status.started()
        async for phone, node in self._phone_work:
            try:
                phone.receive(node)
            except Exception:
                # One stanza that a phone cannot handle is not the end of all phones.
                _logger.exception("phone_failed")
            self.store.commit()

    def close(self) -> None:
        """Write what is left to write."""
        self.store.close()

    # --- Phones -------------------------------------------------------------------------------------------

    def register(self, phone: str, name: str, *, auto_read: bool = False) -> Phone:
        """A new person with a phone. Raises ValueError if the number is taken."""
        account = self.accounts.register(phone, name)
        made = self._switch_on(account, auto_read=auto_read)
        self.store.commit()
        log("phone_registered", phone=phone)
        return made

    def unlink(self, account: Account, number: int) -> None:
        """The phone removes a companion. Raises LookupError if it has none of that number."""
        jid = account.lid_jid.with_device(number)
        if number not in account.devices:
            raise LookupError("this phone has no such companion")
        self._remove(account, number)
        if (connection := self._connections.get(jid)) is not None:
            removed = Node("conflict", {"type": "device_removed"})
            self._end(connection, Node("stream:error", {"code": 401}, removed))
        log("device_unlinked", phone=account.phone, device=number)

    def _switch_on(self, account: Account, *, auto_read: bool) -> Phone:
        phone = Phone(
            self.store,
            account,
            accounts=self.accounts,
            groups=self.groups,
            prekeys=self.prekeys,
            deliveries=self.deliveries,
            settings=self.settings,
            media=self.media,
            post=Post(self._submit, self.receipts.accept, self.trust.give),
            auto_read=auto_read,
        )
        self.phones[account.phone] = phone
        self.deliveries.attach(account.lid_jid, lambda node: self._for_phones.send_nowait((phone, node)))
        return phone

    def _remove(self, account: Account, number: int) -> None:
        jid = account.lid_jid.with_device(number)
        del account.devices[number]
        self.accounts.save(account)
        self.prekeys.forget(jid)
        self.deliveries.forget(jid)
        self.directory.devices_changed(account, number)

    # --- Connections --------------------------------------------------------------------------------------

    def connections_of(self, account: Account) -> list[Connection]:
        """The links of an account's companions."""
        jids = account.device_jids
        return [connection for jid in jids if (connection := self._connections.get(jid)) is not None]

    def connections(self, phone: str | None = None) -> list[Connection]:
        """All links, those of clients that are being paired included, or those of one number."""
        if phone is None:
            return [*self._connections.values(), *self._unpaired]
        return [connection for connection in self._connections.values() if connection.phone == phone]

    async def strike_now(self, kind: Kind, phone: str | None, code: int | None) -> int:
        """Do a fault that happens once; how many links it hit."""
        struck = self.connections(phone)
        for connection in struck:
            match kind:
                case Kind.DROP:
                    await connection.cut()
                case Kind.REPLACED:
                    self._end(connection, REPLACED)
                case _:
                    self._end(connection, Node("stream:error", {"code": code or 503}))
        return len(struck)

    def gate(self, host: str, stage: Stage) -> GateFault | None:
        """What befalls a new connection; for the proxy."""
        if stage is Stage.CONNECT:
            self.attempts.connecting(host)
        return self.faults.gate(host, stage)

    async def serve_link(self, link: Link) -> None:
        """Serve one client from its login to the end of its link."""
        connection = Connection(link, self.store, self.faults)
        if link.payload.HasField("username"):
            await self._serve_device(connection)
        else:
            self._unpaired.add(connection)
            self.pairing.begin(connection)
            try:
                with trio.move_on_after(CODE_LIFETIME):
                    await connection.run(self._handle_unpaired)
            finally:
                self._unpaired.discard(connection)
                self.pairing.end(connection)
                self.store.commit()

    async def serve_http(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to a media host."""
        return await self.media.handle(request)

    async def _serve_device(self, connection: Connection) -> None:
        payload = connection.link.payload
        connection.phone_hint = str(payload.username)
        account = self.accounts.by_phone(connection.phone_hint)
        device = account.devices.get(payload.device) if account is not None else None
        fault = self.faults.strike(Kind.REFUSE_LOGIN, connection.phone_hint)
        known = device is not None and device.noise_key == connection.link.noise_key
        self.attempts.login(connection.phone_hint, payload.device, accepted=fault is None and known)
        if fault is not None:
            connection.finish(_failure(fault))
        elif account is None or device is None or not known:
            connection.finish(Node("failure", {"reason": 401}))
        else:
            self._log_in(connection, account, device)
        try:
            await connection.run(self._handle)
        finally:
            self._gone(connection)

    def _log_in(self, connection: Connection, account: Account, device: Device) -> None:
        connection.account, connection.device = account, device
        connection.login = self.logins.add(account.phone, device.number, connection.link.peer)
        before = self._connections.get(connection.jid)
        self._connections[connection.jid] = connection
        if before is not None:
            if before.login is not None:
                before.login.replace(connection.login)
            self._end(before, REPLACED)
        log("device_logged_in", phone=account.phone, device=device.number)
        attrs: Attrs = {"t": int(time.time()), "lid": connection.jid, "creation": account.registered}
        connection.send(Node("success", attrs))

    def _end(self, connection: Connection, last: Node) -> None:
        """Send a last stanza; what comes for the device from now on waits for its next link."""
        if connection.account is not None:
            self.deliveries.detach(connection.jid, connection.send)
        connection.finish(last)

    def _gone(self, connection: Connection) -> None:
        if connection.account is None or connection.login is None:
            return
        connection.login.end()
        self.presence.gone(connection)
        self.deliveries.detach(connection.jid, connection.send)
        if self._connections.get(connection.jid) is connection:
            del self._connections[connection.jid]
        self.store.commit()
        log("device_gone", phone=connection.phone, device=connection.jid.device)

    # --- Stanzas ------------------------------------------------------------------------------------------

    def _handle_unpaired(self, connection: Connection, node: Node) -> None:
        self._guarded(connection, node, self.pairing.handle)

    def _handle(self, connection: Connection, node: Node) -> None:
        self._guarded(connection, node, self._dispatch)

    @staticmethod
    def _guarded(connection: Connection, node: Node, handle: Callable[[Connection, Node], None]) -> None:
        """Let a part handle a stanza; what it refuses, or cannot do, hurts nobody but this client."""
        try:
            handle(connection, node)
        except Refused as refused:
            connection.send(error(node, refused))
        except Exception:
            _logger.exception("stanza_failed tag=%s xmlns=%s", node.tag, node.attr("xmlns"))
            if node.tag == "iq":
                connection.send(error(node, Refused(500, "internal-server-error")))

    def _dispatch(self, connection: Connection, node: Node) -> None:
        account, device = connection.account, connection.device
        if account is None or device is None:
            return  # it was refused and is on its way out
        match node.tag:
            case "iq" if node.attr("type") in {"get", "set"}:
                self._answer(connection, account, device, node)
            case "message":
                self._take_message(connection, account, device, node)
            case "receipt":
                if node.attr("type") == "view":
                    self.posts.view(account, node)
                connection.send(self.receipts.accept(account, device.number, node))
            case "ack":
                kind = node.attr("class") or ""
                subtype = node.attr("type") or "" if kind == "receipt" else ""
                self.deliveries.settle(
                    connection.jid, kind, node.attr("id") or "", node.attr("to") or "", subtype
                )
            case "presence":
                self.presence.handle(connection, node)
            case "chatstate":
                self.presence.typing(account, node)
            case "call":
                connection.send(self.calls.accept(account, device.number, node))

    def _answer(self, connection: Connection, account: Account, device: Device, iq: Node) -> None:
        namespace = iq.attr("xmlns") or ""
        if namespace == "passive":
            connection.send(result(iq))
            self._set_active(connection, account, device, active=iq.child("active") is not None)
        elif namespace == "md" and iq.child("remove-companion-device") is not None:
            self._end(connection, result(iq))
            self._remove(account, device.number)
            log("device_logged_out", phone=account.phone, device=device.number)
        elif namespace in ACCEPTED:
            connection.send(result(iq))
        elif (answer := self._answers.get(namespace)) is not None:
            connection.send(result(iq, answer(account, device, iq)))
        else:
            log("request_unknown", xmlns=namespace, request=next((n.tag for n in iq.children()), None))
            raise Refused(501, "feature-not-implemented")

    def _group_request(self, account: Account, device: Device, iq: Node) -> Node | None:
        if (pictures := iq.child("pictures")) is not None:
            return self.pictures.of_community(account, pictures)
        return self.administration.answer(account, device, iq)

    def _set_active(self, connection: Connection, account: Account, device: Device, *, active: bool) -> None:
        """From `active` on a device gets its messages, first those that waited."""
        if not active:
            connection.active = False
            self.deliveries.detach(connection.jid, connection.send)
            return
        if connection.active:
            return
        connection.active = True
        waiting = self.deliveries.waiting(connection.jid)
        if waiting:
            count = {
                tag: sum(node.tag == tag for node in waiting)
                for tag in ("message", "notification", "receipt")
            }
            preview = Node("offline_preview", {"count": len(waiting), "appdata": 0, **count})
            connection.send(Node("ib", {"from": SERVER}, preview))
        self.deliveries.attach(connection.jid, connection.send)
        connection.send(Node("ib", {"from": SERVER}, Node("offline", {"count": len(waiting)})))
        if not device.greeted:
            device.greeted = True
            self.accounts.save(account)
            self.phones[account.phone].companions.greet(device)

    def _take_message(self, connection: Connection, account: Account, device: Device, message: Node) -> None:
        if (fault := self.faults.strike(Kind.ACK_ERROR, account.phone)) is not None:
            attrs = {
                "class": "message",
                "id": message.attr("id"),
                "from": message.jid("to"),
                "t": int(time.time()),
                "error": fault.code or 479,
            }
            connection.send(Node("ack", attrs))
            return
        ack = self._submit(account, device.number, message)
        if self.faults.strike(Kind.NO_ACK, account.phone) is None:
            connection.send(ack)

    def _submit(self, account: Account, number: int, message: Node) -> Node:
        """Bring a message of a client or phone to the part that passes it on; the acknowledgement."""
        to = message.jid("to")
        part = self.posts if to is not None and to.server == NEWSLETTER else self.messages
        return part.accept(account, number, message)


def _failure(fault: Fault) -> Node:
    """Why a login is refused. Clients want to know how long a temporary ban (402) lasts."""
    reason = fault.code or 503
    ban = {"code": fault.ban_code, "expire": fault.ban_seconds or 3600} if reason == 402 else {}
    return Node("failure", {"reason": reason, **ban})
