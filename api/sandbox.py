"""The gateway with a WhatsApp-compatible network on loopback, and two sessions that are paired on it already.

data/loopback/      the network's own files; it is a process of its own, as WhatsApp is
data/sandbox.json   {url, adminKey, user: {name, password}, sessions: [{id, phone, apiKey}]}, for its owner
"""

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from attrs import frozen

from actors.directory import NewSession
from actors.errors import NoQr, SessionExists
from actors.session.messages import GetQr, GetStatus, SessionStatus
from actors.session.state import SessionState
from api.config import Config, WhatsApp
from api.faults import RehearsedSession
from api.gateway import Gateway, open_gateway
from api.running import leave
from api.services import LoopbackControl
from runtime import Ref
from storage.rows import Desired

log = logging.getLogger("sandbox")

FILE = "sandbox.json"
START_TIMEOUT = 30.0  # seconds for the network to come up
PAIR_TIMEOUT = 60.0  # seconds for a demo session to be connected


@frozen
class DemoSession:
    id: str
    phone: str
    name: str


DEMO = (DemoSession("ana", "628110000001", "Ana"), DemoSession("budi", "628110000002", "Budi"))


async def run(config: Config, data: Path, asked: trio.Event) -> None:
    """Serve until told to stop."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)  # devices' keys lie in it
    async with (
        loopback_network(data / "loopback") as network,
        open_gateway(
            _on(network, config),
            data,
            data / FILE,
            loopback=network.control,
            session=RehearsedSession,
        ) as gateway,
    ):
        sessions = [await _demo_session(gateway, network.control, demo, data / FILE) for demo in DEMO]
        leave(data / FILE, gateway.running, sessions=sessions)
        print(f"terzetto sandbox: {gateway.running.url}  (keys in {data / FILE})", flush=True)  # noqa: T201
        if (user := gateway.running.user) is not None:
            print(f"terzetto sandbox: sign in there as {user.name} with {user.password}", flush=True)  # noqa: T201
        await asked.wait()


def _on(network: "Network", config: Config) -> Config:
    """The configuration on this network, where all that a new device is sent is there at once.

    Whoever tries things out has the webhooks' endpoints on this machine too.
    """
    webhooks = config.webhooks
    return attrs.evolve(
        config,
        whatsapp=network.whatsapp,
        session=attrs.evolve(config.session, settling=0.5),
        webhooks=attrs.evolve(webhooks, allow_networks=(*webhooks.allow_networks, "127.0.0.0/8", "::1/128")),
    )


@frozen
class Network:
    """A running loopback network: how clients reach it, and how it is steered."""

    whatsapp: WhatsApp
    control: LoopbackControl


@asynccontextmanager
async def loopback_network(data: Path) -> AsyncIterator[Network]:
    """Run the network as a child process on `data`; it ends with this block, and with this process."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    described = data / "network.json"
    described.unlink(missing_ok=True)
    # In a process group of its own: Ctrl-C is for us, and the network outlives the sessions that leave it.
    process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec
        [sys.executable, "-m", "loopback", "--data", str(data), "--parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        with trio.fail_after(START_TIMEOUT):
            while not described.exists():
                if process.poll() is not None:
                    raise OSError(f"the loopback network ended with code {process.returncode}")
                await trio.sleep(0.02)
        found = json.loads(described.read_text())
        yield Network(
            WhatsApp(proxy=found["proxy"], ca_file=found["caFile"], root_key=found["rootKey"]),
            LoopbackControl(found["control"], found["token"]),
        )
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let the network end: it does when its standard input closes."""
    assert process.stdin is not None
    process.stdin.close()
    with trio.move_on_after(3.0):
        while process.poll() is None:
            await trio.sleep(0.01)
        return
    process.kill()
    process.wait()


async def _demo_session(
    gateway: Gateway, control: LoopbackControl, demo: DemoSession, file: Path
) -> dict[str, Any]:
    """A demo session: made and paired at the first start, coming back by itself at later ones."""
    key: str | None
    try:
        _, key = await gateway.sessions.create(NewSession(id=demo.id, name=demo.name))
    except SessionExists:
        key = _kept_key(file, demo.id)
    with trio.move_on_after(PAIR_TIMEOUT) as patience:
        await _pair(gateway.sessions.ref(demo.id), control, demo)
    if patience.cancelled_caught:
        log.warning("demo_session_not_connected session=%s", demo.id)
    return {"id": demo.id, "phone": demo.phone, "apiKey": key}


async def _pair(session: Ref, control: LoopbackControl, demo: DemoSession) -> None:
    """Let a phone scan what the session shows, until it is connected or somebody stopped it."""
    headers = {"authorization": f"Bearer {control.token}"}
    async with httpx.AsyncClient(base_url=control.url, headers=headers, trust_env=False) as network:
        answer = await network.post("/phones", json={"phone": demo.phone, "name": demo.name})
        if answer.status_code != httpx.codes.CONFLICT:  # there from an earlier start
            answer.raise_for_status()
        scanned = None
        while True:
            status: SessionStatus = await session.call(GetStatus())
            if status.actual == SessionState.CONNECTED or status.desired == Desired.STOPPED:
                return
            try:
                code = (await session.call(GetQr())).code
            except NoQr:
                code = scanned
            if code != scanned:
                scanned = code
                (await network.post(f"/phones/{demo.phone}/scan", json={"qr": code})).raise_for_status()
            await trio.sleep(0.02)


def _kept_key(file: Path, session_id: str) -> str | None:
    """The session's API key as an earlier start wrote it; only its hash is stored elsewhere."""
    try:
        kept = json.loads(file.read_text())["sessions"]
        return next((each["apiKey"] for each in kept if each["id"] == session_id), None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


__all__ = ["DEMO", "FILE", "Network", "loopback_network", "run"]
