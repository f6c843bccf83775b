"""Addresses and nodes."""

import pytest

from loopback.wire.node import GROUP, JID, LID, PN, SERVER, Node


@pytest.mark.parametrize(
    ("text", "jid"),
    [
        ("628111@s.whatsapp.net", JID("628111", PN)),
        ("628111:3@s.whatsapp.net", JID("628111", PN, 3)),
        ("628111.1:3@lid", JID("628111", LID, 3)),
        ("628111.0@s.whatsapp.net", JID("628111", PN)),
        ("120363-11@g.us", JID("120363-11", GROUP)),
        ("+628111@c.us", JID("+628111", "c.us")),
        ("s.whatsapp.net", SERVER),
        ("@s.whatsapp.net", SERVER),
    ],
)
def test_an_address_is_read_from_each_of_its_forms(text: str, jid: JID) -> None:
    assert JID.parse(text) == jid
    assert JID.parse(str(jid)) == jid


@pytest.mark.parametrize("text", ["", "a@", "a@b@c", "a:1:2@lid", "a:256@lid", "a:x@lid", "a:1@g.us"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|device"):
        JID.parse(text)


def test_bare_drops_the_device_and_nothing_else() -> None:
    assert JID("1", LID, 7).bare == JID("1", LID)
    assert JID("1", LID).with_device(7).bare.device == 0


def test_node_makes_strings_of_numbers_leaves_out_none_and_takes_text_for_bytes() -> None:
    node = Node("a", {"t": 5, "phash": None, "to": SERVER}, Node("b", {}, "é"))
    assert node.attrs == {"t": "5", "to": SERVER}
    assert node.content == (Node("b", {}, "é".encode()),)
    assert Node("a", {}, []) == Node("a")


def test_child_follows_a_path_and_children_filter_by_tag() -> None:
    node = Node("iq", {}, [Node("x"), Node("list", {}, [Node("user", {"n": "1"}), Node("user", {"n": "2"})])])
    assert node.child("list", "user") == Node("user", {"n": "1"})
    assert [user.attr("n") for user in Node("l", {}, node.child("list")).children("list")] == [None]
    assert node.child("x", "list", "user") is None
    assert len(node.children()) == 2


def test_attr_is_text_and_jid_an_address_only_if_it_came_as_one() -> None:
    node = Node("a", {"from": JID("1", LID, 2), "name": "1@lid"})
    assert node.attr("from") == "1:2@lid"
    assert node.jid("from") == JID("1", LID, 2)
    assert node.jid("name") is None
    assert node.attr("missing") is None


def test_representation_shows_no_bytes() -> None:
    assert "secret" not in repr(Node("a", {}, Node("b", {}, b"secret")))
