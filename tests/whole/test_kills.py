"""Whatever is killed, whenever: every request with a key has one outcome, and no message is sent twice.

    KILLS=100 KILLS_SEED=7 pytest -s tests/whole/test_kills.py

makes it longer, and the same again.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
from attrs import define, field

from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Json, Network, Session, gateway, kill_something, until

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("KILLS_SEED") or random.randrange(2**32))
CUSTOMER = "628190000000"
PATIENCE = 90.0  # seconds for everything to have an outcome once nothing is killed any more

# 409: the first try is still under way. 0: nobody answered.
AGAIN = frozenset({0, 409, 429, 503})


@pytest.fixture
async def gw(tmp_path: Path, wa: Network) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path / "gateway", wa, QUICK) as running:
        yield running


@define(eq=False)
class Story:
    """What was asked for, and what was answered."""

    gw: Gateway
    chance: random.Random
    asked: dict[str, tuple[Session, bool]] = field(factory=dict)
    """By key, which is the message's text too: by whom, and whether to be sent later."""
    answers: dict[str, tuple[int, Json]] = field(factory=dict)
    """By key, the first answer that says what became of it."""
    last: dict[str, tuple[int, Json]] = field(factory=dict)
    """By key, the last answer."""
    counted: Counter[str] = field(factory=Counter)

    async def ask(self, key: str) -> tuple[int, Json]:
        """The answer to a request with this key; status 0: there was none."""
        session, later = self.asked[key]
        headers = {**session.headers, "idempotency-key": key}
        if later:
            headers["prefer"] = "respond-async"
        body = {"phone": CUSTOMER, "message": key}
        try:
            answer = await self.gw.http.post("/api/messages/text", json=body, headers=headers, timeout=20)
        except httpx.HTTPError:
            return 0, {}
        self.counted[f"{answer.status_code}"] += 1
        return answer.status_code, dict(answer.json())

    async def until_answered(self, key: str) -> None:
        """Ask until there is an outcome, as a client does that wants its message sent once."""
        while True:
            status, body = self.last[key] = await self.ask(key)
            # A session that is on its way back after a restart may be seen before it is connecting. And a 504
            # that names no message says nothing of one.
            undecided = body.get("code") == "session_disconnected" or (
                status == 504 and "messageId" not in body
            )
            if status not in AGAIN and not undecided:
                self.answers[key] = status, body
                return
            await trio.sleep(0.05)

    async def send(self, session: Session, stop: trio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            key = f"{session.id} {number}"
            self.asked[key] = session, self.chance.random() < 0.3
            await self.until_answered(key)

    async def kill(self) -> None:
        self.counted[await kill_something(self.gw, self.chance)] += 1


async def test_every_key_has_one_outcome_and_nothing_is_sent_twice(gw: Gateway, wa: Network) -> None:
    await wa.phone(CUSTOMER)
    sessions = [await gw.pair(name, f"62819000000{n}") for n, name in enumerate(("ana", "budi"), 1)]
    story = Story(gw, random.Random(SEED))
    stop = trio.Event()
    with trio.move_on_after(PATIENCE + 15 * KILLS):
        async with trio.open_nursery() as nursery:
            for session in sessions:
                nursery.start_soon(story.send, session, stop)
            for _ in range(KILLS):
                await trio.sleep(story.chance.uniform(0.2, 1.5))
                await story.kill()
            await trio.sleep(1)
            stop.set()
    waiting = {key: story.last[key] for key in story.asked if key not in story.answers}
    assert waiting == {}, f"seed {SEED}, {dict(story.counted)}"
    for session in sessions:
        await gw.until_connected(session, within=60)

    outcomes: dict[str, str] = {}
    for key, (session, _) in story.asked.items():
        first_status, first = story.answers[key]
        status, again = await story.ask(key)
        assert status == first_status, f"{key}: {first_status} {first}, then {status} {again}"
        assert again.get("messageId") == first.get("messageId"), key
        outcomes[key] = await until(partial(outcome, gw, session, again), f"{key} ends", within=60)
    arrived = Counter(await wa.texts(CUSTOMER))
    wrong = {
        key: (ended, arrived[key], story.answers[key])
        for key, ended in outcomes.items()
        if not (arrived[key] == 1 if ended == "sent" else arrived[key] <= (ended == "unknown"))
    }
    ends = dict(Counter(outcomes.values()))
    print(f"seed {SEED}: {len(outcomes)} requests, {dict(story.counted)}, {ends}")  # noqa: T201
    assert wrong == {}, f"seed {SEED}"
    assert Counter(outcomes.values())["sent"] > KILLS


async def outcome(gw: Gateway, session: Session, answer: Json) -> str | None:
    """What became of the message of an answer: `sent`, `failed` or `unknown`; None while it waits."""
    if "messageId" not in answer:  # WhatsApp refused it
        return "failed"
    message = await gw.call("GET", f"/api/messages/{answer['messageId']}", session=session)
    match message["status"]:
        case "sent" | "delivered" | "read" | "played":
            return "sent"
        case "failed" | "unknown" as ended:
            return str(ended)
        case _:
            return None
