"""Those that ask to send with a key, until they are told what became of it, and what must be true of that."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import httpx
import trio
from attrs import define, field

from tests.whole.processes import Gateway, Json, Network, Session, until

# 409: the first try is still under way. 0: nobody answered.
AGAIN = frozenset({0, 409, 429, 503})


@define(eq=False)
class Story:
    """What was asked for, and what was answered."""

    anywhere: Callable[[], Gateway]
    """Whom to ask next."""
    chance: random.Random
    pause: float = 0.0
    """Seconds between a session's requests."""
    patience: float = 20.0
    """Seconds for an answer."""
    asked: dict[str, tuple[Session, str, bool]] = field(factory=dict)
    """By key, which is the message's text too: by whom, to whom, and whether to be sent later."""
    answers: dict[str, tuple[int, Json]] = field(factory=dict)
    """By key, the first answer that says what became of it."""
    last: dict[str, tuple[int, Json]] = field(factory=dict)
    """By key, the last answer."""
    counted: Counter[str] = field(factory=Counter)

    async def ask(self, key: str) -> tuple[int, Json]:
        """The answer to a request with this key; status 0: there was none."""
        session, to, later = self.asked[key]
        headers = {**session.headers, "idempotency-key": key}
        if later:
            headers["prefer"] = "respond-async"
        body = {"phone": to, "message": key}
        try:
            answer = await self.anywhere().http.post(
                "/api/messages/text", json=body, headers=headers, timeout=self.patience
            )
        except httpx.HTTPError:
            return 0, {}
        self.counted[f"{answer.status_code}"] += 1
        return answer.status_code, dict(answer.json())

    async def until_answered(self, key: str) -> None:
        """Ask until there is an outcome, as a client does that wants its message sent once."""
        self.answers[key] = await self.outcome(key)

    async def outcome(self, key: str) -> tuple[int, Json]:
        """The first answer that says what became of it."""
        while True:
            status, body = self.last[key] = await self.ask(key)
            # A session that is on its way back after a restart may be seen before it is connecting. And a 504
            # that names no message says nothing of one.
            undecided = body.get("code") == "session_disconnected" or (
                status == 504 and "messageId" not in body
            )
            if status not in AGAIN and not undecided:
                return status, body
            await trio.sleep(0.05)

    async def send(self, session: Session, to: str, stop: trio.Event) -> None:
        """Ask for one message after the other."""
        number = 0
        while not stop.is_set():
            number += 1
            key = f"{session.id} {number}"
            self.asked[key] = session, to, self.chance.random() < 0.3
            await self.until_answered(key)
            await trio.sleep(self.pause)

    def waiting(self) -> dict[str, tuple[int, Json]]:
        """By key, the last answer to what has no outcome yet."""
        return {key: self.last.get(key, (0, {})) for key in self.asked if key not in self.answers}


@define(eq=False)
class Outcomes:
    """What became of all that was asked for."""

    ends: dict[str, str]
    """By key: sent, failed or unknown."""
    wrong: dict[str, tuple[str, int, tuple[int, Json]]]
    """By key, what did not arrive as often as it should have: its end, how often, and the first answer."""
    changed: dict[str, tuple[tuple[int, Json], tuple[int, Json]]]
    """By key, the first answer and another that it got later."""


async def outcomes(story: Story, wa: Network) -> Outcomes:
    """Ask for everything once more, which is to be answered as at first, and wait until it has ended.

    What was sent arrived once, what failed never, and what is unknown at most once.
    """
    ends: dict[str, str] = {}
    changed: dict[str, tuple[tuple[int, Json], tuple[int, Json]]] = {}

    async def end(keys: list[str]) -> None:
        for key in keys:
            with trio.fail_after(60):
                first, again = story.answers[key], await story.outcome(key)
            if (again[0], again[1].get("messageId")) != (first[0], first[1].get("messageId")):
                changed[key] = first, again
            session, _, _ = story.asked[key]
            ends[key] = await until(partial(_end, story, session, first[1]), f"{key} ends", within=60)

    by_session: dict[str, list[str]] = {}
    for key, (session, _, _) in story.asked.items():
        by_session.setdefault(session.id, []).append(key)
    async with trio.open_nursery() as nursery:
        for keys in by_session.values():
            nursery.start_soon(end, keys)
    arrived = await _arrived(wa, {to for _, to, _ in story.asked.values()})
    wrong = {
        key: (ended, arrived[key], story.answers[key])
        for key, ended in ends.items()
        if not (arrived[key] == 1 if ended == "sent" else arrived[key] <= (ended == "unknown"))
    }
    return Outcomes(ends, wrong, changed)


async def _arrived(wa: Network, numbers: Iterable[str]) -> Counter[str]:
    """How often each text arrived at these phones."""
    found: Counter[str] = Counter()
    for number in numbers:
        found.update(await wa.texts(number))
    return found


async def _end(story: Story, session: Session, answer: Json) -> str | None:
    """What became of the message of an answer: `sent`, `failed` or `unknown`; None while it waits."""
    if "messageId" not in answer:  # WhatsApp refused it
        return "failed"
    message = await story.anywhere().call("GET", f"/api/messages/{answer['messageId']}", session=session)
    match message["status"]:
        case "sent" | "delivered" | "read" | "played":
            return "sent"
        case "failed" | "unknown" as ended:
            return str(ended)
        case _:
            return None
