"""Idempotency-Key: one effect and one answer for a key, whatever happens in between."""

from collections.abc import Callable

import psycopg
import pytest
import trio

from actors import errors
from actors.outgoing import Text
from actors.session.messages import Send
from api.idempotency import LIFETIME, REPLAYED
from storage.rows import Claim, Message, MessageStatus, now
from storage.writes import Insert, StoreMessage
from tests.api.stage import Stage

TEXT = {"phone": "628110000002", "message": "halo"}
PATH = "/api/messages/text"
KEY = {"Idempotency-Key": "order-7"}


async def until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not is_so():
            await trio.sleep(0.01)


def sends(stage: Stage, session: str = "ana") -> int:
    return sum(isinstance(asked, Send) for asked in stage.scripts[session].asked)


async def test_the_same_key_and_body_get_the_first_answer_again(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        first = await client.post(PATH, json=TEXT, headers=KEY)
        again = await client.post(PATH, json=TEXT, headers=KEY)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (200, first.content)
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert again.headers["content-type"] == "application/json"
    assert sends(stage) == 1


async def test_a_message_carries_the_claim_under_which_it_is_sent(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await client.post(PATH, json=TEXT, headers=KEY)
        claim = await stage.services.reads.claim("ana", "order-7")
        assert claim is not None
        sent = Send(to=TEXT["phone"], content=Text(text="halo"), claim_id=claim.id)
        assert stage.scripts["ana"].asked[-1] == sent


@pytest.mark.parametrize(
    ("path", "body"),
    [(PATH, {**TEXT, "message": "other"}), ("/api/sessions/ana/messages/text", TEXT), (f"{PATH}?", TEXT)],
)
async def test_another_request_may_not_have_the_same_key(
    stage: Stage, path: str, body: dict[str, str]
) -> None:
    async with await stage.session("ana") as client:
        assert (await client.post(PATH, json=TEXT, headers=KEY)).status_code == 200
        answer = await client.post(path, json=body, headers=KEY)
    if path == f"{PATH}?":  # an empty query is no other request
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert sends(stage) == 1


async def test_the_keys_of_two_sessions_are_two(stage: Stage) -> None:
    async with await stage.session("ana") as ana, await stage.session("budi") as budi:
        for client in (ana, budi):
            answer = await client.post(PATH, json=TEXT, headers=KEY)
            assert (answer.status_code, REPLAYED in answer.headers) == (200, False)
    assert sends(stage, "ana") == sends(stage, "budi") == 1


async def test_a_key_in_use_is_409_until_its_request_is_answered(stage: Stage) -> None:
    async with await stage.session("ana") as client, trio.open_nursery() as nursery:
        stage.scripts["ana"].gate = gate = trio.Event()
        statuses: list[int] = []

        async def send() -> None:
            statuses.append((await client.post(PATH, json=TEXT, headers=KEY)).status_code)

        nursery.start_soon(send)
        await until(lambda: sends(stage) > 0)
        answer = await client.post(PATH, json=TEXT, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
        assert answer.headers["retry-after"] == "1"
        gate.set()
    assert statuses == [200]


async def test_a_client_that_went_away_finds_its_answer_when_it_comes_back(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].gate = gate = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.post(PATH, json=TEXT, headers=KEY))
            await until(lambda: sends(stage) > 0)
            nursery.cancel_scope.cancel()
        gate.set()
        with trio.fail_after(10):
            while (claim := await stage.services.reads.claim("ana", "order-7")) is None or not claim.answer:
                await trio.sleep(0.01)
        answer = await client.post(PATH, json=TEXT, headers=KEY)
    assert (answer.status_code, answer.headers[REPLAYED]) == (200, "true")
    assert sends(stage) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.RateLimited(session_id="ana", limit=10, retry_after=6.0), 429),
        (errors.SessionRestarting(session_id="ana", retry_after=1.0), 503),
        (errors.RecipientNotOnWhatsApp(recipient="628110000002"), 404),
    ],
)
async def test_what_had_no_effect_may_be_tried_again_with_its_key(
    stage: Stage, error: Exception, status: int
) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = error
        assert (await client.post(PATH, json=TEXT, headers=KEY)).status_code == status
        del stage.scripts["ana"].answers[Send]
        answer = await client.post(PATH, json=TEXT, headers=KEY)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("became", "status", "times"),
    [(MessageStatus.FAILED, 200, 2), (MessageStatus.QUEUED, 202, 1), (MessageStatus.SENDING, 409, 1)],
)
async def test_who_is_asked_to_try_again_is_not_asked_for_ever(
    stage: Stage, became: MessageStatus, status: int, times: int
) -> None:
    """The session went away after it had stored the message: what became of that decides."""
    async with await stage.session("ana") as client:
        script = stage.scripts["ana"]
        script.answers[Send] = errors.SessionRestarting(session_id="ana", retry_after=1.0)
        script.gate = gate = trio.Event()
        async with trio.open_nursery() as nursery:

            async def first() -> None:
                assert (await client.post(PATH, json=TEXT, headers=KEY)).status_code == 503

            nursery.start_soon(first)
            await until(lambda: sends(stage) > 0)
            claim = await stage.services.reads.claim("ana", "order-7")
            assert claim is not None
            await stored(stage, became, None, claim.id)
            gate.set()
        del script.answers[Send]
        answer = await client.post(PATH, json=TEXT, headers=KEY)
    assert answer.status_code == status
    assert sends(stage) == times


