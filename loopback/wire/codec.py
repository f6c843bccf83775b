"""The binary form of stanzas: `encode` and `decode`, for what lies inside the encryption.

A flag byte, then a list of tag, attribute names and values, and content. Strings take many forms (tokens,
packed digits, raw bytes); all are read, while tokens and raw bytes are what is written.
"""

import zlib
from typing import Final

from attrs import define

from loopback.wire.errors import MalformedNode
from loopback.wire.node import HOSTED, HOSTED_LID, JID, LID, PN, Node
from loopback.wire.tokens import tokens

__all__ = ["decode", "encode"]

_ZLIB: Final = 2  # in the flag byte
_DEPTH: Final = 64  # nodes in nodes; real ones stay below 10
_INFLATED: Final = 1 << 26  # bytes a compressed stanza may grow to

_EMPTY: Final = 0
_DOUBLE: Final = 236  # to 239
_AD_JID: Final = 247
_LIST8: Final = 248
_LIST16: Final = 249
_JID: Final = 250
_HEX: Final = 251
_BYTES8: Final = 252
_BYTES20: Final = 253
_BYTES32: Final = 254
_NIBBLE: Final = 255

_DIGITS: Final = {_NIBBLE: "0123456789-.", _HEX: "0123456789ABCDEF"}
_DOMAINS: Final = {PN: 0, LID: 1, HOSTED: 128, HOSTED_LID: 129}  # the byte that stands for the server
_SERVERS: Final = {domain: server for server, domain in _DOMAINS.items()}


def encode(node: Node) -> bytes:
    """The stanza as bytes, uncompressed. Raises ValueError for more than 65,535 nodes in one or for a lone
    surrogate in a string.
    """
    out = bytearray(1)
    _write_node(out, node)
    return bytes(out)


def decode(data: bytes) -> Node:
    """The stanza that the bytes are, all of them. Whatever they are, raises only MalformedNode."""
    if not data:
        raise MalformedNode("no bytes at all")
    reader = _Reader(_inflate(data[1:]) if data[0] & _ZLIB else data, 0 if data[0] & _ZLIB else 1)
    node = reader.node(_DEPTH)
    if reader.at != len(reader.data):
        raise MalformedNode(f"{len(reader.data) - reader.at} bytes too many")
    return node


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, _INFLATED)
    except zlib.error as error:
        raise MalformedNode("badly compressed") from error
    if not inflater.eof:
        raise MalformedNode("cut off, or too large when decompressed")
    return plain


def _write_node(out: bytearray, node: Node) -> None:
    _write_list_start(out, 1 + 2 * len(node.attrs) + (node.content is not None))
    _write_string(out, node.tag)
    for name, value in node.attrs.items():
        _write_string(out, name)
        if isinstance(value, JID):
            _write_jid(out, value)
        else:
            _write_string(out, value)
    if isinstance(node.content, bytes):
        _write_bytes(out, node.content)
    elif node.content is not None:
        _write_list_start(out, len(node.content))
        for child in node.content:
            _write_node(out, child)


def _write_list_start(out: bytearray, size: int) -> None:
    if size < 0x100:
        out += bytes((_LIST8, size))
    elif size < 0x10000:
        out += bytes((_LIST16, *size.to_bytes(2)))
    else:
        raise ValueError(f"a list of {size} does not fit")


def _write_string(out: bytearray, text: str) -> None:
    if (code := tokens().codes.get(text)) is not None:
        out += code
    else:
        _write_bytes(out, text.encode())


def _write_bytes(out: bytearray, data: bytes) -> None:
    if len(data) < 0x100:
        out += bytes((_BYTES8, len(data)))
    elif len(data) < 0x100000:
        out += bytes((_BYTES20, *len(data).to_bytes(3)))
    else:
        out += bytes((_BYTES32, *len(data).to_bytes(4)))
    out += data


def _write_jid(out: bytearray, jid: JID) -> None:
    if jid.device or jid.server in {HOSTED, HOSTED_LID}:
        out += bytes((_AD_JID, _DOMAINS[jid.server], jid.device))
        _write_string(out, jid.user)
        return
    out.append(_JID)
    if jid.user:
        _write_string(out, jid.user)
    else:
        out.append(_EMPTY)
    _write_string(out, jid.server)


@define(eq=False)
class _Reader:
    data: bytes
    at: int

    def node(self, depth: int) -> Node:
        if not depth:
            raise MalformedNode("nodes too deep in nodes")
        size = self._list_size(self._byte())
        if not size:
            raise MalformedNode("a node without a tag")
        tag = self._string()
        if not tag:
            raise MalformedNode("a node with an empty tag")
        attrs: dict[str, str | JID | None] = {}
        for _ in range((size - 1) // 2):
            name = self._string()
            attrs[name] = self._value()
        return Node(tag, attrs, None if size % 2 else self._content(depth))

    def _content(self, depth: int) -> bytes | list[Node] | None:
        kind = self._byte()
        if kind in {_LIST8, _LIST16}:
            return [self.node(depth - 1) for _ in range(self._list_size(kind))]
        if kind in {_BYTES8, _BYTES20, _BYTES32}:
            return self._bytes(kind)
        return None if kind == _EMPTY else self._text(kind).encode()

    def _value(self) -> str | JID | None:
        """An attribute's value; a missing one, which clients take for no attribute, is None."""
        kind = self._byte()
        match kind:
            case 0:
                return None
            case 247:
                domain, device = self._byte(), self._byte()
                if domain not in _SERVERS:
                    raise MalformedNode(f"an address in domain {domain}")
                return JID(self._string(), _SERVERS[domain], device)
            case 250:
                user, server = self._string(), self._string()
                if not server:
                    raise MalformedNode("an address without a server")
                return JID(user, server)
            case _:
                return self._text(kind)

    def _string(self) -> str:
        kind = self._byte()
        return "" if kind == _EMPTY else self._text(kind)

    def _text(self, kind: int) -> str:
        """The string whose first byte was `kind`."""
        if kind in _DIGITS:
            return self._packed(_DIGITS[kind])
        if kind in {_BYTES8, _BYTES20, _BYTES32}:
            try:
                return self._bytes(kind).decode()
            except UnicodeDecodeError as error:
                raise MalformedNode("a string that is not UTF-8") from error
        tables = tokens()
        if 1 <= kind < len(tables.single):
            return tables.single[kind]
        if _DOUBLE <= kind < _DOUBLE + len(tables.double):
            table, index = tables.double[kind - _DOUBLE], self._byte()
            if index < len(table):
                return table[index]
        raise MalformedNode(f"no string begins with {kind}")

    def _packed(self, digits: str) -> str:
        start = self._byte()
        halves = [half for byte in self._take(start & 0x7F) for half in (byte >> 4, byte & 0xF)]
        if start & 0x80:  # an odd number of them: the last half is padding
            if not halves:
                raise MalformedNode("a padded string of nothing")
            halves.pop()
        if any(half >= len(digits) for half in halves):
            raise MalformedNode("no such digit")
        return "".join(digits[half] for half in halves)

    def _bytes(self, kind: int) -> bytes:
        match kind:
            case 252:
                return self._take(self._byte())
            case 253:
                return self._take(int.from_bytes(self._take(3)) & 0xFFFFF)
            case _:
                return self._take(int.from_bytes(self._take(4)))

    def _list_size(self, kind: int) -> int:
        match kind:
            case 248:
                return self._byte()
            case 249:
                return int.from_bytes(self._take(2))
            case _:
                raise MalformedNode(f"no list begins with {kind}")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        if len(taken) < size:
            raise MalformedNode("cut off")
        self.at += size
        return taken
