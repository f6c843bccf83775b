"""The command line: what it refuses and how, and what `tree` and `tail` show of a gateway that runs."""

import gc
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trio
import trio.testing
from trio_websocket import WebSocketRequest, serve_websocket

from api import nodes, tail, tree
from api.cli import main
from api.running import NotRunningError, Running, find, leave
from runtime import Actor, ActorDied, ChildSpec, ChildType, Supervisor

ROOT = Path(__file__).resolve().parents[2]
KEY = "admin-key"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code of a command that fails, and its one line on standard error."""
    code = main(arguments)
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return code, line


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.delenv("TERZETTO_ADMIN_KEY", raising=False)


# Usage


def test_help_names_every_command_and_the_version_is_the_projects() -> None:
    def output(*arguments: str) -> str:
        command = [sys.executable, "-m", "api", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    shown = output("--help")
    for name in ("up", "sandbox", "demo", "loopback", "test", "tree", "nodes", "password", "tail"):
        assert f"\n    {name} " in shown
    assert output("--version") == "terzetto 0.1.0\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["up", "--fast"], ["tree", "extra"]])
def test_a_wrong_use_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_wrong_configuration_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text("[cells]\nspare = -1\n")
    assert said(capsys, "up", "--config", str(file)) == (
        2,
        f"terzetto: {file}: [cells] spare: expected an integer ≥ 0, got -1",
    )


def test_a_named_configuration_has_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "up", "--config", "/none") == (2, "terzetto: --config: there is no file /none")


def test_an_address_that_is_none_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "up", "--listen", "8080") == (
        2,
        'terzetto: --listen: expected "HOST:PORT", got "8080"',
    )


def test_looking_at_a_url_needs_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = said(capsys, "tree", "--url", "http://127.0.0.1:9")
    assert code == 2
    assert "TERZETTO_ADMIN_KEY" in line


def test_the_tests_take_pytests_options() -> None:
    command = [sys.executable, "-m", "api", "test", "--collect-only", "-q", "tests/api/test_logs.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "test_json_holds_the_same_fields" in done.stdout


# Finding a gateway


def test_without_a_gateway_it_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    share = tmp_path / "share" / "terzetto"
    code, line = said(capsys, "tree")
    assert code == 1
    assert line.startswith(f"terzetto: no gateway has left its address in {share} or {share}/sandbox; ")


def test_what_a_gateway_leaves_is_found_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    leave(file, Running("http://127.0.0.1:1", "old"))
    leave(file, Running("http://127.0.0.1:2", "new"), sessions=["a"])
    assert find([tmp_path / "none", tmp_path]) == Running("http://127.0.0.1:2", "new")
    assert json.loads(file.read_text())["sessions"] == ["a"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert "new" not in repr(find([tmp_path]))


def test_a_gateway_that_does_not_answer_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unused_port: int
) -> None:
    leave(tmp_path / "gateway.json", Running(f"http://127.0.0.1:{unused_port}", KEY))
    for command in ("tree", "tail"):
        code, line = said(capsys, command, "--data", str(tmp_path))
        assert code == 1
        assert line.startswith(f"terzetto: no gateway answers at http://127.0.0.1:{unused_port}: ")


@pytest.fixture
def unused_port() -> int:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_port)


# The tree


class Idle(Actor):
    async def handle(self, message: object) -> None:
        if message == "die":
            raise ValueError("6281234567789")


NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def node(id_: str, state: str = "running", *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A node as `GET /api/tree` gives it, 61 s old."""
    since = (NOW - timedelta(seconds=61)).isoformat()
    empty = {"since": since, "restarts": 0, "lastExit": None, "due": None, "mailbox": None}
    return {"id": id_, "state": state, "children": list(children)} | empty | more


TREE = node(
    "root",
    "running",
    node("storage", mailbox={"depth": 12}),
    node(
        "sessions", "running", node("s_1", "failed", lastExit="error (ValueError)", restarts=10), node("s_2")
    ),
    node("api", "backing_off", due=(NOW + timedelta(hours=2, minutes=5)).isoformat(), restarts=3),
)


