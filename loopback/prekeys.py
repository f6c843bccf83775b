"""Prekeys: the keys devices deposit so that others can write to them while they are away."""

from attrs import evolve, frozen

from loopback.accounts import PHONE, Account, Accounts, Device
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.faults import Faults, Kind
from loopback.signal import PreKey, PreKeyBundle, SignalError
from loopback.store import Store
from loopback.wire.node import JID, SERVER, Node

__all__ = ["Prekeys", "bundle_nodes"]

ENOUGH = 5  # one-time keys; with fewer left a device is asked for more
KEY_TYPE = b"\x05"


@frozen
class OneTimeKey:
    """One of the keys that each serve one sender; stored one by one, for they come by the hundred."""

    public: bytes


class Prekeys:
    """Answers `encrypt` queries."""

    def __init__(self, store: Store, accounts: Accounts, deliveries: Deliveries, faults: Faults) -> None:
        self._store = store
        self._accounts = accounts
        self._deliveries = deliveries
        self._faults = faults
        self._bundles = {JID.parse(name): b for name, b in store.load("bundle", PreKeyBundle).items()}
        self._once: dict[JID, dict[int, bytes]] = {}
        for name, key in store.load("prekey", OneTimeKey).items():
            device, _, key_id = name.rpartition("/")
            self._once.setdefault(JID.parse(device), {})[int(key_id)] = key.public

    def answer(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Answer one query. Raises Refused."""
        own = account.lid_jid.with_device(device.number)
        if iq.attr("type") == "set":
            self._upload(own, iq)
            return None
        if iq.child("count") is not None:
            return Node("count", {"value": len(self._once.get(own, {}))})
        if iq.child("digest") is not None:
            return self._digest(own)
        if (wanted := iq.child("key")) is not None:
            fault = self._faults.strike(Kind.PREKEY_ERROR, account.phone)
            if fault is not None:
                raise Refused(fault.code or 429, "rate-overlimit")
            return Node("list", {}, [self._bundle_node(user) for user in wanted.children("user")])
        raise Refused(400, "bad-request")

    def deposit(self, device: JID, bundle: PreKeyBundle) -> None:
        """Keep what a device shows of itself; one-time keys it deposited before stay good."""
        self._bundles[device] = bundle
        self._store.put("bundle", str(device), bundle)

    def take(self, device: JID) -> PreKeyBundle | None:
        """A bundle to write to a device with; its one-time key is used up. None if nothing was deposited."""
        bundle = self._bundles.get(device)
        once = self._once.get(device)
        if bundle is None or not once:
            return bundle
        key_id = next(iter(once))
        prekey = PreKey(key_id, once.pop(key_id))
        self._store.delete("prekey", f"{device}/{key_id}")
        if len(once) == ENOUGH - 1:
            news = Node("count", {"value": len(once)})
            self._deliveries.put(device, notification("encrypt", SERVER, news))
        return evolve(bundle, prekey=prekey)

    def forget(self, device: JID) -> None:
        """The device is no more."""
        self._bundles.pop(device, None)
        self._once.pop(device, None)
        self._store.delete("bundle", str(device))
        self._store.delete_under("prekey", f"{device}/")

    def _upload(self, device: JID, iq: Node) -> None:
        identity, registration, signed = iq.child("identity"), iq.child("registration"), iq.child("skey")
        keys = iq.child("list")
        if identity is None or registration is None or signed is None or keys is None:
            raise Refused(400, "bad-request")
        signed_id, public, signature = _key(signed)
        bundle = PreKeyBundle(
            int.from_bytes(registration.data, "big"), identity.data, signed_id, public, signature
        )
        try:
            bundle.check()
        except SignalError as forged:
            raise Refused(406, "not-acceptable") from forged
        self.deposit(device, bundle)
        once = self._once.setdefault(device, {})
        for node in keys.children("key"):
            key_id, public, _ = _key(node)
            once[key_id] = public
            self._store.put("prekey", f"{device}/{key_id}", OneTimeKey(public))

    def _bundle_node(self, user: Node) -> Node:
        asked = user.jid("jid")
        account = self._accounts.resolve(asked)
        bundle = None
        if account is not None and asked is not None and asked.device in account.numbers:
            bundle = self.take(account.lid_jid.with_device(asked.device))
        if account is None or asked is None or bundle is None:
            return Node("user", {"jid": asked}, Node("error", {"code": 404, "text": "item-not-found"}))
        keys = [_registration(bundle), *bundle_nodes(bundle)]
        if asked.device != PHONE:
            keys.append(Node("device-identity", {}, account.devices[asked.device].signed_identity))
        return Node("user", {"jid": asked}, keys)

    def _digest(self, device: JID) -> Node:
        """What the network holds for the device itself, so that it can tell whether to upload anew."""
        bundle = self._bundles.get(device)
        if bundle is None:
            raise Refused(404, "item-not-found")
        return Node(
            "digest",
            {},
            [
                _registration(bundle),
                *bundle_nodes(bundle),
                Node("list", {}, [Node("id", {}, i.to_bytes(3, "big")) for i in self._once.get(device, {})]),
            ],
        )


def bundle_nodes(bundle: PreKeyBundle) -> list[Node]:
    """The keys of a bundle."""
    keys = [Node("type", {}, KEY_TYPE), Node("identity", {}, bundle.identity_key)]
    if bundle.prekey is not None:
        keys.append(_key_node("key", bundle.prekey.id, bundle.prekey.public))
    signed = (bundle.signed_prekey_id, bundle.signed_prekey, bundle.signed_prekey_signature)
    return [*keys, _key_node("skey", *signed)]


def _registration(bundle: PreKeyBundle) -> Node:
    return Node("registration", {}, bundle.registration_id.to_bytes(4, "big"))


def _key(node: Node) -> tuple[int, bytes, bytes]:
    """Id, public key and signature (b"" if there is none) of a key."""
    parts = [node.child("id"), node.child("value"), node.child("signature")]
    key_id, value, signature = (part.data if part is not None else b"" for part in parts)
    if len(value) != 32:
        raise Refused(400, "bad-request")
    return int.from_bytes(key_id, "big"), value, signature


def _key_node(tag: str, key_id: int, public: bytes, signature: bytes | None = None) -> Node:
    parts = [Node("id", {}, key_id.to_bytes(3, "big")), Node("value", {}, public)]
    if signature is not None:
        parts.append(Node("signature", {}, signature))
    return Node(tag, {}, parts)
