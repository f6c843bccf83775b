"""A session that comes back gets all that waited for it and sends meanwhile: its keys see both at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.nodes.database import ROLE, database
from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Network, Session, gateway, network, until

SESSIONS, ROUNDS = 4, 3
WAITING, SENT = 40, 15  # messages


@pytest.fixture
async def wa(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path / "network") as running:
        yield running


@pytest.fixture
async def gw(tmp_path: Path, wa: Network) -> AsyncIterator[Gateway]:
    async with database(tmp_path / "database") as port:
        keys = f"postgresql://{ROLE}@127.0.0.1:{port}/postgres?sslmode=disable"
        wa.environment["TERZETTO_KEYS_DSN"] = keys
        async with gateway(tmp_path / "gateway", wa, QUICK) as running:
            yield running


async def test_what_is_sent_while_what_waited_comes_in_arrives(gw: Gateway, wa: Network) -> None:
    missing: list[str] = []

    async def catch_up(session: Session, partner: str, turn: int) -> None:
        await gw.call("POST", "/api/session/stop", session=session)
        for number in range(WAITING):
            await wa.write(partner, session.phone, f"waiting {number}")
        await gw.call("POST", "/api/session/start", session=session)
        texts = [f"{turn} {number}" for number in range(SENT)]
        for text in texts:
            await until(lambda: _sent(gw, session, partner, text), f"{session.id} sends")  # noqa: B023
        try:
            await until(lambda: _arrived(wa, partner, texts), "all arrives", within=5)
        except AssertionError:
            there = set(await wa.texts(partner))
            missing.extend(f"{session.id}: {text}" for text in texts if text not in there)

    sessions = []
    for number in range(SESSIONS):
        sessions.append((await gw.pair(f"s{number}", f"62815000001{number}"), f"62815000002{number}"))
        await wa.phone(sessions[-1][1])
    for turn in range(ROUNDS):
        async with trio.open_nursery() as nursery:
            for session, partner in sessions:
                nursery.start_soon(catch_up, session, partner, turn)
    assert missing == []


async def _sent(gw: Gateway, session: Session, to: str, text: str) -> bool:
    body = {"phone": to, "message": text}
    answer = await gw.http.post("/api/messages/text", json=body, headers=session.headers)
    return answer.status_code == 200


async def _arrived(wa: Network, number: str, texts: list[str]) -> bool:
    return set(texts) <= set(await wa.texts(number))
