"""The doctor: what it finds in a real installation with one thing wrong, and that it tells no secret."""

import fcntl
import json
import os
import resource
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import attrs
import psycopg
import pytest
import trio
import trustme
from psycopg.conninfo import make_conninfo

from api.cli import main
from api.config import Api, Cluster, Config, Decoders, Storage, WhatsApp
from api.doctor import database as databases
from api.doctor import directory, examination, installation, machine, occupancy, whatsapp
from api.doctor.finding import Finding, Level
from storage import migrate
from storage.migrate import migrations

NOBODY = 65534
OFFLINE = ("--offline",)


def on(dsn: str, listen: str = "127.0.0.1:0") -> Config:
    return Config(storage=Storage(dsn=dsn), api=Api(listen=listen))


def of(findings: Iterable[Finding], check: str) -> Finding:
    """The worst that was found of one thing."""
    levels = list(Level)
    return max(
        (each for each in findings if each.check == check), key=lambda found: levels.index(found.level)
    )


def looked(dsn: str, data: Path, *, occupied: bool = False) -> list[Finding]:
    return list(databases.check(on(dsn), data, occupied=occupied))


@pytest.fixture(autouse=True)
def _nothing_of_this_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("DATABASE_URL", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that every user can get to."""
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    (above / "data").mkdir(mode=0o700)
    yield above / "data"
    shutil.rmtree(above)


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def nobody() -> Iterator[None]:
    """What root may do, it may not do meanwhile; others may do no less than before."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


# The whole


def test_a_sound_installation_has_no_problem_and_all_of_it_is_looked_at(database: str, data: Path) -> None:
    found = list(examination.examine(lambda: on(database), data, offline=True))
    assert [each for each in found if each.level is Level.PROBLEM] == []
    checks = {each.check for each in found}
    assert checks >= {"python", "packages", "data", "files", "config", "memory", "gateway", "database"}
    assert checks >= {"migrations", "clock", "room"}
    assert all("\n" not in examination.line(each) for each in found)
    assert all(bool(each.remedy) == (each.level is not Level.OK) for each in found)


def test_the_command_exits_with_1_for_a_problem_only(
    database: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("doctor", "--data", str(data), "--listen", "127.0.0.1:0", *OFFLINE)
    monkeypatch.setenv("DATABASE_URL", database)
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok       database    PostgreSQL ") for line in lines)
    # The tests' own server saves itself the waiting for the disk.
    assert [line.split()[0] for line in lines if "fsync is off" in line] == ["warning"]

    monkeypatch.setenv("DATABASE_URL", make_conninfo(database, dbname="none"))
    assert main((*arguments, "--json")) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (bad,) = [each for each in told["findings"] if each["level"] == "problem"]
    assert bad["check"] == "database"
    assert 'database "none" does not exist' in bad["text"]
    assert bad["remedy"]


def test_a_wrong_configuration_is_a_problem_and_the_rest_is_still_looked_at(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text("[cells]\nspare = -1\nwings = 2\n")
    assert main(("doctor", "--data", str(data), "--config", str(file), *OFFLINE)) == 1
    lines = capsys.readouterr().out.splitlines()
    bad = [line for line in lines if line.startswith("problem")]
    assert [line.split()[1] for line in bad] == ["config", "config"]
    assert "[cells] spare: expected an integer ≥ 0, got -1" in bad[0] + bad[1]
    assert any(line.split()[:2] == ["ok", "data"] for line in lines)


# The program


def test_packages_that_are_missing_or_of_another_version_are_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["attrs", "no-such", "trio>=0.35"]\n')
    (tmp_path / "requirements.lock").write_text("# exact\nattrs==1.0 ; python_version > '3'\nno-such==1.0\n")
    missing, other = installation.packages(tmp_path)
    assert missing.text == "missing: no-such"
    assert other.text.startswith("not as in requirements.lock: attrs ")
    assert other.text.endswith(" for 1.0")


def test_a_package_of_an_extra_that_is_asked_for_is_missed(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["psycopg[c]"]\n')
    (found,) = installation.packages(tmp_path)
    assert found.text == "missing: psycopg-c"
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["psycopg[binary]"]\n')
    (found,) = installation.packages(tmp_path)
    assert found.level is Level.OK


# The data directory


def test_a_data_directory_that_can_be_made_is_fine_and_one_that_cannot_is_not(data: Path) -> None:
    (found,) = directory.check(data / "new" / "one")
    assert found.level is Level.OK
    data.chmod(0o555)
    with nobody():
        (found,) = directory.check(data / "new" / "one")
    assert found.level is Level.PROBLEM
    assert "install -d -m 700 -o" in found.remedy


def test_a_data_directory_without_rights_is_a_problem(data: Path) -> None:
    data.chmod(0o555)
    with nobody():
        (found,) = directory.check(data)
    assert (found.level, found.check) == (Level.PROBLEM, "data")
    assert found.text.startswith(f"{data} cannot be written by ")
    data.parent.chmod(0o000)
    with nobody():
        (found,) = directory.check(data)
    data.parent.chmod(0o755)
    assert (found.level, found.check) == (Level.PROBLEM, "data")


def test_a_file_in_its_place_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    (found,) = directory.check(tmp_path / "data")
    assert found.text == f"{tmp_path / 'data'} is no directory"


def test_a_file_that_somebody_else_restored_is_found(data: Path) -> None:
    (data / "devices").mkdir()
    (data / "devices").chmod(0o777)
    (data / "devices" / "ana.db").touch(mode=0o400)
    data.chmod(0o777)
    with nobody():
        found = list(directory.check(data))
    (bad,) = [each for each in found if each.level is Level.PROBLEM]
    assert bad.text.endswith(f" cannot write 1 of its files, such as {data}/devices/ana.db")


def test_a_data_directory_that_others_may_look_into_is_a_warning(data: Path) -> None:
    assert of(directory.check(data), "data").level is Level.OK
    data.chmod(0o755)
    found = of(directory.check(data), "data")
    assert found.level is Level.WARNING
    assert found.remedy == f"chmod 700 {data}"


def test_a_data_directory_in_memory_is_a_warning() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        texts = [each.text for each in directory.check(Path(folder)) if each.level is Level.WARNING]
    assert any(text.startswith("tmpfs: ") for text in texts)


# The machine


def test_a_low_limit_of_open_files_is_a_warning_and_a_very_low_one_a_problem() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for limit, level in ((1024, Level.WARNING), (400, Level.PROBLEM)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
            (found,) = machine.files()
            assert found.level is level
            assert f"only {limit} " in found.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_configuration_that_outgrows_the_machine_is_a_warning() -> None:
    greedy = Config(decoders=Decoders(workers=1000, memory_mb=100_000))
    (found,) = machine.memory(greedy)
    assert found.level is Level.WARNING
    assert machine.needed(greedy) > 100_000_000


# Who else is there


def test_a_directory_is_occupied_while_somebody_holds_its_lock(data: Path) -> None:
    assert not occupancy.occupied(data)
    with (data / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert occupancy.occupied(data)
        (found,) = occupancy.gateway(data, occupied=True)
        assert found.level is Level.WARNING
    assert not occupancy.occupied(data)


def test_a_port_that_is_taken_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config = Config(api=Api(listen=listen))
        (found,) = occupancy.port(config, occupied=False)
        assert (found.level, found.text) == (Level.PROBLEM, f"{listen}: Address already in use")
        assert list(occupancy.port(config, occupied=True)) == []
    (found,) = occupancy.port(config, occupied=False)
    assert found.level is Level.OK


# The database


def test_a_database_that_is_not_there_is_a_problem_and_its_password_is_not_told(
    data: Path, unused_port: int
) -> None:
    (found,) = looked(f"postgresql://me:hush@127.0.0.1:{unused_port}/x", data)
    assert (found.level, found.check) == (Level.PROBLEM, "database")
    assert "refused" in found.text
    (wrong,) = looked("host=127.0.0.1 password=hush nonsense", data)
    assert (wrong.level, wrong.text) == (Level.PROBLEM, "no connection string")
    assert "hush" not in repr((found, wrong))


def test_a_database_that_says_nothing_is_given_up(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "TIMEOUT", 2)  # the least that libpq knows
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = looked(f"host=127.0.0.1 port={silent.getsockname()[1]}", data)
    assert found.level is Level.PROBLEM
    assert "timeout" in found.text


@pytest.fixture
def other(server: str, admin: psycopg.Connection) -> Iterator[str]:
    """A database of this test's own, without tables."""
    admin.execute("CREATE DATABASE other TEMPLATE template0")
    yield make_conninfo(server, dbname="other")
    admin.execute("DROP DATABASE other WITH (FORCE)")


def test_an_empty_database_is_fine(other: str, data: Path) -> None:
    assert of(looked(other, data), "migrations").text.startswith("an empty database; ")


def test_a_stale_schema_is_a_warning_that_says_to_back_up(other: str, data: Path) -> None:
    trio.run(migrate, other, migrations()[:-2])
    found = of(looked(other, data), "migrations")
    assert found.level is Level.WARNING
    assert found.text == f"2 are applied at the next start, from {migrations()[-2].name}"
    assert found.remedy.startswith("back up first")


def test_a_schema_of_a_newer_program_is_a_problem(other: str, data: Path) -> None:
    trio.run(migrate, other)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("INSERT INTO migrations (number, name, checksum) VALUES (9999, '9999_new', 'x')")
    found = of(looked(other, data), "migrations")
    assert found.level is Level.PROBLEM
    assert "9999_new, newer than this program's" in found.text


def test_a_newer_schema_that_bears_this_program_is_fine(other: str, data: Path) -> None:
    trio.run(migrate, other)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO migrations (number, name, checksum, oldest_program)"
            " SELECT 9999, '9999_new', 'x', max(number) FROM migrations"
        )
    found = of(looked(other, data), "migrations")
    assert found.level is Level.OK
    assert found.text.startswith("at 9999_new, which bears this program")


def test_who_may_make_no_tables_is_told(other: str, data: Path, admin: psycopg.Connection) -> None:
    admin.execute("CREATE ROLE guest")
    try:
        found = of(looked(make_conninfo(other, options="-c role=guest"), data), "migrations")
    finally:
        admin.execute("DROP ROLE guest")
    assert found.level is Level.PROBLEM
    assert "may not make tables" in found.text


def test_a_database_of_another_encoding_is_a_problem(
    server: str, admin: psycopg.Connection, data: Path
) -> None:
    admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        found = of(looked(make_conninfo(server, dbname="latin"), data), "database")
    finally:
        admin.execute("DROP DATABASE latin WITH (FORCE)")
    assert (found.level, found.text) == (Level.PROBLEM, "its encoding is LATIN1")


def test_too_few_connections_are_a_problem_unless_the_gateway_has_them(
    other: str, admin: psycopg.Connection, data: Path
) -> None:
    admin.execute("ALTER DATABASE other CONNECTION LIMIT 4")
    found = of(looked(other, data), "room")
    assert (found.level, found.text) == (Level.PROBLEM, "4 connections left; a gateway uses 10")
    assert of(looked(other, data, occupied=True), "room").level is Level.WARNING


def test_another_gateway_on_the_same_database_is_a_problem(database: str, data: Path) -> None:
    with psycopg.connect(database, application_name="terzetto writer gateway"):
        found = of(looked(database, data), "database")
        assert found.text == "a gateway with another data directory writes to it"
        assert found.level is Level.PROBLEM
        ours = looked(database, data, occupied=True)
    assert all(each.level is not Level.PROBLEM for each in ours)


def test_a_gateway_beside_nodes_that_share_is_a_problem(
    database: str, data: Path, admin: psycopg.Connection
) -> None:
    sharing = attrs.evolve(on(database), cluster=Cluster(enabled=True))
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO nodes VALUES ('nod_1', 'one', 'http://one', 'run_1', %s, '1', 'running', '{}',"
            " now(), now() + interval '1 minute')",
            (bytes(32),),
        )
    try:
        alone = of(looked(database, data), "nodes")
        among = of(list(databases.check(sharing, data, occupied=False)), "nodes")
    finally:
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM nodes")
    assert (alone.level, alone.remedy) == (Level.PROBLEM, "set [cluster] enabled here too")
    assert (among.level, among.text) == (Level.OK, "1 hold a lease")


def test_a_server_that_is_too_old_is_a_problem(
    database: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "OLDEST", 99)
    assert of(looked(database, data), "database").text.endswith(" is older than 99")


@pytest.mark.parametrize(
    ("theirs", "level"), [(100.05, Level.OK), (96.0, Level.WARNING), (161.2, Level.PROBLEM)]
)
def test_clocks_that_differ_are_told(theirs: float, level: Level) -> None:
    assert databases.clock(100.0, theirs, 100.1).level is level


def test_an_embedded_server_of_another_version_is_a_problem(data: Path) -> None:
    (found,) = looked("", data)
    assert found.level is Level.OK
    pgdata = data / "postgres" / "pgdata"
    pgdata.mkdir(parents=True)
    (pgdata / "PG_VERSION").write_text("15\n")
    (found,) = looked("", data)
    assert found.level is Level.PROBLEM
    assert "is of PostgreSQL 15" in found.text


# The way to WhatsApp


def test_a_proxy_is_connected_to_and_no_further(unused_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        where = f"127.0.0.1:{proxy.getsockname()[1]}"
        (found,) = whatsapp.check(WhatsApp(proxy=f"socks5://me:hush@{where}"), ("127.0.0.1", unused_port))
        assert (found.level, found.text) == (Level.OK, f"the proxy {where} takes connections")
        accepted, _ = proxy.accept()
        with accepted:
            assert accepted.recv(1) == b""
    (found,) = whatsapp.check(WhatsApp(proxy=f"socks5://me:hush@{where}"))
    assert (found.level, "refused" in found.text) == (Level.PROBLEM, True)
    assert "hush" not in repr(found)


def test_a_proxy_of_the_environment_is_gone_by(unused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused_port}")
    (found,) = whatsapp.check(WhatsApp(), ("127.0.0.1", 1))
    assert found.text.startswith(f"the proxy 127.0.0.1:{unused_port} cannot be reached")


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[tuple[str, int]]:
    """Shakes hands with one client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted, suppress(OSError), context.wrap_socket(accepted, server_side=True) as secured:
                secured.recv(1)

        thread = Thread(target=serve)
        thread.start()
        yield ("localhost", listener.getsockname()[1])
        thread.join()


def test_a_server_is_trusted_by_the_authorities_and_no_other(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with tls_server(context) as server:
        (found,) = whatsapp.check(WhatsApp(ca_file=str(ca_file)), server)
    assert (found.level, "answers, TLSv1." in found.text) == (Level.OK, True)
    with tls_server(context) as server:
        (found,) = whatsapp.check(WhatsApp(), server)
    assert (found.level, "certificate" in found.text) == (Level.PROBLEM, True)
    (found,) = whatsapp.check(WhatsApp(ca_file="/none"), server)
    assert found.text == "ca_file /none is not there"


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whatsapp, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = whatsapp.check(WhatsApp(), ("127.0.0.1", silent.getsockname()[1]))
    assert found.level is Level.PROBLEM
    assert found.text.endswith(" cannot be reached: no answer")
