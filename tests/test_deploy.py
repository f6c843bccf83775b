"""What is shipped for operators: each file says what it promises, and all of them agree with the program.

Where hadolint, systemd-analyze, Caddy, PgBouncer or Helm (the package helm-python-sdk) are installed, they
judge as well. With TERZETTO_TEST_IMAGE=1, as root, the image's steps are run in an empty directory and what
they made is started.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import jsonschema
import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

from api.stopping import DEADLINE
from api.version import version

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "deploy" / "docker"
FILES = ("docker-compose.yml", "compose.nodes.yml")
CHART = ROOT / "deploy" / "helm" / "terzetto"
UNIT = ROOT / "deploy" / "systemd" / "terzetto.service"
PACKAGES = {"runtime", "storage", "actors", "api", "loopback"}
DRAIN = float(tomllib.loads((ROOT / "supervisor.toml").read_text()).get("cluster", {}).get("drain", 30))
PINNED = re.compile(r"[a-z0-9./-]+:[0-9]+\.[0-9]+[0-9a-z.-]*")

Json = dict[str, Any]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


# The image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, each on one line."""
    lines = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    found = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(name, rest) for name, rest in found]


def instruction(name: str) -> str:
    """The last one of this name."""
    return [rest for each, rest in instructions() if each == name][-1]


def included(path: Path) -> bool:
    """Whether a file of the project gets to the builder: the last line of .dockerignore that fits decides."""
    result = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        fits = any(fnmatch(str(each), pattern) for each in (path, *path.parents[:-1])) or (
            pattern.startswith("**/") and pattern[3:] in path.parts
        )
        if line and not line.startswith("#") and fits:
            result = line.startswith("!")
    return result


def test_the_image_is_of_the_whole_program_and_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(name) for name in tracked.stdout.splitlines()]
    shipped = {path.parts[0] for path in files if included(path)}
    assert shipped == PACKAGES | {"pyproject.toml", "requirements.lock", "supervisor.toml", "terzetto"}
    assert not included(Path("api/__pycache__/cli.pyc"))
    assert not included(Path(".git/config"))
    assert not included(Path(".env"))


def test_the_image_runs_as_a_fixed_user_from_a_pinned_base() -> None:
    names = dict(instructions())
    (base,) = (rest.partition("=")[2] for name, rest in instructions() if name == "ARG")
    assert PINNED.fullmatch(base)
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"${PYTHON}"}
    assert names["USER"] == "10001:10001"
    assert names["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(names["ENTRYPOINT"]) == ["terzetto"]
    assert names["VOLUME"].startswith("/var/lib/terzetto")
    assert "--constraint requirements.lock" in dict(instructions()[:5])["RUN"]


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    subprocess.run(["hadolint", DOCKER / "Dockerfile"], check=True)


# Compose


@pytest.fixture
def compose() -> Json:
    return dict(read(DOCKER / "docker-compose.yml"))


@pytest.fixture
def nodes() -> Json:
    """The Compose file of two gateways."""
    return dict(read(DOCKER / "compose.nodes.yml"))


@pytest.mark.parametrize("file", FILES)
def test_only_caddy_is_reached_from_outside(file: str) -> None:
    compose = read(DOCKER / file)
    services = compose["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["caddy"]
    assert services["postgres"]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True
    assert set(services["caddy"]["networks"]) & {"inside"} == set()


@pytest.mark.parametrize("file", FILES)
def test_every_image_is_pinned_and_ours_are_of_this_version(file: str) -> None:
    services = read(DOCKER / file)["services"]
    assert all(PINNED.fullmatch(each["image"]) for each in services.values())
    assert {each["image"] for each in services.values() if "build" in each} <= {
        f"terzetto:{version()}",
        f"terzetto-pgbouncer:{version()}",
    }


def test_no_secret_is_written_down(compose: Json) -> None:
    gateway, postgres = compose["services"]["gateway"], compose["services"]["postgres"]
    for name in ("PGPASSWORD", "TERZETTO_ADMIN_KEY"):
        assert re.fullmatch(r"\$\{\w+:\?.+\}", gateway["environment"][name])
    assert ":" not in gateway["environment"]["DATABASE_URL"].partition("://")[2].partition("@")[0]
    assert "POSTGRES_PASSWORD" not in postgres["environment"]
    assert compose["secrets"] == {"postgres_password": {"environment": "POSTGRES_PASSWORD"}}
    # What has to be set is in the example, without a value.
    asked = set(re.findall(r"\$\{(\w+)", (DOCKER / "docker-compose.yml").read_text()))
    example = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / "env.example").read_text(), re.MULTILINE))
    assert set(example) == asked
    assert {name for name, value in example.items() if value} == {"DOMAIN"}