async def test_an_unknown_outcome_stays_the_answer(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = errors.OutcomeUnknown(session_id="ana", message_id="msg_1")
        first = await client.post(PATH, json=TEXT, headers=KEY)
        again = await client.post(PATH, json=TEXT, headers=KEY)
    assert (first.status_code, again.status_code) == (504, 504)
    assert again.json() == first.json()
    assert again.headers["content-type"] == "application/problem+json"
    assert sends(stage) == 1


async def cut_off(stage: Stage, request: bytes) -> None:
    """A claim as a gateway leaves it that dies before it has an answer."""
    await stage.services.writer.call(Insert(Claim(id="claim_1", owner="ana", key="order-7", request=request)))


async def digest_of(stage: Stage) -> bytes:
    async with stage.client_with(None) as client:
        client.headers["x-api-key"] = await stage.key(session_id="ana", scopes=("send",))
        await client.post(PATH, json=TEXT, headers={"Idempotency-Key": "a rehearsal"})
    claim = await stage.services.reads.claim("ana", "a rehearsal")
    assert claim is not None
    stage.scripts["ana"].asked.clear()
    return claim.request


async def stored(stage: Stage, status: MessageStatus, wa_id: str | None, claim_id: str = "claim_1") -> None:
    message = Message(
        session_id="ana",
        id="msg_1",
        wa_id=wa_id,
        chat="628110000002@s.whatsapp.net",
        sender="628110000001@s.whatsapp.net",
        from_me=True,
        type="text",
        status=status,
        error="interrupted" if status is MessageStatus.UNKNOWN else None,
        claim_id=claim_id,
    )
    await stage.services.writer.call(StoreMessage(message=message))


@pytest.mark.parametrize(
    ("message", "wa_id", "status", "code"),
    [
        (MessageStatus.SENT, "3EB0", 200, None),
        (MessageStatus.READ, "3EB0", 200, None),
        (MessageStatus.QUEUED, None, 202, None),
        (MessageStatus.UNKNOWN, None, 504, "upstream_timeout"),
        (MessageStatus.FAILED, None, 502, "whatsapp_error"),
        (MessageStatus.SENDING, None, 409, "idempotency_in_progress"),
    ],
)
async def test_after_a_crash_the_answer_is_what_became_of_the_message(
    stage: Stage, message: MessageStatus, wa_id: str | None, status: int, code: str | None
) -> None:
    async with await stage.session("ana") as client:
        await cut_off(stage, await digest_of(stage))
        await stored(stage, message, wa_id)
        answer = await client.post(PATH, json=TEXT, headers=KEY)
        again = await client.post(PATH, json=TEXT, headers=KEY)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if status != 409:
        assert again.content == answer.content
    if status in {200, 202, 504}:
        assert answer.json()["messageId"] == (wa_id or "msg_1")
    assert sends(stage) == 0


async def test_after_a_crash_before_anything_was_stored_the_request_is_carried_out(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await cut_off(stage, await digest_of(stage))
        answer = await client.post(PATH, json=TEXT, headers=KEY)
    assert answer.status_code == 200
    assert sends(stage) == 1


async def test_a_key_that_is_being_given_back_is_not_taken_over(stage: Stage, database: str) -> None:
    async with await stage.session("ana") as client:
        script = stage.scripts["ana"]
        script.gate = gate = trio.Event()
        script.answers[Send] = errors.SessionRestarting(session_id="ana", retry_after=1)
        answers: list[int] = []

        async def post() -> None:
            answers.append((await client.post(PATH, json=TEXT, headers=KEY)).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post)
            await until(lambda: sends(stage) == 1)
            with psycopg.connect(database) as other:
                other.execute("LOCK TABLE claims IN EXCLUSIVE MODE")  # reading goes on
                gate.set()
                await until(lambda: answers == [503])  # and nobody waits for the database's word
                del script.answers[Send]
                nursery.start_soon(post)
                await trio.sleep(0.2)
                assert sends(stage) == 1
        assert answers == [503, 409]
        first = await client.post(PATH, json=TEXT, headers=KEY)
        again = await client.post(PATH, json=TEXT, headers=KEY)
    assert (first.status_code, again.content) == (200, first.content)
    assert sends(stage) == 2


async def test_a_key_may_be_used_anew_after_a_day(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        old = now() - LIFETIME * 1.01
        claim = Claim(id="claim_1", owner="ana", key="order-7", request=b"\0" * 32, created_at=old)
        await stage.services.writer.call(Insert(claim))
        answer = await client.post(PATH, json=TEXT, headers=KEY)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_printable_characters(stage: Stage, key: str) -> None:
    async with await stage.session("ana") as client:
        answer = await client.post(PATH, json=TEXT, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "Idempotency-Key"


async def test_what_does_not_fit_claims_nothing(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        assert (await client.post(PATH, json={}, headers=KEY)).status_code == 400
        assert await stage.services.reads.claim("ana", "order-7") is None
