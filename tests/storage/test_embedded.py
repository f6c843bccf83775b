"""The embedded server's life: made, stopped, killed, taken over; and nothing left behind."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from psycopg.conninfo import conninfo_to_dict

from storage import ServerError, launch, open_storage
from storage.connection import TrioConnection
from storage.embedded import embedded_postgres
from tests.storage.conftest import ROOT
from tests.storage.gateway import running_writer
from tests.storage.test_writer import inbound

SERVE = Path(__file__).with_name("serve.py")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a cluster that was stopped cleanly."""
    data_dir = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with embedded_postgres(data_dir, fsync=False):
            pass

    trio.run(make)
    return data_dir


@pytest.fixture
def data_dir(made: Path, tmp_path: Path) -> Path:
    """A copy of it: a third of the time of making one."""
    subprocess.run(["cp", "-a", "--reflink=auto", made, tmp_path / "data"], check=True)
    return tmp_path / "data"


async def query(dsn: str, text: str) -> object:
    connection = await TrioConnection.connect(dsn, autocommit=True)
    try:
        cursor = await connection.execute(text.encode())
        row = await cursor.fetchone() if cursor.description else None
        return row and row[0]
    finally:
        await connection.close()


def servers(data_dir: Path) -> list[int]:
    """The processes that work in this directory's data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(data_dir):
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def until_gone(data_dir: Path) -> None:
    with trio.fail_after(10):
        while servers(data_dir):
            await trio.sleep(0.02)


def postmaster(data_dir: Path) -> int:
    """Its process; 0 while it has not written that down."""
    try:
        said = (data_dir / "pgdata" / "postmaster.pid").read_text().split()
    except FileNotFoundError:
        return 0
    return int(said[0]) if said else 0


@contextmanager
def serving(data_dir: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway's process with an embedded server, and its connection string."""
    process = subprocess.Popen(
        [sys.executable, SERVE, data_dir, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=20)


async def test_data_lives_on_and_no_process_and_no_socket_remain(tmp_path: Path) -> None:
    data_dir = tmp_path / "with a space" / ("long" * 40)
    async with embedded_postgres(data_dir, fsync=False) as dsn:
        await query(dsn, "CREATE TABLE t AS SELECT 42 AS answer")
        assert len(servers(data_dir)) > 1
    assert servers(data_dir) == []
    assert not Path(str(conninfo_to_dict(dsn)["host"])).exists()
    start = time.monotonic()
    async with embedded_postgres(data_dir, fsync=False) as again:
        assert time.monotonic() - start < 5
        assert await query(again, "SELECT answer FROM t") == 42
    assert again == dsn


async def test_the_server_listens_on_no_network_and_keeps_strangers_out(data_dir: Path) -> None:
    async with embedded_postgres(data_dir, fsync=False) as dsn:
        assert await query(dsn, "SHOW listen_addresses") == ""
        directory = Path(str(conninfo_to_dict(dsn)["host"]))
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        rules = await query(dsn, "SELECT array_agg(type || auth_method) FROM pg_hba_file_rules")
        assert rules == ["localpeer"]
        with pytest.raises(Exception, match="Peer authentication failed"):
            await query(f"{dsn} user=somebody", "SELECT 1")


async def test_data_is_flushed_to_disk_unless_told_otherwise(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as dsn:
        assert (
            await query(dsn, "SELECT current_setting('fsync') || current_setting('synchronous_commit')")
            == "onon"
        )


async def test_an_error_in_the_block_comes_out_as_it_is(data_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with embedded_postgres(data_dir, fsync=False):
            raise ZeroDivisionError
    assert servers(data_dir) == []


async def test_cancellation_stops_the_server_in_bounded_time(data_dir: Path) -> None:
    with trio.CancelScope() as scope:
        async with embedded_postgres(data_dir, fsync=False) as dsn, trio.open_nursery() as nursery:
            nursery.start_soon(query, dsn, "SELECT pg_sleep(60)")
            start = time.monotonic()
            scope.cancel()
    assert time.monotonic() - start < 10
    assert servers(data_dir) == []


async def test_a_cancelled_block_has_the_database_to_its_end(data_dir: Path) -> None:
    with trio.CancelScope() as scope:
        async with embedded_postgres(data_dir, fsync=False) as dsn:
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.testing.wait_all_tasks_blocked(
                        0.2
                    )  # whoever else is cancelled has ended by now
                    assert await query(dsn, "SELECT 1") == 1
    assert servers(data_dir) == []


async def test_cancellation_while_it_is_made_leaves_nothing_that_stops_the_next_start(tmp_path: Path) -> None:
    with trio.move_on_after(0.15) as scope:
        async with embedded_postgres(tmp_path, fsync=False):
            pytest.fail("made in no time")
    assert scope.cancelled_caught
    assert servers(tmp_path) == []
    async with embedded_postgres(tmp_path, fsync=False) as dsn:
        assert await query(dsn, "SELECT 1") == 1


async def test_a_second_start_on_the_same_directory_is_refused_and_harms_nothing(data_dir: Path) -> None:
    async with embedded_postgres(data_dir, fsync=False) as dsn:
        with pytest.raises(ServerError, match="in use"):
            async with embedded_postgres(data_dir, fsync=False):
                pass
        assert await query(dsn, "SELECT 1") == 1


async def test_a_killed_gateway_takes_its_server_along_and_loses_nothing_committed(data_dir: Path) -> None:
    with serving(data_dir, "--fsync") as (process, dsn):
        await query(dsn, "CREATE TABLE t AS SELECT 42 AS answer")
        process.kill()
        process.wait()
        await until_gone(data_dir)
    with serving(data_dir, "--fsync") as (_, again):
        assert again == dsn
        assert await query(again, "SELECT answer FROM t") == 42


async def test_a_start_right_after_a_kill_waits_for_the_old_server_to_end(data_dir: Path) -> None:
    with serving(data_dir) as (process, dsn):
        await query(dsn, "CREATE TABLE t AS SELECT 42 AS answer")
        process.kill()
        process.wait()
        async with embedded_postgres(data_dir, fsync=False) as again:
            assert await query(again, "SELECT answer FROM t") == 42


async def test_a_server_that_outlived_its_gateway_is_stopped_first(data_dir: Path) -> None:
    with serving(data_dir) as (process, dsn):
        await query(dsn, "CREATE TABLE t AS SELECT 42 AS answer")
        orphan = postmaster(data_dir)
        os.kill(orphan, signal.SIGSTOP)  # deaf to its parent's death, as where there is no such signal
        process.kill()
        process.wait()

        async def wake() -> None:
            await trio.sleep(0.3)
            os.kill(orphan, signal.SIGCONT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wake)
            async with embedded_postgres(data_dir, fsync=False) as again:
                assert postmaster(data_dir) != orphan
                assert await query(again, "SELECT answer FROM t") == 42


async def test_a_strangers_process_number_in_a_stale_file_is_no_obstacle(data_dir: Path) -> None:
    async with embedded_postgres(data_dir, fsync=False):
        left = (data_dir / "pgdata" / "postmaster.pid").read_text().splitlines()
    owner = (data_dir / "pgdata").stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid) as stranger:  # noqa: ASYNC220
        stale = data_dir / "pgdata" / "postmaster.pid"
        stale.write_text("\n".join([str(stranger.pid), *left[1:]]) + "\n")
        os.chown(stale, owner.st_uid, owner.st_gid)
        async with embedded_postgres(data_dir, fsync=False) as dsn:
            assert await query(dsn, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


async def test_a_postmaster_that_dies_is_started_again_and_no_write_is_lost(data_dir: Path) -> None:
    async with open_storage(data_dir) as storage, running_writer(storage.dsn, batch_rows=20) as gateway:
        await gateway.session()
        for number in range(300):
            await gateway.writer.cast(inbound(str(number)))
            if number in (100, 200):
                dying = postmaster(data_dir)
                os.kill(dying, signal.SIGKILL if number == 100 else signal.SIGINT)
                with trio.fail_after(20):
                    while postmaster(data_dir) in {0, dying}:
                        await trio.sleep(0.01)
        await gateway.writer.call(inbound("last"), timeout=30)
        assert [event.seq for event in gateway.events] == list(range(1, 302))
        assert len(await storage.reads.session_events_after("s1", 0)) == 301


async def test_a_directory_of_another_version_is_refused_by_name(data_dir: Path) -> None:
    (data_dir / "pgdata" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError, match="of PostgreSQL 17, this is 18"):
        async with embedded_postgres(data_dir):
            pass


async def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    (data_dir / "pgdata" / "global" / "pg_control").unlink()
    with pytest.raises(ServerError, match="pg_control"):
        async with embedded_postgres(data_dir, fsync=False):
            pass


async def test_the_log_has_no_values_of_rows(data_dir: Path) -> None:
    async with embedded_postgres(data_dir, fsync=False) as dsn:
        await query(dsn, "CREATE TABLE t (a text PRIMARY KEY CHECK (length(a) > 20))")
        connection = await TrioConnection.connect(dsn)
        with pytest.raises(Exception, match="check"):
            await connection.execute("INSERT INTO t VALUES (%s)", ("hunter2",))
        await connection.close()
    log = (data_dir / "postgres.log").read_text()
    assert "violates check constraint" in log
    assert "hunter2" not in log


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
async def test_as_root_the_server_runs_as_another_user_even_below_a_closed_directory(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    async with embedded_postgres(closed / "data", fsync=False) as dsn:
        assert Path(f"/proc/{postmaster(closed / 'data')}").stat().st_uid != 0
        assert await query(dsn, "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_as_an_ordinary_user_it_runs_as_that_user() -> None:
    nobody = pwd.getpwnam("nobody")
    with directory_of(nobody.pw_uid) as data_dir:
        script = (
            "import os, trio, sys; from pathlib import Path\n"
            "from storage.embedded import embedded_postgres\n"
            "async def main():\n"
            "    async with embedded_postgres(Path(sys.argv[1]), fsync=False):\n"
            "        pid = (Path(sys.argv[1]) / 'pgdata/postmaster.pid').read_text().split()[0]\n"
            "        print(os.stat(f'/proc/{pid}').st_uid)\n"
            "trio.run(main)\n"
        )
        # Launched as servers are: nobody may read below a directory of root's, should this Python lie there.
        launched = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), nobody.pw_name]
        done = subprocess.run(
            [*launched, sys.executable, str(ROOT), "-c", script, str(data_dir)],
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == str(nobody.pw_uid), done.stderr


@contextmanager
def directory_of(owner: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, owner, -1)
        yield Path(name, "data")