def test_the_gateway_may_write_nowhere_but_to_its_volume(compose: Json) -> None:
    gateway = compose["services"]["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    writable = [volume for volume in gateway["volumes"] if not volume.endswith(":ro")]
    assert writable == ["data:/var/lib/terzetto"]
    assert seconds(gateway["stop_grace_period"]) > DEADLINE
    for volume in gateway["volumes"]:
        if volume.startswith("."):
            assert (DOCKER / volume.partition(":")[0]).exists()


def test_two_gateways_differ_in_where_they_are_and_what_they_keep_alone(nodes: Json, compose: Json) -> None:
    first, second = (nodes["services"][f"gateway-{number}"] for number in (1, 2))
    assert {name for name in first if first[name] != second[name]} == {"hostname", "configs", "volumes"}
    for service in (first, second):
        (file,) = service["configs"]
        config = tomllib.loads(nodes["configs"][file["source"]]["content"])
        assert config == {"cluster": {"enabled": True, "url": f"http://{service['hostname']}:8080"}}
        assert file["target"] == service["command"][-1]
        (volume,) = service["volumes"]
        assert volume.endswith(":/var/lib/terzetto")
        assert volume.partition(":")[0] in nodes["volumes"]
        assert seconds(service["stop_grace_period"]) > DRAIN + DEADLINE
        alone = compose["services"]["gateway"]
        for name in ("read_only", "cap_drop", "security_opt", "tmpfs", "ulimits", "init", "logging"):
            assert service[name] == alone[name]
    caddy, alone = nodes["services"]["caddy"], compose["services"]["caddy"]
    assert {name for name in caddy if caddy[name] != alone[name]} == {"depends_on", "volumes"}
    # The same .env serves both files.
    asked = [set(re.findall(r"\$\{(\w+)", (DOCKER / file).read_text())) for file in FILES]
    assert asked[0] == asked[1]


def test_sessions_go_straight_to_postgresql_and_keys_through_pgbouncer(nodes: Json) -> None:
    services = nodes["services"]
    bouncer = ConfigParser(comment_prefixes=";")
    bouncer.read(DOCKER / "pgbouncer.ini")
    settings = bouncer["pgbouncer"]
    assert settings["pool_mode"] == "transaction"
    environment = services["gateway-1"]["environment"]
    assert "@postgres/" in environment["DATABASE_URL"]
    assert f"@pgbouncer:{settings['listen_port']}/" in environment["TERZETTO_KEYS_DSN"]
    assert bouncer["databases"]["terzetto"].split()[0] == "host=postgres"
    assert services["pgbouncer"]["networks"] == ["inside"]
    (most,) = (int(each.partition("=")[2]) for each in services["postgres"]["command"] if "=" in each)
    assert int(settings["default_pool_size"]) + 2 * 15 < most
    assert services["pgbouncer"]["ulimits"]["nofile"] > int(settings["max_client_conn"])


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="PgBouncer is not installed")
def test_pgbouncer_takes_its_configuration_and_lets_in_who_knows_the_password(open_folder: Path) -> None:
    port = _free_port()
    config = (DOCKER / "pgbouncer.ini").read_text()
    config = config.replace("6432", str(port)).replace("0.0.0.0", "127.0.0.1")
    config = config.replace("host=postgres", "host=127.0.0.1").replace("/tmp/", f"{open_folder}/")
    (open_folder / "pgbouncer.ini").write_text(config + "unix_socket_dir =\nadmin_users = terzetto\n")
    (open_folder / "password").write_text('quo"ted')
    script = (DOCKER / "pgbouncer.sh").read_text().replace("/tmp/", f"{open_folder}/")
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    open_folder.chmod(0o777)
    with (open_folder / "log").open("wb") as log:
        bouncer = subprocess.Popen(
            ["sh", "-c", script, "pgbouncer.sh", str(open_folder / "pgbouncer.ini")],
            env={**os.environ, "PASSWORD_FILE": str(open_folder / "password")},
            stdout=log,
            stderr=log,
            **user,  # type: ignore[call-overload]
        )
    try:
        asked: Json = {"host": "127.0.0.1", "port": port, "user": "terzetto", "dbname": "pgbouncer"}
        until = time.monotonic() + 10
        while True:
            try:
                with psycopg.connect(**asked, password='quo"ted', autocommit=True) as admin:
                    shown = psycopg.ClientCursor(admin).execute("SHOW CONFIG").fetchall()
                    break
            except psycopg.OperationalError:
                assert bouncer.poll() is None, (open_folder / "log").read_text()
                assert time.monotonic() < until, (open_folder / "log").read_text()
                time.sleep(0.1)
        assert dict(row[:2] for row in shown)["pool_mode"] == "transaction"
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(**asked, password="another")
        assert (open_folder / "users.txt").stat().st_mode & 0o077 == 0
    finally:
        bouncer.send_signal(signal.SIGINT)
        bouncer.wait(timeout=10)


