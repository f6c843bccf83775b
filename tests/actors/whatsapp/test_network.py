"""Clients in cells against the loopback network: what is sent arrives, and what arrives is never lost."""

import logging
import os
import random
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.whatsapp.client import Client, MediaKind
from actors.whatsapp.control import Start
from actors.whatsapp.devices import device_props, store_name
from actors.whatsapp.errors import (
    CallTimedOut,
    CellDied,
    DeviceMissing,
    NotConnected,
    OutcomeUnknown,
    WhatsAppError,
)
from actors.whatsapp.events import (
    Connected,
    Disconnected,
    GroupChanged,
    Identified,
    JoinedGroup,
    JournalFull,
    LoggedOut,
    LoopEnded,
    MessageArrived,
    OldCounter,
    PairingEnded,
    QrCode,
    ReceiptArrived,
    StreamReplaced,
)
from actors.whatsapp.proto import e2e
from tests.actors.whatsapp.stand import Network, Session, Stand, network, stand

ANNA, BEN, CARO = "6281200000001", "6281200000002", "6281200000003"
PHONE = "@s.whatsapp.net"


@asynccontextmanager
async def place(tmp_path: Path, **config: Any) -> AsyncIterator[tuple[Stand, Network]]:
    """A pool and a network with three phones."""
    async with (
        network(tmp_path / "network") as net,
        stand(tmp_path / "sessions", **net.config, **config) as s,
    ):
        for number, name in ((ANNA, "Anna"), (BEN, "Ben"), (CARO, "Caro")):
            await net.phone(number, name)
        yield s, net


def text(words: str) -> Any:
    return e2e.Message(conversation=words)


def jid_of(session: Session) -> str:
    return next(event.jid for event in session.events if isinstance(event, Identified))


def known(session: Session) -> set[str]:
    """The ids of all messages that arrived, or are known to have been lost."""
    return {event.id for event in session.events if isinstance(event, MessageArrived | OldCounter)}


async def write_many(net: Network, sender: str, to: str, count: int) -> list[str]:
    return [await net.write(sender, to, f"message {number}") for number in range(count)]


class Stream:
    """Ben's phone writing to Anna's session, as fast as the network takes it."""

    def __init__(self, net: Network) -> None:
        self._net = net
        self.ids: set[str] = set()
        self.over = False

    async def run(self) -> None:
        self.ids.update(await write_many(self._net, BEN, ANNA, 300))
        self.over = True


