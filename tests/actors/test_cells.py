"""Cells as processes: they start, die, hang, grow and are left behind by their parent, each as it should."""

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.cells import CellCrashed
from actors.cluster.leash import Leash
from actors.cluster.tenure import Tenure
from actors.whatsapp.errors import CellDied, DeviceMissing, NotConnected, SessionBusy, StartRefused
from actors.whatsapp.events import LoopEnded
from runtime import State
from tests.actors.whatsapp.stand import PATIENCE, ROOT, Session, Stand, stand

JID = "6281200000001:1@s.whatsapp.net"


def gone(pid: int) -> bool:
    """Whether no process has this id; a zombie counts as gone, its parent will see to it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def until_gone(pid: int) -> None:
    with trio.fail_after(PATIENCE):
        pidfd = os.pidfd_open(pid) if not gone(pid) else None
        if pidfd is not None:
            await trio.lowlevel.wait_readable(pidfd)
            os.close(pidfd)


def give_device(stand: Stand, session: Session) -> None:
    """Let the session's store look paired, which is enough to get its client into a shared cell."""
    store = stand.store(session)
    store.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(store)) as database:
        database.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
        database.execute("INSERT INTO whatsmeow_device VALUES (?)", (JID,))
        database.commit()


async def attached(stand: Stand, session_id: str) -> Session:
    """A session in a shared cell; its client ends at once, for the store is no real one."""
    session = await stand.session(session_id)
    give_device(stand, session)
    await stand.attach(session, JID)
    await session.until_event(LoopEnded)
    return session