# Caddy


@contextmanager
def answering(text: str, ready: list[int]) -> Iterator[int]:
    """A server that answers with `text`, and at /readyz with the status in `ready`; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(ready[0] if self.path == "/readyz" else 200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")
def test_caddy_asks_both_nodes_and_leaves_out_one_that_is_not_ready(tmp_path: Path) -> None:
    port, ready = _free_port(), [200]
    with answering("one", [200]) as one, answering("two", ready) as two:
        text = (DOCKER / "Caddyfile.nodes").read_text()
        text = text.replace("gateway-1:8080", f"127.0.0.1:{one}").replace(
            "gateway-2:8080", f"127.0.0.1:{two}"
        )
        text = text.replace("health_interval 2s", "health_interval 100ms")
        (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
        with (tmp_path / "log").open("wb") as log:
            caddy = subprocess.Popen(
                ["caddy", "run", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"],
                env={**os.environ, "DOMAIN": f"http://127.0.0.1:{port}", "XDG_DATA_HOME": str(tmp_path)},
                stdout=log,
                stderr=log,
            )
        try:

            def answers() -> set[str]:
                """Of ten requests one after the other."""
                try:
                    found = [urlopen(f"http://127.0.0.1:{port}/", timeout=5).read() for _ in range(10)]
                except OSError:
                    assert caddy.poll() is None, (tmp_path / "log").read_text()
                    return set()
                return {each.decode() for each in found}

            def wait_for(expected: set[str]) -> None:
                until = time.monotonic() + 20
                while answers() != expected:
                    assert time.monotonic() < until, (tmp_path / "log").read_text()
                    time.sleep(0.1)

            wait_for({"one", "two"})
            ready[0] = 503
            wait_for({"one"})
            ready[0] = 200
            wait_for({"one", "two"})
        finally:
            caddy.terminate()
            caddy.wait(timeout=10)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# The chart


@pytest.fixture
def values() -> Json:
    return dict(read(CHART / "values.yaml"))


def schema() -> Json:
    return dict(json.loads((CHART / "values.schema.json").read_text()))


def test_the_chart_is_of_this_version() -> None:
    chart = read(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (version(), version())


def test_the_charts_values_ask_for_a_database_and_are_else_complete(values: Json) -> None:
    (refused,) = jsonschema.Draft7Validator(schema()).iter_errors(values)
    assert list(refused.path) == ["database"]
    values["database"]["url"] = "postgresql://db/terzetto"
    jsonschema.validate(values, schema())
    jsonschema.validate(values | {"replicas": 2, "config": "# [cluster]\n[api]\n"}, schema())
    for wrong in ({"replicas": 0}, {"nodes": 2}, {"config": "[api]\n\n[cluster]\nenabled = true"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values | wrong, schema())
    assert values["terminationGracePeriodSeconds"] > values["cluster"]["drain"] + DEADLINE


def test_every_value_is_used_and_declared_and_none_other(values: Json) -> None:
    text = "\n".join(file.read_text() for file in (CHART / "templates").iterdir())
    used = set(re.findall(r"\.Values\.([\w.]+)", text))

    def names(part: Json, declared: Json, above: str = "") -> Iterator[str]:
        assert set(part) <= set(declared["properties"])
        for name, value in part.items():
            inner = declared["properties"][name]
            if isinstance(value, dict) and "properties" in inner:
                yield from names(value, inner, f"{above}{name}.")
            else:
                yield above + name

    assert used == set(names(values, schema()))


def rendered(values: Json) -> dict[str, Json]:
    """What Helm makes of the chart, by kind."""
    helm = import_module("helm_python.chart")  # not of the lock file
    assert helm.lint(str(CHART), values, strict=True)["errors"] == []
    with helm.Chart.load(CHART) as chart:
        made = chart.render(values, name="wa", namespace="chat")
    found = [
        document
        for name, text in made.items()
        if not name.endswith(".txt")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return {document["kind"]: document for document in found}


@pytest.mark.skipif(find_spec("helm_python") is None, reason="Helm is not installed")
def test_helm_makes_one_confined_pod_of_it() -> None:
    toml = (ROOT / "supervisor.toml").read_text()
    given = {
        "database": {"existingSecret": "db", "key": "uri"},
        "config": toml,
        "ingress": {"enabled": True, "host": "wa.example.com", "tlsSecret": "tls"},
        "serviceMonitor": {"enabled": True},
    }
    kinds = rendered(given)
    assert set(kinds) == {
        *("StatefulSet", "Service", "Secret", "ConfigMap", "Ingress"),
        *("PodDisruptionBudget", "ServiceMonitor"),
    }
    assert kinds["ConfigMap"]["data"]["supervisor.toml"] == toml
    assert kinds["StatefulSet"]["spec"]["replicas"] == 1
    pod = kinds["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["terminationGracePeriodSeconds"] > DEADLINE
    database = next(each for each in container["env"] if each["name"] == "DATABASE_URL")
    assert database["valueFrom"]["secretKeyRef"] == {"name": "db", "key": "uri"}


@pytest.mark.skipif(find_spec("helm_python") is None, reason="Helm is not installed")
@pytest.mark.parametrize(("address", "written"), [("10.1.2.3", "10.1.2.3"), ("fd00::7", "[fd00::7]")])
def test_helm_makes_nodes_of_several_that_know_their_own_address(
    address: str, written: str, tmp_path: Path
) -> None:
    toml = '[api]\nread_timeout = 5 # "[cluster]" comes below'
    keys = {"existingSecret": "keys", "key": "url"}
    kinds = rendered(
        {"replicas": 3, "database": {"url": "postgresql://db"}, "config": toml, "cluster": {"keys": keys}}
    )
    spec = kinds["StatefulSet"]["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (3, "Parallel")
    assert kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    pod = spec["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > DRAIN + DEADLINE
    (container,) = pod["containers"]
    environment = {each["name"]: each for each in container["env"]}
    assert environment["ADDRESS"]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"
    found = environment["TERZETTO_KEYS_DSN"]["valueFrom"]["secretKeyRef"]
    assert found == {"name": "keys", "key": "url"}
    # The pod's command, with other directories, and a program that shows its configuration.
    (tmp_path / "supervisor.toml").write_text(kinds["ConfigMap"]["data"]["supervisor.toml"])
    shell, options, script = container["command"]
    script = script.replace("/etc/terzetto", str(tmp_path)).replace("/tmp/s", f"{tmp_path}/started-s")
    before, _, after = script.partition("exec terzetto up ")
    assert after == f"--listen 0.0.0.0:8080 --config {tmp_path}/started-supervisor.toml\n"
    subprocess.run([shell, options, before], env={"ADDRESS": address, "PATH": "/usr/bin:/bin"}, check=True)
    assert tomllib.loads((tmp_path / "started-supervisor.toml").read_text()) == {
        "api": {"read_timeout": 5},
        "cluster": {"enabled": True, "url": f"http://{written}:8080", "lease": 15, "drain": 30},
    }


@pytest.mark.skipif(find_spec("helm_python") is None, reason="Helm is not installed")
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"terminationGracePeriodSeconds": 44}, "at least 15 more than cluster.drain"),
        ({"persistence": {"existingClaim": "one"}}, "each of several has a claim of its own"),
    ],
)
def test_helm_refuses_what_several_cannot_have(wrong: Json, why: str) -> None:
    with pytest.raises(Exception, match=why):
        rendered({"replicas": 2, "database": {"url": "postgresql://db"}} | wrong)


# systemd


def settings() -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))


def test_the_unit_gives_an_orderly_stop_its_time_and_confines_the_service() -> None:
    unit = settings()
    assert float(unit["TimeoutStopSec"]) > DRAIN + DEADLINE
    assert unit["KillMode"] == "mixed"
    assert (unit["ProtectSystem"], unit["NoNewPrivileges"], unit["PrivateTmp"]) == ("strict", "yes", "yes")
    assert unit["ExecStart"].split()[:2] == ["/opt/terzetto/terzetto", "up"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit_and_finds_it_safe(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # The program is not installed here: the unit is judged with one that is.
    unit.write_text(UNIT.read_text().replace("/opt/terzetto/terzetto", "/bin/true"))
    judged = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stderr) == (0, "")
    subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit],
        check=True,
        stdout=subprocess.DEVNULL,
    )


# The image's steps, as a script


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty directory that every user gets to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(
    os.environ.get("TERZETTO_TEST_IMAGE") != "1" or os.geteuid() != 0,
    reason="minutes long, and root's: TERZETTO_TEST_IMAGE=1",
)
def test_what_the_image_is_made_of_runs_as_nobody_and_writes_to_its_data_alone(open_folder: Path) -> None:
    nobody = 65534
    python = next((each for each in (sys.executable, "/usr/bin/python3") if _runs_as(each, nobody)), None)
    if python is None:
        pytest.skip("nobody may run no Python that is new enough")
    work, data = open_folder / "opt", open_folder / "terzetto"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if included(Path(name)):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, work / name)
    first = next(at for at, (name, _) in enumerate(instructions()) if name == "RUN")
    steps = [rest for name, rest in instructions()[first : first + 3] if name == "RUN"]
    programs = open_folder / "bin"
    programs.mkdir()
    (programs / "python3").write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    (programs / "python3").chmod(0o755)
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    for step in steps:
        script = step.replace("/tmp/wanted", str(open_folder / "wanted"))
        subprocess.run(["sh", "-ec", script], cwd=work, env=os.environ | path, check=True)

    data.mkdir(mode=0o700)
    os.chown(data, nobody, nobody)
    environment = {"PATH": path["PATH"], "XDG_DATA_HOME": str(open_folder), "PYTHONDONTWRITEBYTECODE": "1"}
    log = open_folder / "log"
    with log.open("wb") as output:
        gateway = subprocess.Popen(
            [work / "terzetto", "up", "--listen", "127.0.0.1:0"],
            cwd="/",
            env=environment,
            user=nobody,
            group=nobody,
            extra_groups=[],
            stdout=output,
            stderr=output,
        )
    try:
        described = data / "gateway.json"
        until = time.monotonic() + 60
        while not described.exists():
            assert gateway.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        port = json.loads(described.read_text())["url"].rpartition(":")[2]
        check = json.loads(re.findall(r"CMD (\[.*\])", instruction("HEALTHCHECK"))[0])
        command = [each.replace(":8080/", f":{port}/") for each in check[1:]]
        subprocess.run([work / ".venv" / "bin" / "python", *command], check=True, timeout=10)
        doctor = [str(work / "terzetto"), "doctor", "--offline", "--json"]
        told = subprocess.run(
            doctor, cwd="/", env=environment, user=nobody, group=nobody, capture_output=True, check=True
        )
        packages = next(each for each in json.loads(told.stdout)["findings"] if each["check"] == "packages")
        assert packages["level"] == "ok"
    finally:
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(timeout=DEADLINE + 1) == 0
    assert not list((work / ".venv").glob("lib/*/site-packages/pytest"))


def _runs_as(python: str, user: int) -> bool:
    """Whether this user may run this Python, and it is new enough."""
    command = [python, "-c", "import sys, venv, pip; sys.exit(sys.version_info < (3, 11))"]
    try:
        return subprocess.run(command, user=user, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False