def test_the_tree_is_one_line_a_node() -> None:
    assert list(tree.render(TREE, NOW)) == [
        "               state            since restarts  mail  last exit",
        "● root         running         1m 01s        0",
        "├─ ● storage   running         1m 01s        0    12",
        "├─ ● sessions  running         1m 01s        0",
        "│  ├─ ✗ s_1    failed          1m 01s       10        error (ValueError)",
        "│  └─ ● s_2    running         1m 01s        0",
        "└─ ◌ api       backing_off  in 2h 05m        3",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    long = node("root", "running", node("s_" + "0" * 60, "unresponsive", lastExit="error (" + "E" * 80 + ")"))
    lines = list(tree.render(long, NOW, width=80, colour=True))
    assert max(len(re.sub("\033\\[\\d+m", "", line)) for line in lines) == 80
    assert "\033[31m!\033[0m s_000" in lines[2]


async def test_a_real_tree_is_shown_without_what_the_error_said(nursery: trio.Nursery) -> None:
    inner = Supervisor([ChildSpec("s_1", Idle)], id="sessions")
    root = Supervisor(
        [ChildSpec("storage", Idle), ChildSpec("sessions", inner.run, type=ChildType.SUPERVISOR)]
    )
    await nursery.start(root.run)
    with pytest.raises(ActorDied):
        await inner.ref("s_1").call("die")
    await trio.testing.wait_all_tasks_blocked()
    now = trio.current_time()
    shown = nodes.nested(root.tree(now), "", now, nodes.Moments(NOW.timestamp() - now), ())
    json.dumps(shown)
    (storage, sessions) = shown["children"]
    assert storage["mailbox"]["depth"] == 0
    (died,) = sessions["children"]
    assert (died["state"], died["restarts"], died["lastExit"]) == ("running", 1, "error (ValueError)")
    assert NOW - datetime.fromisoformat(died["since"]) < timedelta(seconds=5)
    assert len(list(tree.render(shown, NOW))) == 5
    await root.stop()


class Gateway(BaseHTTPRequestHandler):
    """Answers as a gateway does at /api/tree."""

    def do_GET(self) -> None:
        known = self.headers["x-api-key"] == KEY
        answer = TREE if known else {"code": "key_invalid", "detail": "This key is not known."}
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_tree_of_a_gateway_is_printed_plainly_into_a_pipe(gateway: str, tmp_path: Path) -> None:
    leave(tmp_path / "gateway.json", Running(gateway, KEY))
    command = [sys.executable, "-m", "api", "tree", "--data", str(tmp_path)]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["12", "0", "(ValueError)", "0", "3"]
    assert "\033" not in "".join(lines)
    asked = subprocess.run([*command, "--json"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(asked.stdout) == TREE


def test_a_key_that_is_refused_is_a_failure_that_says_why(
    gateway: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERZETTO_ADMIN_KEY", "wrong")
    assert said(capsys, "tree", "--url", gateway) == (
        1,
        f"terzetto: {gateway} answered 401: key_invalid: This key is not known.",
    )


# Events


def event(seq: int) -> dict[str, Any]:
    return {
        "eventId": f"evt_{seq}",
        "seq": seq,
        "sessionId": "s_1",
        "event": "session.status",
        "occurredAt": "2026-11-22T15:00:00+00:00",
        "data": {"actual": "connected"},
        "cursor": f"c{seq}",
    }


# trio-websocket leaves the socket of a refused or closed connection to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")
async def test_tail_goes_on_after_its_last_cursor_until_it_is_refused(
    nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    paths: list[str] = []

    async def serve(request: WebSocketRequest) -> None:
        assert dict(request.headers)[b"x-api-key"] == KEY.encode()
        paths.append(request.path)
        if len(paths) == 3:
            await request.reject(503)
        elif len(paths) == 4:
            await request.reject(401, body=b'{"code": "key_invalid", "detail": "This key is not known."}')
        else:
            connection = await request.accept()
            first = 2 * len(paths) - 1
            for seq in (first, first + 1):
                await connection.send_message(json.dumps(event(seq)))
            await connection.aclose(1013, "too slow")

    server = await nursery.start(serve_websocket, serve, "127.0.0.1", 0, None)
    running = Running(f"http://127.0.0.1:{server.port}", KEY)
    with (
        trio.fail_after(10),
        pytest.raises(NotRunningError, match=r"answered 401: key_invalid: This key is not known\.$"),
    ):
        await tail.follow(running, {"sessions": "s_1"}, True)
    nursery.cancel_scope.cancel()
    gc.collect()
    output, errors = capsys.readouterr()
    assert [json.loads(line) for line in output.splitlines()] == [event(seq) for seq in (1, 2, 3, 4)]
    assert [line.partition(" (")[0] for line in errors.splitlines()] == ["terzetto: connection lost"] * 3
    assert paths == [
        "/api/ws?sessions=s_1",
        "/api/ws?sessions=s_1&after=c2",
        "/api/ws?sessions=s_1&after=c4",
        "/api/ws?sessions=s_1&after=c4",
    ]


def test_an_event_is_shown_on_one_line() -> None:
    shown = tail.line(event(12))
    assert shown.partition(" ")[2] == 's_1 #12 session.status {"actual":"connected"}'
