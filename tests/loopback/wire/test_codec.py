"""The binary form of stanzas."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback.wire.codec import decode, encode
from loopback.wire.errors import MalformedNode
from loopback.wire.node import HOSTED, HOSTED_LID, JID, LID, PN, Node
from loopback.wire.tokens import tokens

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    tokens().single[1:9] + tokens().double[2][:9]
)
jids = st.builds(JID, texts, texts.filter(bool)) | st.builds(
    JID, texts, st.sampled_from([PN, LID, HOSTED, HOSTED_LID]), st.integers(0, 255)
)
attributes = st.dictionaries(texts, texts | jids, max_size=5)
leaves = st.builds(Node, texts.filter(bool), attributes, st.none() | st.binary(max_size=400))
nodes = st.recursive(leaves, lambda inner: st.builds(Node, texts.filter(bool), attributes, st.lists(inner)))


@given(nodes)
def test_every_node_comes_back_as_it_was(node: Node) -> None:
    assert decode(encode(node)) == node


@given(nodes)
def test_a_compressed_node_is_read(node: Node) -> None:
    assert decode(b"\x02" + zlib.compress(encode(node)[1:])) == node


@pytest.mark.parametrize("size", [0, 255, 256, (1 << 20) - 1, 1 << 20])
def test_content_of_each_length_form_comes_back(size: int) -> None:
    node = Node("a", {}, bytes(size))
    assert decode(encode(node)) == node


def test_hundreds_of_nodes_in_one_come_back() -> None:
    node = Node("list", {}, [Node("user", {"n": n}) for n in range(1000)])
    assert decode(encode(node)) == node


def test_too_many_nodes_in_one_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(Node("list", {}, [Node("a")] * 0x10000))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (b"\xff\x83\x12\x3a\xbf", "123-."),  # nibbles, odd
        (b"\xff\x02\x12\x34", "1234"),  # nibbles, even
        (b"\xfb\x82\xab\xcf", "ABC"),  # hexadecimal, odd: the last half is padding
        (b"\xfb\x01\xff", "FF"),
        (b"\x03", "s.whatsapp.net"),  # a token
        (b"\xec\x00", "read-self"),  # a double token
        (b"\xfc\x02hi", "hi"),
        (b"\xfd\x00\x00\x02hi", "hi"),
        (b"\xfe\x00\x00\x00\x02hi", "hi"),
    ],
)
def test_each_form_of_a_string_is_read_as_tag_value_and_content(form: bytes, text: str) -> None:
    assert decode(b"\x00\xf8\x04" + form + b"\xfc\x01k" + form + form) == Node(text, {"k": text}, text)


def test_a_device_is_written_as_such_and_a_person_as_a_pair() -> None:
    assert encode(Node("a", {"k": JID("U", LID, 3)})).endswith(b"\xf7\x01\x03\xfc\x01U")
    assert encode(Node("a", {"k": JID("U", PN, 3)})).endswith(b"\xf7\x00\x03\xfc\x01U")
    assert encode(Node("a", {"k": JID("U", HOSTED)})).endswith(b"\xf7\x80\x00\xfc\x01U")
    assert encode(Node("a", {"k": JID("U", PN)})).endswith(b"\xfa\xfc\x01U\x03")
    assert encode(Node("a", {"k": JID("", PN)})).endswith(b"\xfa\x00\x03")


def test_an_attribute_without_a_value_is_not_there() -> None:
    assert decode(b"\x00\xf8\x03\xfc\x01a\xfc\x01k\x00") == Node("a")


@given(st.binary())
def test_garbage_is_a_malformed_node_and_nothing_else(data: bytes) -> None:
    with suppress(MalformedNode):
        decode(data)


@given(st.data(), nodes)
def test_a_damaged_node_is_a_malformed_or_another_node_and_nothing_else(
    data: st.DataObject, node: Node
) -> None:
    wire = bytearray(encode(node))
    for at in data.draw(st.lists(st.integers(0, len(wire) - 1), min_size=1, max_size=3)):
        wire[at] = data.draw(st.integers(0, 255))
    with suppress(MalformedNode):
        decode(bytes(wire[: data.draw(st.integers(0, len(wire)))]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\xf8\x00",
        b"\x00\xf8\x01\x00",  # an empty tag
        b"\x00\xf8\x01\xfc\x01aX",  # one byte too many
        b"\x00\xf8\x01\xfc\x02a",  # cut off
        b"\x00\xf8\x01\xfc\x01\xff",  # not UTF-8
        b"\x00\xf8\x01\xff\x80",  # padding and nothing else
        b"\x00\xf8\x01\xff\x01\xcc",  # no nibbles
        b"\x00\xf8\x03\xfc\x01a\xfc\x01k\xf7\x07\x00\xfc\x01u",  # an unknown domain
        b"\x00\xf8\x03\xfc\x01a\xfc\x01k\xfa\xfc\x01u\x00",  # an address without a server
        b"\x00" + b"\xf8\x02\xfc\x01a\xf8\x01" * 5000,  # deeper than any stack
        b"\x02notzlib",
        b"\x02" + zlib.compress(b"\xf8\x01\xfc\x01a")[:-3],
        b"\x02" + zlib.compress(bytes(1 << 27)),  # a bomb
    ],
)
def test_each_kind_of_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedNode):
        decode(data)