async def test_a_client_that_finds_no_network_says_why(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        client = await s.attach(session)
        ended = await session.until_event(LoopEnded)
        assert "connection refused" in ended.error
        assert session.seqs == [1]
        with pytest.raises(NotConnected):
            await client.get_me()


async def test_a_session_that_pairs_has_a_cell_of_its_own_which_ends_with_it(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        client = await s.attach(await s.session("a"))
        assert client.cell_id == "pairing-a"
        pid = s.pid_of(client)
        await client.stop()
        await until_gone(pid)


async def test_pairing_again_at_once_finds_its_cell_free(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        for _ in range(3):
            client = await s.attach(session)
            await client.stop()


async def test_paired_sessions_share_the_fullest_cell_that_has_room(tmp_path: Path) -> None:
    async with stand(tmp_path, sessions_per_cell=3) as s:
        clients = [(await attached(s, name)).notices[0].client for name in "abcde"]
        assert [client.cell_id for client in clients] == ["cell-1"] * 3 + ["cell-2"] * 2
        await clients[0].stop()
        await clients[1].stop()
        sixth = await attached(s, "f")
        assert sixth.notices[0].client.cell_id == "cell-2"


async def test_sessions_that_come_at_once_do_not_each_start_a_cell(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        async with trio.open_nursery() as nursery:
            for name in "abcdefgh":
                nursery.start_soon(attached, s, name)
        assert [cell.clients for cell in s.pool.cells] == [8]


async def test_a_spare_cell_is_kept_ready_and_no_more_than_one(tmp_path: Path) -> None:
    async with stand(tmp_path, spare=1, sessions_per_cell=1) as s:
        await s.pool.warm()
        assert [cell.clients for cell in s.pool.cells] == [0]
        session = await attached(s, "a")
        with trio.fail_after(PATIENCE):
            while sorted(cell.clients for cell in s.pool.cells) != [0, 1]:
                await trio.sleep(0.01)
        await session.notices[0].client.stop()
        with trio.fail_after(PATIENCE):
            while [cell.clients for cell in s.pool.cells] != [0]:
                await trio.sleep(0.01)


async def test_a_store_without_its_device_is_refused_before_the_library_sees_it(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        with pytest.raises(DeviceMissing):
            await s.attach(session, JID)
        s.store(session).parent.mkdir(parents=True)
        s.store(session).write_bytes(b"no database at all" * 100)
        with pytest.raises(DeviceMissing):
            await s.attach(session, JID)
        assert s.pool.cells == ()


async def test_a_cell_that_cannot_come_up_is_an_error_of_the_attach(tmp_path: Path) -> None:
    async with stand(tmp_path, root_key="00" * 31) as s:
        with pytest.raises(StartRefused, match="exit code 1"):
            await s.attach(await s.session("a"))
        assert s.cells.which_children() == []


async def test_a_killed_cell_costs_its_sessions_only_and_comes_back(tmp_path: Path) -> None:
    async with stand(tmp_path, sessions_per_cell=1) as s:
        one, other = await attached(s, "a"), await attached(s, "b")
        client, neighbour = one.notices[0].client, other.notices[0].client
        pid = s.pid_of(client)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        lost = await one.until(lambda: one.lost)
        assert time.monotonic() - began < 1
        assert [(each.session_id, each.client, each.reason) for each in lost] == [("a", client, "SIGKILL")]
        assert other.lost == []
        assert s.pid_of(neighbour)
        with pytest.raises(NotConnected):
            await client.get_me()
        with trio.fail_after(PATIENCE):
            while (cell := s.cells.which_child("cell-1")).restarts == 0 or cell.state is not State.RUNNING:
                await trio.sleep(0.01)
        again = await s.attach(one, JID)
        assert again.cell_id == "cell-1"
        assert s.pid_of(again) != pid


@pytest.mark.parametrize("how", ["kill_child", "terminate_child"])
async def test_a_cell_that_the_operator_ends_tells_its_sessions(tmp_path: Path, how: str) -> None:
    async with stand(tmp_path) as s:
        session = await attached(s, "a")
        pid = s.pid_of(session.notices[0].client)
        await getattr(s.cells, how)("cell-1")
        await session.until(lambda: session.lost)
        await until_gone(pid)
        again = await s.attach(session, JID)
        assert s.pid_of(again) != pid
        assert len(session.lost) == 1


async def test_a_cell_that_hangs_is_killed_after_the_ping_timeout(tmp_path: Path) -> None:
    async with stand(tmp_path, ping_interval=0.1, ping_timeout=0.3) as s:
        session = await attached(s, "a")
        pid = s.pid_of(session.notices[0].client)
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        (lost,) = await session.until(lambda: session.lost)
        assert lost.reason == "no answer to a ping within 0.3 s"
        assert time.monotonic() - began < 3
        await until_gone(pid)


async def test_a_cell_that_is_killed_when_it_is_dead_already_crashed(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await attached(s, "a")
        cell = s.cell_of(session.notices[0].client)
        os.kill(cell.pid, signal.SIGKILL)
        os.waitid(os.P_PID, cell.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop shall not notice
        await cell.kill("too late")
        await session.until(lambda: session.lost)
        with trio.fail_after(PATIENCE):
            while (exit_ := s.cells.which_child("cell-1").last_exit) is None:
                await trio.sleep(0.01)
        assert isinstance(exit_.cause, CellCrashed)


async def test_a_client_that_does_not_stop_is_gone_with_its_cell(tmp_path: Path) -> None:
    async with stand(tmp_path, stop_timeout=0.2) as s:
        session, other = await attached(s, "a"), await attached(s, "b")
        client = session.notices[0].client
        pid = s.pid_of(client)
        os.kill(pid, signal.SIGSTOP)
        with trio.move_on_after(0.05):
            await s.pool.end("a")  # who gives up on it does not stop it from being stopped
        assert not gone(pid)
        await s.pool.end("a")
        assert gone(pid)
        assert session.lost == []
        await other.until(lambda: other.lost)


async def test_a_cell_with_a_client_ends_with_the_lease_and_one_without_waits_for_the_next(
    tmp_path: Path,
) -> None:
    async with stand(tmp_path, sessions_per_cell=1, spare=1, ping_interval=0.05) as s:
        leash = s.pool.leash = Leash(Tenure(time.monotonic(), 60))
        session = await attached(s, "a")
        bound = s.cell_of(session.notices[0].client)
        with trio.fail_after(PATIENCE):
            while len(s.pool.cells) < 2:
                await trio.sleep(0.01)
        (spare,) = [cell for cell in s.pool.cells if cell is not bound]
        leash.tenure = Tenure(time.monotonic() - 60, 60)  # it is over
        (lost,) = await session.until(lambda: session.lost)
        assert lost.reason == "SIGALRM"
        await s.pool.kill_all("the lease is over")
        await trio.sleep(0.3)
        assert not gone(spare.pid)
        leash.tenure = Tenure(time.monotonic(), 60)
        assert s.pid_of(await s.attach(session, JID)) == spare.pid


async def test_a_cell_whose_clients_have_stopped_outlives_the_lease(tmp_path: Path) -> None:
    async with stand(tmp_path, ping_interval=0.05, spare=1) as s:
        leash = s.pool.leash = Leash(Tenure(time.monotonic(), 60))
        session = await attached(s, "a")
        client = session.notices[0].client
        pid = s.pid_of(client)
        with trio.fail_after(PATIENCE):
            while len(s.pool.cells) < 2:
                await trio.sleep(0.01)
        await s.cells.terminate_child("cell-2")  # so that the other one is needed as a spare
        leash.tenure = Tenure(time.monotonic() - 58.5, 60, drift=0, margin=0.5)  # for another second
        await trio.sleep(0.2)
        await client.stop()
        await trio.sleep(1.5)
        assert not gone(pid)


async def test_a_cell_above_its_memory_limit_hands_its_sessions_over_and_ends(tmp_path: Path) -> None:
    # A cell takes about 30 MB, between this limit and twice it.
    async with stand(tmp_path, ping_interval=0.05, memory_limit_mb=18) as s:
        session = await s.session("a")
        give_device(s, session)
        client = await s.attach(session, JID)
        pid = s.pid_of(client)
        (lost,) = await session.until(lambda: session.lost)
        assert (lost.client, lost.reason) == (client, "retired")
        await until_gone(pid)
        assert await s.attach(session, JID) is not client


async def test_a_cell_far_above_its_memory_limit_is_killed(tmp_path: Path) -> None:
    async with stand(tmp_path, ping_interval=0.05, memory_limit_mb=4) as s:
        session = await s.session("a")
        give_device(s, session)
        with suppress(CellDied):
            await s.attach(session, JID)
        with trio.fail_after(PATIENCE):
            while (exit_ := s.cells.which_child("cell-1").last_exit) is None:
                await trio.sleep(0.01)
        assert "twice its limit" in str(exit_.cause)


async def test_a_cell_that_has_started_its_share_takes_no_more_and_ends_when_empty(tmp_path: Path) -> None:
    async with stand(tmp_path, max_starts=2) as s:
        sessions = [await attached(s, name) for name in "abc"]
        clients = [session.notices[0].client for session in sessions]
        assert [client.cell_id for client in clients] == ["cell-1", "cell-1", "cell-2"]
        pid = s.pid_of(clients[0])
        await clients[0].stop()
        assert not gone(pid)
        await clients[1].stop()
        await until_gone(pid)


async def test_keys_and_journal_are_for_this_user_alone_wherever_they_lie(tmp_path: Path) -> None:
    async with stand(tmp_path / "a b?c#d%20é") as s:
        session = await s.session("a")
        session.acknowledging = False
        await s.attach(session)
        await session.until_event(LoopEnded)
        files = [path for path in s.directory.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"a.db", "lock"}
        assert [path for path in files if path.stat().st_mode & 0o077] == []
        assert [path for path in tmp_path.rglob("*.db") if path not in files] == []


async def test_attaching_again_stops_the_client_of_before(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await attached(s, "a")
        first = session.notices[0].client
        second = await s.attach(session, JID)
        assert second is not first
        await session.until(lambda: len(session.notices) == 2)
        assert session.lost == []
        assert session.seqs == [1, 2]


async def test_a_session_that_another_process_hosts_is_refused(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        s.journal(session).mkdir(parents=True)
        with (s.journal(session) / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(SessionBusy):
                await s.attach(session)
        await s.attach(session)


async def test_cancelling_an_attach_leaves_no_client_behind(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        give_device(s, session)
        for delay in (0.0, 0.02, 0.06, 0.1):
            with trio.move_on_after(delay):
                await s.attach(session, JID)
            for client in {notice.client for notice in session.notices}:
                await client.stop()
        await s.attach(session, JID)
        await session.until_event(LoopEnded)
        assert sum(cell.clients for cell in s.pool.cells) == 1


async def test_records_not_acknowledged_come_again_from_the_next_client(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        session = await s.session("a")
        session.acknowledging = False
        for start in (1, 2, 3):
            client = await s.attach(session, after=1)
            expected = [seq for last in range(1, start + 1) for seq in range(2, last + 2)]
            await session.until(partial(lambda count: len(session.seqs) >= count, len(expected)))
            await client.stop()
        assert session.seqs[-3:] == [2, 3, 4]


async def test_stopping_the_tree_stops_the_processes(tmp_path: Path) -> None:
    async with stand(tmp_path) as s:
        sessions = [await attached(s, "a"), await s.session("b")]
        await s.attach(sessions[1])
        pids = [cell.pid for cell in s.pool.cells]
        assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


async def test_a_cell_inherits_no_descriptor_but_its_own(tmp_path: Path) -> None:
    secret = (tmp_path / "secret").open("w")
    os.set_inheritable(secret.fileno(), True)
    try:
        async with stand(tmp_path) as s:
            client = await s.attach(await s.session("a"))
            links = [str(link.readlink()) for link in Path(f"/proc/{s.pid_of(client)}/fd").iterdir()]
    finally:
        secret.close()
    assert not any("secret" in link for link in links)
    inherited = [link for link in links if link.startswith(("socket:", "pipe:"))]
    assert len(inherited) == 4


async def test_a_cell_gets_none_of_the_gateways_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@host/db")
    async with stand(tmp_path) as s:
        client = await s.attach(await s.session("a"))
        assert b"secret" not in Path(f"/proc/{s.pid_of(client)}/environ").read_bytes()


async def test_a_cell_leaves_signals_to_the_gateway(tmp_path: Path) -> None:
    """Ctrl-C and a service manager's SIGTERM reach all processes at once; the gateway knows what to do."""
    async with stand(tmp_path) as s:
        client = await s.attach(await s.session("a"))
        status = Path(f"/proc/{s.pid_of(client)}/status").read_text()
        ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
        assert all(ignored >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


PARENT = """
import sys
from pathlib import Path
import trio
from stand import stand

async def main() -> None:
    async with stand(Path(sys.argv[1])) as s:
        await s.pool.warm()
        await s.attach(await s.session("a"))
        print(*(cell.pid for cell in s.pool.cells), flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_cell_outlives_a_gateway_that_was_killed(tmp_path: Path, stopped: bool) -> None:
    """Also when the cell cannot run to see its sockets close: the kernel sees to it."""
    program = PARENT.replace("stand(Path(sys.argv[1]))", "stand(Path(sys.argv[1]), spare=1, ping_timeout=60)")
    parent = subprocess.Popen(  # noqa: ASYNC220 - at once
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/actors/whatsapp'}"},
    )
    assert parent.stdout is not None
    try:
        with parent.stdout:
            pids = [int(each) for each in (await trio.to_thread.run_sync(parent.stdout.readline)).split()]
        assert len(pids) == 2
        if stopped:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
    finally:
        parent.kill()
        parent.wait()
    for pid in pids:
        await until_gone(pid)


async def test_a_cell_whose_parent_is_gone_before_it_looks_ends_at_once(tmp_path: Path) -> None:
    program = "import sys; sys.argv[1:] = ['{}']; from actors.parentage import die_with_parent; "
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", program + "die_with_parent(1 << 22); print('lives')"],
        check=True,
        capture_output=True,
    )
    assert done.stdout == b""
