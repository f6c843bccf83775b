"""The queries, over rows that the writer stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from storage import (
    Append,
    AuditEntry,
    BadQuery,
    Delete,
    Desired,
    Insert,
    Key,
    Message,
    MessageStatus,
    NewEvent,
    Page,
    Role,
    Session,
    SignIn,
    StoreMessage,
    Update,
    User,
    Webhook,
    WriteRefused,
)
from tests.storage.gateway import Gateway

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def message(name: str, minute: int = 0, **fields: Any) -> StoreMessage:
    defaults: dict[str, Any] = {
        "session_id": "s1",
        "id": f"msg_{name}",
        "wa_id": f"WA_{name}",
        "chat": "1@s.whatsapp.net",
        "sender": "1@s.whatsapp.net",
        "from_me": False,
        "type": "text",
        "status": MessageStatus.RECEIVED,
        "occurred_at": NOON + timedelta(minutes=minute),
    }
    return StoreMessage(message=Message(**defaults | fields))


async def store_messages(gateway: Gateway, *writes: StoreMessage) -> None:
    await gateway.session()
    await gateway.together(*writes)


async def names(found: Awaitable[Page[Message]]) -> list[str]:
    return [each.id.removeprefix("msg_") for each in (await found).items]


async def all_pages(fetch: Callable[..., Awaitable[Page[Any]]], **options: Any) -> list[list[str]]:
    pages: list[list[str]] = []
    cursor = None
    while True:
        page = await fetch(cursor=cursor, **options)
        pages.append([each.id for each in page.items])
        if (cursor := page.cursor) is None:
            return pages


async def test_messages_come_newest_first(gateway: Gateway) -> None:
    await store_messages(gateway, message("b", 1), message("c", 2), message("a", 0))
    assert await names(gateway.reads.messages("s1")) == ["c", "b", "a"]


async def test_messages_of_all_sessions_come_newest_first_page_by_page(gateway: Gateway) -> None:
    await store_messages(gateway, message("a", 1), message("c", 3))
    await gateway.session("s2")
    await gateway.writer.call(message("b", 2, session_id="s2"))
    first = await gateway.reads.messages(None, limit=2)
    rest = await gateway.reads.messages(None, limit=2, cursor=first.cursor)
    assert [each.id for each in [*first.items, *rest.items]] == ["msg_c", "msg_b", "msg_a"]


async def test_messages_of_some_sessions_are_theirs_alone(gateway: Gateway) -> None:
    await store_messages(gateway, message("a", 1), message("d", 4))
    for number, session_id in ((2, "s2"), (3, "s3")):
        await gateway.session(session_id)
        await gateway.writer.call(message(f"m{number}", number, session_id=session_id))
    find = gateway.reads.messages
    assert await all_pages(partial(find, ["s1", "s3"]), limit=2) == [["msg_d", "msg_m3"], ["msg_a"]]
    assert await names(find(["s2"])) == ["m2"]
    assert await names(find(["s1", "s2", "s3"], q="nothing of this")) == []
    assert await names(find([])) == []


async def test_messages_are_filtered_by_each_and_all(gateway: Gateway) -> None:
    await store_messages(
        gateway,
        message("in", 0),
        message("group", 1, chat="g@g.us", sender="2@s.whatsapp.net", type="image"),
        message("out", 2, from_me=True, sender="me", status="sent", recipient_phone="1"),
        message("failed", 3, from_me=True, sender="me", status="failed", chat="3@s.whatsapp.net"),
    )
    find = gateway.reads.messages
    assert await names(find("s1", chat="g@g.us")) == ["group"]
    assert await names(find("s1", chat=["g@g.us", "3@s.whatsapp.net"])) == ["failed", "group"]
    assert await names(find("s1", sender="1@s.whatsapp.net")) == ["in"]
    assert await names(find("s1", recipient="1@s.whatsapp.net")) == ["out"]
    assert await names(find("s1", recipient="1")) == ["out"]
    assert await names(find("s1", from_me=True)) == ["failed", "out"]
    assert await names(find("s1", from_me=False, type="image")) == ["group"]
    assert await names(find("s1", type=["text", "image"], from_me=False)) == ["group", "in"]
    assert await names(find("s1", status=MessageStatus.FAILED)) == ["failed"]
    assert await names(find("s1", status=[MessageStatus.SENT, MessageStatus.RECEIVED])) == [
        "out",
        "group",
        "in",
    ]
    assert await names(find("s1", since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=3))) == [
        "out",
        "group",
    ]
    assert await names(find("s1", chat="g@g.us", from_me=True)) == []
    assert await names(find("nobody")) == []


async def test_full_text_finds_words_phrases_and_leaves_out(gateway: Gateway) -> None:
    await store_messages(
        gateway,
        message("a", 0, text="The parcel ÜBER there arrived"),
        message("b", 1, text="The letter arrived over there"),
        message("c", 2),
    )
    assert await names(gateway.reads.messages("s1", q="arrived parcel")) == ["a"]
    assert await names(gateway.reads.messages("s1", q="über")) == ["a"]
    assert await names(gateway.reads.messages("s1", q='"over there"')) == ["b"]
    assert await names(gateway.reads.messages("s1", q="arrived -parcel")) == ["b"]
    assert await names(gateway.reads.messages("s1", q="parcel or letter")) == ["b", "a"]


async def test_pages_of_messages_are_whole_also_where_times_are_equal(gateway: Gateway) -> None:
    await store_messages(gateway, *(message(f"{number:02}", number // 4) for number in range(10)))
    pages = await all_pages(lambda **options: gateway.reads.messages("s1", **options), limit=3)
    assert pages == [
        ["msg_09", "msg_08", "msg_07"],
        ["msg_06", "msg_05", "msg_04"],
        ["msg_03", "msg_02", "msg_01"],
        ["msg_00"],
    ]


async def test_a_last_page_that_is_full_has_no_cursor(gateway: Gateway) -> None:
    await store_messages(gateway, message("a"), message("b"))
    assert (await gateway.reads.messages("s1", limit=2)).cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "W10", "WyJub3QgYSB0aW1lIiwieCJd", "e30", "WzEsMl0"])
async def test_what_is_no_cursor_is_a_bad_query(gateway: Gateway, cursor: str) -> None:
    with pytest.raises(BadQuery):
        await gateway.reads.messages("s1", cursor=cursor)


async def test_a_message_is_found_by_either_id_in_its_own_session_only(gateway: Gateway) -> None:
    await store_messages(gateway, message("a"), message("a2", 1, wa_id="WA_a", chat="other"))
    by_ours = await gateway.reads.message("s1", "msg_a")
    newest = await gateway.reads.message("s1", "WA_a")
    assert by_ours is not None
    assert newest is not None
    assert (by_ours.id, newest.id) == ("msg_a", "msg_a2")
    assert await gateway.reads.message("s2", "msg_a") is None


async def test_sessions_are_filtered_searched_and_paged(gateway: Gateway) -> None:
    await gateway.together(
        Insert(Session(id="a", name="Sales 100%", status="connected", phone="491511")),
        Insert(Session(id="b", name="Support", status="connected", desired=Desired.STOPPED)),
        Insert(Session(id="c", name="Spare_1", push_name="Anna")),
    )
    fetch = gateway.reads.sessions
    assert await all_pages(fetch, limit=2) == [["a", "b"], ["c"]]
    assert await all_pages(fetch, status=["connected"], desired=Desired.RUNNING) == [["a"]]
    assert await all_pages(fetch, q="su") == [["b"]]
    assert await all_pages(fetch, q="anna") == [["c"]]
    assert await all_pages(fetch, q="4915") == [["a"]]
    assert await all_pages(fetch, q="0%") == [["a"]]
    assert await all_pages(fetch, q="_") == [["c"]]
    assert await all_pages(fetch, q="\\") == [[]]


async def test_an_admin_key_counts_while_it_is_good(gateway: Gateway) -> None:
    await gateway.session()
    past, future = datetime.now(UTC) - timedelta(1), datetime.now(UTC) + timedelta(1)
    rows = [
        Key(id="k1", prefix="p", hash=b"1" * 32, session_id="s1"),
        Key(id="k2", prefix="p", hash=b"2" * 32, revoked_at=past),
        Key(id="k3", prefix="p", hash=b"3" * 32, expires_at=past),
    ]
    await gateway.together(*(Insert(row) for row in rows))
    assert not await gateway.reads.has_admin_key()
    await gateway.together(Insert(Key(id="k4", prefix="p", hash=b"4" * 32, revoked_at=future)))
    assert await gateway.reads.has_admin_key()
    assert [each.id for each in await gateway.reads.keys(session_id="s1")] == ["k1"]
    assert len(await gateway.reads.keys()) == 4
    assert await gateway.reads.key_by_hash(b"5" * 32) is None


async def test_the_log_is_read_from_a_position_or_a_seq_with_filters(gateway: Gateway) -> None:
    for session_id in ("s1", "s2"):
        await gateway.session(session_id)
    await gateway.together(
        *(Append(f"s{1 + n % 2}", (NewEvent("even" if n % 4 < 2 else "odd", {"n": n}),)) for n in range(12))
    )

    def numbers(events: list[Any]) -> list[int]:
        return [each.data["n"] for each in events]

    reads = gateway.reads
    everything = (await reads.events_after(0)).events
    assert numbers(everything) == list(range(12))
    middle, end = everything[5].position, everything[-1].position

    async def after(position: int, **which: Any) -> tuple[list[int], int]:
        stretch = await reads.events_after(position, **which)
        return numbers(stretch.events), stretch.end

    assert await after(middle) == ([6, 7, 8, 9, 10, 11], end)
    assert await after(middle, limit=2) == ([6, 7], everything[7].position)
    assert await after(middle, sessions=["s1"]) == ([6, 8, 10], end)
    assert await after(middle, sessions=["s1", "s2"], events=["odd"]) == ([6, 7, 10, 11], end)
    assert await after(0, sessions=[]) == ([], end)
    assert await after(end) == ([], end)
    assert numbers(await reads.session_events_after("s2", 3)) == [7, 9, 11]
    assert numbers(await reads.session_events_after("s2", 0, events=["odd"], limit=2)) == [3, 7]
    assert await reads.last_position() == everything[-1].position
    assert await reads.event(everything[3].event_id) == everything[3]


async def test_the_last_position_of_an_empty_log_is_zero(gateway: Gateway) -> None:
    assert await gateway.reads.last_position() == 0


async def test_webhooks_are_listed_by_session_and_activity(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(
        Insert(Webhook(id="w1", session_id="s1", url="https://a", secret="x")),
        Insert(Webhook(id="w2", url="https://b", secret="x", active=False)),
    )
    reads = gateway.reads
    assert [each.id for each in await reads.webhooks()] == ["w1", "w2"]
    assert [each.id for each in await reads.webhooks(sessions=["s1"])] == ["w1"]
    assert [each.id for each in await reads.webhooks(sessions=["s1", "s2"])] == ["w1"]
    assert await reads.webhooks(sessions=[]) == []
    assert [each.id for each in await reads.webhooks(active=True)] == ["w1"]


def test_no_secret_and_no_text_shows_in_a_representation() -> None:
    rows = [
        Webhook(id="w", url="https://u:hunter2@x", secret="hunter2", headers={"Authorization": "hunter2"}),
        Key(id="k", prefix="p", hash=b"hunter2"),
        User(id="u", name="ana", password="hunter2", role=Role.ADMIN),
        SignIn(id="i", user_id="u", hash=b"hunter2", address=None, expires_at=NOON),
        Session(id="s", name="s", settings={"proxy": "hunter2"}),
        message("m", text="hunter2", payload={"conversation": "hunter2"}),
        NewEvent("messages.upsert", {"text": "hunter2"}),
    ]
    assert "hunter2" not in repr(rows)


async def test_the_audit_is_read_newest_first_by_action_and_by_target(gateway: Gateway) -> None:
    for number, (action, target) in enumerate(
        [("session.stop", "ana"), ("key.create", "key_1"), ("session.stop", "budi"), ("tree.restart", "hub")]
    ):
        entry = AuditEntry(
            id=f"{number}",
            at=NOON + timedelta(minutes=number // 2),
            key_id="key_1",
            key_prefix="tz_abc",
            address="127.0.0.1",
            request_id="r",
            action=action,
            target=target,
            outcome="ok",
            detail={"number": number},
        )
        await gateway.writer.call(Insert(entry))
    assert await all_pages(gateway.reads.audit, limit=3) == [["3", "2", "1"], ["0"]]
    assert await all_pages(gateway.reads.audit, action=["session.stop"]) == [["2", "0"]]
    assert await all_pages(gateway.reads.audit, target="hub") == [["3"]]
    (newest,) = (await gateway.reads.audit(limit=1)).items
    assert (newest.detail, newest.at) == ({"number": 3}, NOON + timedelta(minutes=1))


def user(name: str, **row: Any) -> User:
    return User(**{"id": f"u_{name}", "name": name, "password": "x", "role": "viewer", **row})


def sign_in(number: int, user_id: str = "u_ana") -> SignIn:
    return SignIn(
        id=f"i{number}",
        user_id=user_id,
        hash=bytes([number]) * 32,
        address="127.0.0.1",
        created_at=NOON + timedelta(minutes=number),
        expires_at=NOON + timedelta(days=1),
    )


async def test_users_are_found_by_name_in_capitals_or_not_and_there_are_no_two(gateway: Gateway) -> None:
    for each in (user("eva"), user("Ana", role="admin"), user("budi")):
        await gateway.writer.call(Insert(each))
    assert [each.name for each in await gateway.reads.users()] == ["Ana", "budi", "eva"]
    found = await gateway.reads.user_by_name("aNA")
    assert found == await gateway.reads.user("u_Ana")
    assert found is not None
    assert (found.name, found.role, found.sessions) == ("Ana", Role.ADMIN, ())
    assert await gateway.reads.user_by_name("an_") is None
    with pytest.raises(WriteRefused, match="duplicate"):
        await gateway.writer.call(Insert(user("ANA")))


async def test_a_sign_in_is_found_with_its_user(gateway: Gateway) -> None:
    ana = user("ana", sessions=("s1",))
    await gateway.together(*map(Insert, (ana, user("eva"))))
    await gateway.together(*map(Insert, (sign_in(1), sign_in(2), sign_in(3, "u_eva"))))
    found = await gateway.reads.sign_in(bytes([2]) * 32)
    assert found is not None
    assert found[0].id == "i2"
    assert found[1] == await gateway.reads.user("u_ana")
    assert await gateway.reads.sign_in(bytes([9]) * 32) is None
    assert [each.id for each in await gateway.reads.sign_ins("u_ana")] == ["i2", "i1"]
    await gateway.writer.call(Delete(User, "u_ana"))
    assert await gateway.reads.sign_in(bytes([2]) * 32) is None
    assert [each.id for each in await gateway.reads.sign_ins("u_eva")] == ["i3"]


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({"password": "y"}, True),
        ({"password": "x"}, False),
        ({"disabled_at": NOON}, True),
        ({"disabled_at": None}, False),
        ({"name": "anna", "role": Role.ADMIN, "sessions": ("s1",), "last_sign_in_at": NOON}, False),
    ],
)
async def test_a_new_password_and_being_disabled_end_all_of_a_users_sign_ins_in_the_same_commit(
    gateway: Gateway, changes: dict[str, Any], ended: bool
) -> None:
    await gateway.together(*map(Insert, (user("ana"), user("eva"))))
    await gateway.together(*map(Insert, (sign_in(1), sign_in(2), sign_in(3, "u_eva"))))
    await gateway.writer.call(Update(User, "u_ana", changes))
    assert len(await gateway.reads.sign_ins("u_ana")) == (0 if ended else 2)
    assert len(await gateway.reads.sign_ins("u_eva")) == 1


async def test_a_session_that_is_deleted_is_taken_from_those_who_see_it(gateway: Gateway) -> None:
    for session_id in ("s1", "s2"):
        await gateway.session(session_id)
    await gateway.together(*map(Insert, (user("ana", sessions=("s1", "s2")), user("eva", sessions=("s2",)))))
    await gateway.writer.call(Delete(Session, "s1"))
    assert {each.name: each.sessions for each in await gateway.reads.users()} == {
        "ana": ("s2",),
        "eva": ("s2",),
    }


async def test_the_log_is_read_without_some_events(gateway: Gateway) -> None:
    await gateway.session()
    for name in ("session.qr", "call", "session.qr", "session.status"):
        await gateway.writer.call(Append("s1", (NewEvent(name, {}),)))
    read = gateway.reads.events_after
    stretch = await read(0, without=["session.qr"])
    assert "session.qr" not in [each.event for each in stretch.events]
    assert stretch.end == await gateway.reads.last_position()
    one = await read(0, events=["session.qr", "call"], without=["session.qr"])
    assert [each.event for each in one.events] == ["call"]


async def test_an_entry_of_the_record_names_a_key_or_a_user(gateway: Gateway) -> None:
    told = {"address": None, "request_id": "r", "action": "a", "target": None, "outcome": "ok"}
    by_user = AuditEntry(id="1", user_id="u_ana", user_name="ana", **told)  # type: ignore[arg-type]
    await gateway.writer.call(Insert(by_user))
    (found,) = (await gateway.reads.audit()).items
    assert (found.key_id, found.user_id, found.user_name) == (None, "u_ana", "ana")
    for nobody in ({}, {"key_id": "k", "key_prefix": "tz", "user_id": "u", "user_name": "n"}):
        with pytest.raises(WriteRefused):
            await gateway.writer.call(Insert(AuditEntry(id="2", **told, **nobody)))  # type: ignore[arg-type]