async def test_a_session_pairs_moves_to_a_shared_cell_sends_and_receives(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        assert client.cell_id == "cell-1"
        assert [type(event) for event in session.events[:2]] == [QrCode, PairingEnded]
        me = await client.get_me()
        assert me is not None
        assert me.jid == jid_of(session)

        sent = await client.send(BEN + PHONE, text("hello Ben"))
        (got,) = await net.inbox(BEN)
        assert (got["messageId"], got["text"], got["from"]) == (sent.message_id, "hello Ben", ANNA)
        assert abs(sent.timestamp - time.time()) < 5
        receipt = await session.until_event(ReceiptArrived)
        assert receipt.ids == (sent.message_id,)

        await net.write(BEN, ANNA, "hello Anna")
        await session.until(lambda: session.texts() == ["hello Anna"])
        arrived = await session.until_event(MessageArrived)
        assert arrived is not None
        (message,) = [e for e in session.events if isinstance(e, MessageArrived) and not e.category]
        assert {message.chat, message.chat_alt} >= {BEN + PHONE}
        assert abs(message.timestamp - time.time()) < 5
        assert session.seqs == list(range(1, len(session.seqs) + 1))


async def test_a_session_pairs_by_a_code_typed_on_the_phone(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await s.attach(session)
        await session.until_event(QrCode)
        code = await client.pair_phone(ANNA)
        await net.post(f"/phones/{ANNA}/enter-code", code=code)
        await session.until_event(Connected)
        assert jid_of(session).startswith(f"{ANNA}:")


async def test_phone_numbers_are_looked_up_in_the_order_asked(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        client = await net.pair(s, await s.session("a"), ANNA)
        asked = [CARO, "6281299999999", f"+{BEN}"]
        found = await client.is_on_whatsapp(asked)
        assert [(each.phone, each.exists, each.jid) for each in found] == [
            (CARO, True, CARO + PHONE),
            ("6281299999999", False, None),
            (f"+{BEN}", True, BEN + PHONE),
        ]
        assert all(each.lid is not None and each.lid.endswith("@lid") for each in found if each.exists)
        assert await client.is_on_whatsapp(["6281299999999"]) == [found[1]]
        lid = found[0].lid
        assert lid is not None
        assert await client.phone_of(lid) == CARO + PHONE
        assert await client.lid_of(CARO + PHONE) == lid


async def test_groups_and_media_make_the_round(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        one, other = await s.session("a"), await s.session("b")
        anna, ben = await net.pair(s, one, ANNA), await net.pair(s, other, BEN)
        group = await anna.create_group("Team", [BEN + PHONE])
        assert (group.subject, len(group.members)) == ("Team", 2)
        assert (await other.until_event(JoinedGroup)).group.jid == group.jid
        assert (await anna.group_info(group.jid)).subject == "Team"
        with pytest.raises(WhatsAppError) as error:
            await anna.group_info("120363999999999999@g.us")
        assert error.value.code in {403, 404}
        await anna.change_members(group.jid, [CARO + PHONE], "add")
        assert (await one.until_event(GroupChanged)).join

        data = random.Random(1).randbytes(200_000)
        put = await anna.upload(data, MediaKind.DOCUMENT)
        document = e2e.DocumentMessage(
            URL=put.url,
            directPath=put.direct_path,
            mediaKey=put.media_key,
            fileEncSHA256=put.file_enc_sha256,
            fileSHA256=put.file_sha256,
            fileLength=put.file_length,
            mimetype="application/octet-stream",
            fileName="x.bin",
        )
        await anna.send(group.jid, e2e.Message(documentMessage=document))

        def received() -> Any:
            found = [e.message for e in other.events if isinstance(e, MessageArrived)]
            return next((message for message in found if message.HasField("documentMessage")), None)

        assert await ben.download(await other.until(received)) == data


async def test_reading_and_presence_reach_the_other_side(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        await client.set_force_active_receipts(True)
        identity = await net.write(BEN, ANNA, "read me")
        await session.until(session.texts)
        await client.mark_read([identity], chat=BEN + PHONE)
        with trio.fail_after(10):
            while True:
                (sent,) = (await net.get(f"/phones/{BEN}/sent"))["messages"]
                if {"delivered", "read"} <= {receipt["type"] for receipt in sent["receipts"]}:
                    break
        await client.set_push_name("Anna the Great")
        await client.send_presence(available=True)
        await client.send_chat_presence(BEN + PHONE, composing=True)


async def test_refusals_silence_and_a_lost_link_are_told_apart(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        await client.send(BEN + PHONE, text("first"))
        await net.post("/faults", kind="ackError", code=463, count=1)
        with pytest.raises(WhatsAppError) as refused:
            await client.send(BEN + PHONE, text("refused"))
        assert refused.value.code == 463
        assert (await client.send(BEN + PHONE, text("second"))).message_id
        await net.post("/faults", kind="refuseConnection")
        await net.post("/faults", kind="drop")
        await session.until_event(Disconnected)
        with pytest.raises(NotConnected):
            await client.send(BEN + PHONE, text("offline"))
        await net.lift()
        await session.until_event(Connected, after=len(session.events))
        await net.post("/faults", kind="noAck", count=1)
        with pytest.raises(CallTimedOut):
            await client.send(BEN + PHONE, text("unanswered"), timeout=0.3)
        await client.stop()
        with pytest.raises(NotConnected):
            await client.send(BEN + PHONE, text("stopped"))


async def test_being_unlinked_or_replaced_is_said(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        await net.post("/faults", kind="replaced", phone=ANNA)
        await session.until_event(StreamReplaced)
        await client.stop()
        await s.attach(session, jid_of(session))
        await net.post(f"/phones/{ANNA}/unlink")
        await session.until_event(LoggedOut)
        with pytest.raises(DeviceMissing):
            await s.attach(session, jid_of(session))


async def test_what_was_not_stored_comes_again_after_a_kill_number_by_number(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        session.acknowledging = False
        stored = session.stored
        await write_many(net, BEN, ANNA, 100)
        await session.until(lambda: len(session.texts()) == 100)
        first = [notice for notice in session.notices if notice.seq > stored]
        os.kill(s.pid_of(client), signal.SIGKILL)
        await session.until(lambda: session.lost)
        count = len(session.notices)
        await s.attach(session, jid_of(session), after=stored)
        await session.until(lambda: len(session.notices) >= count + len(first))
        again = session.notices[count : count + len(first)]
        assert [(each.seq, each.event) for each in again] == [(each.seq, each.event) for each in first]


async def test_kills_in_mid_stream_lose_next_to_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        stream, chance, kills = Stream(net), random.Random(7), 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.run)
            while not stream.over:
                await trio.sleep(chance.uniform(0.1, 0.4))
                lost = len(session.lost)
                os.kill(s.pid_of(client), signal.SIGKILL)
                await session.until(partial(lambda before: len(session.lost) > before, lost))
                client = await s.attach(session, jid_of(session))
                kills += 1
        with trio.move_on_after(5):
            await session.until(lambda: stream.ids <= known(session))
        # A message that the library had decrypted and acknowledged but not handed over is gone with its
        # process, which no one outside it can prevent: measured at 2 in 36 kills on a quiet machine, and more
        # where the process has to wait for the processor.
        missing = len(stream.ids - known(session))
        assert kills >= 2
        assert missing <= len(stream.ids) // 10, f"{missing} missing after {kills} kills"
        assert session.seqs == sorted(session.seqs)


async def test_a_clean_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        stream = Stream(net)
        stops: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.run)
            while not stream.over:
                await trio.sleep(0.2)
                began = time.monotonic()
                await client.stop()
                stops.append(time.monotonic() - began)
                client = await s.attach(session, jid_of(session))
        await session.until(lambda: len(session.texts()) == 300)
        assert len(stops) >= 3
        assert max(stops) < 1
        assert all(later == earlier + 1 for earlier, later in pairwise(sorted(set(session.seqs))))
        assert session.lost == []


async def test_a_cell_that_dies_leaves_the_sessions_of_others_alone(tmp_path: Path) -> None:
    async with place(tmp_path, sessions_per_cell=1) as (s, net):
        one, other = await s.session("a"), await s.session("b")
        anna, ben = await net.pair(s, one, ANNA), await net.pair(s, other, BEN)
        assert anna.cell_id != ben.cell_id
        os.kill(s.pid_of(anna), signal.SIGKILL)
        assert (await ben.send(CARO + PHONE, text("alive"))).message_id
        await one.until(lambda: one.lost)
        assert other.lost == []


async def test_a_slow_session_is_held_at_its_window_and_its_neighbour_is_not(tmp_path: Path) -> None:
    async with place(tmp_path, window=8) as (s, net):
        slow, quick = await s.session("a"), await s.session("b")
        anna, ben = await net.pair(s, slow, ANNA), await net.pair(s, quick, BEN)
        assert anna.cell_id == ben.cell_id
        slow.acknowledging = False
        await write_many(net, CARO, ANNA, 40)
        await write_many(net, CARO, BEN, 40)
        await quick.until(lambda: len(quick.texts()) == 40)
        assert len(slow.texts()) <= 8
        slow.acknowledging = True
        anna.acknowledge(slow.stored)
        await slow.until(lambda: len(slow.texts()) == 40)
        assert slow.seqs == list(range(1, len(slow.seqs) + 1))


def all_or_full(session: Session, since: int) -> bool:
    full = any(isinstance(event, JournalFull) for event in session.events[since:])
    return full or len(session.texts()) == 60


async def test_above_the_journals_bound_whatsapp_keeps_what_comes(tmp_path: Path) -> None:
    async with place(tmp_path, window=4, journal_bound_mb=1) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        session.acknowledging = False
        for number in range(60):
            await net.write(BEN, ANNA, f"{number} ".ljust(40_000, "x"))
        (device,) = [
            each for each in (await net.get(f"/deliveries?phone={ANNA}"))["devices"] if each["device"]
        ]
        assert device["waiting"] > 0
        session.acknowledging = True
        client.acknowledge(session.stored)
        full = await session.until_event(JournalFull)
        assert 1_000_000 < full.unacknowledged < 3_000_000
        assert len(session.texts()) < 60
        while len(session.texts()) < 60:  # what WhatsApp kept may be more than the bound once again
            await client.stop()
            since = len(session.events)
            client = await s.attach(session, jid_of(session))
            await session.until(partial(all_or_full, session, since))
        assert [int(each.split()[0]) for each in session.texts()] == list(range(60))


async def test_a_panic_in_the_library_is_told_with_its_whole_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with place(tmp_path) as (s, _net):
        session = await s.session("a")
        client = await s.attach(session)
        await session.until_event(QrCode)
        with caplog.at_level(logging.ERROR, logger="actors"), pytest.raises(CellDied):
            await client.call("PairPhone", b"")  # it follows a pointer that the empty request does not have
        (lost,) = await session.until(lambda: session.lost)
        assert "nil pointer dereference" in lost.reason
        with trio.fail_after(5):
            while s.pool.cells:
                await trio.sleep(0.01)
    (trace,) = [each.getMessage() for each in caplog.records if each.getMessage().startswith("cell_trace")]
    assert "goroutine" in trace
    assert "main.PairPhone" in trace


async def test_a_client_that_hangs_in_its_dial_delays_no_neighbour_for_long(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and never answers
        proxy = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with place(tmp_path, stop_timeout=0.5) as (s, net):
            stuck, fine = await s.session("a"), await s.session("b")
            client = await net.pair(s, stuck, ANNA)
            ben = await net.pair(s, fine, BEN)
            await client.stop()
            began = time.monotonic()
            client = await s.attach(stuck, jid_of(stuck), proxy=proxy)
            assert time.monotonic() - began < 2
            assert client.cell_id == ben.cell_id
            began = time.monotonic()
            assert (await ben.send(CARO + PHONE, text("not delayed"))).message_id
            assert time.monotonic() - began < 1
            # It cannot be stopped, so its cell is replaced, and the neighbour told to move.
            await client.stop()
            (lost,) = await fine.until(lambda: fine.lost)
            assert lost.reason == "retired"
            moved = await s.attach(fine, jid_of(fine))
            assert moved.cell_id != client.cell_id
            await fine.until_event(Connected, after=len(fine.events))
            with trio.fail_after(10):
                while client.cell_id in {cell.id for cell in s.pool.cells}:
                    await trio.sleep(0.01)
            await s.attach(stuck, jid_of(stuck))


async def test_calls_go_on_while_neighbours_start_and_stop(tmp_path: Path) -> None:
    """The library's maps have no lock; unguarded this kills a cell within a few rounds."""
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        neighbours = [await s.session(f"n{number}") for number in range(3)]
        for number, neighbour in enumerate(neighbours):
            await net.phone(f"62812000001{number}0", f"Neighbour {number}")
            await (await net.pair(s, neighbour, f"62812000001{number}0")).stop()

        async def calling() -> None:
            while True:
                assert await client.call("IsConnected") == b"\x01"

        async def moving(neighbour: Session) -> None:
            for _ in range(15):
                moving = await s.attach(neighbour, jid_of(neighbour), proxy="http://127.0.0.1:9")
                assert moving.cell_id == client.cell_id
                await moving.stop()

        async with trio.open_nursery() as callers:
            for _ in range(4):
                callers.start_soon(calling)
            async with trio.open_nursery() as movers:
                for neighbour in neighbours:
                    movers.start_soon(moving, neighbour)
            callers.cancel_scope.cancel()
        assert session.lost == []


async def test_a_call_in_flight_when_its_cell_dies_has_an_unknown_outcome(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        await client.send(BEN + PHONE, text("first"))
        await net.post("/faults", kind="noAck")
        outcome: list[OutcomeUnknown] = []

        async def send(client: Client) -> None:
            try:
                await client.send(BEN + PHONE, text("second"))
            except OutcomeUnknown as error:
                outcome.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, client)
            with trio.fail_after(5):
                while len(await net.inbox(BEN)) < 2:
                    pass
            os.kill(s.pid_of(client), signal.SIGKILL)
        assert [type(error) for error in outcome] == [CellDied]


async def test_a_connection_refused_while_logging_in_ends_the_loop(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, net):
        session = await s.session("a")
        client = await net.pair(s, session, ANNA)
        await client.stop()
        await net.post("/faults", kind="refuseConnection")
        await s.attach(session, jid_of(session))
        assert "failed to dial" in (await session.until_event(LoopEnded)).error


async def test_a_device_that_vanished_meanwhile_ends_the_client_and_shows_no_code(tmp_path: Path) -> None:
    async with place(tmp_path) as (s, _net):
        session = await s.session("a")
        cell, client = await s.pool._shared_cell("a", session.ref)
        s.store(session).parent.mkdir(parents=True)
        request = Start(
            session="a",
            store=store_name(s.store(session)),
            journal=str(s.journal(session)),
            after=0,
            seen=0,
            device_props=device_props("Test"),
            proxy=s.pool._config.proxy,
            paired=True,
        )
        await cell.start(client, request)
        assert "no device" in (await session.until_event(LoopEnded)).error
        await client.stop()
        assert [type(event) for event in session.events] == [LoopEnded]
