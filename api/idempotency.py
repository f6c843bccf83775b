"""Idempotency-Key: the same key and request again gets the first answer, over restarts too, for 24 hours.

A key is claimed, and that is committed, before anything is done. What is sent under a claim is stored with
the claim's id, in the same commit as the message itself: so if the gateway dies before it has an answer, the
answer is found in the message. A claim under which no message was stored sent nothing, and is taken over.

What fails without an effect gives its claim back: the same key tries again.

Where there are many nodes, a session's owner answers for its keys. Of failures it may tell only while it is
that: a late word of the owner before would take a claim away under which the present one has sent.
"""

import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import outcome
import trio
from attrs import define, field
from quart import Response, request

from api.errors import CONTENT_TYPE, problem_of
from api.refusals import AnswerLost, FieldError, KeyInProgress, KeyReused, ValidationFailed
from api.trace import trace
from runtime import CallTimeout, Ref
from storage.errors import DatabaseUnavailable, WriteRefused
from storage.fencing import LEASE_MOVED
from storage.ids import new_id
from storage.reads import Reads
from storage.rows import Claim, Json, Message, now
from storage.writes import Delete, GiveBack, Insert, StoreAnswer, Update

log = logging.getLogger("api.idempotency")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LIFETIME = timedelta(hours=24)
LONGEST = 255

_ANSWERED = frozenset({500, 502, 504})
"""Statuses of failures that may have had an effect, or had one: the answer stays."""

_LATER = 503
"""The status that asks for another try. It is no answer to keep: that try would get it again, and so on."""

_PATIENCE = 20.0  # seconds for the database to take an answer

Execute = Callable[[], Awaitable[Response]]
Derive = Callable[[Message], Awaitable[Response]]
"""The answer to a request, from the first message that was stored under its claim."""


@define(eq=False)
class Idempotency:
    """The claims of this gateway."""

    reads: Reads
    writer: Ref
    _running: set[str] = field(factory=set, init=False)

    async def once(
        self, owner: str, key: str, digest: bytes, execute: Execute, derive: Derive | None, *, writer: Ref
    ) -> Response:
        """What `execute` answers, or has answered to this owner's key before.

        It goes on when the client goes away, so that the answer is there when it comes back. Without `derive`
        nothing tells what became of a request that a life before this one left unanswered: AnswerLost. With
        it another node may take over the claim; `writer` takes nothing more from this one then.
        Raises KeyReused, KeyInProgress and what `execute` raises.
        """
        claim, fresh = await self._claim(owner, key, digest, writer)
        if claim.request != digest:
            raise KeyReused
        if claim.answer is not None:
            return _replayed(claim.answer)
        if claim.id in self._running:
            raise KeyInProgress
        self._running.add(claim.id)
        try:
            if not fresh:
                if derive is None:
                    raise AnswerLost
                await _take_over(claim, writer)
                message = await self.reads.message_of_claim(claim.id)
                if message is not None:
                    response = await self._execute(claim, partial(derive, message), writer)
                    response.headers[REPLAYED] = "true"
                    return response
            return await _to_the_end(lambda: self._execute(claim, execute, writer))
        finally:
            self._running.discard(claim.id)

    async def _claim(self, owner: str, key: str, digest: bytes, writer: Ref) -> tuple[Claim, bool]:
        """The claim of this key, made now unless there is one; whether it was."""
        found = await self.reads.claim(owner, key)
        if found is not None and now() - found.created_at > LIFETIME:
            await writer.call(Delete(Claim, found.id))
            found = None
        if found is not None:
            return found, False
        claim = Claim(id=new_id("claim"), owner=owner, key=key, request=digest)
        try:
            await writer.call(Insert(claim))
        except WriteRefused as refused:
            if refused.reason != "duplicate":
                raise
            raise KeyInProgress from None  # another was a moment faster
        except CallTimeout:
            # The claim may be there later, and is taken over then: nothing was done under it.
            raise DatabaseUnavailable("no claim can be stored") from None
        return claim, True

    async def _execute(self, claim: Claim, execute: Execute, writer: Ref) -> Response:
        trace().claim_id = claim.id
        try:
            response = await execute()
        except KeyInProgress:
            raise
        except Exception as error:
            problem = problem_of(error)
            lasts = problem.status in _ANSWERED
            if not lasts and problem.status != _LATER:
                lasts = await self.reads.message_of_claim(claim.id) is not None
            if lasts:
                document = problem.document(instance=request.path, request_id=trace().request_id)
                await _keep(claim, _stored(problem.status, CONTENT_TYPE, document), writer)
            else:
                with suppress(WriteRefused, CallTimeout):  # not ours to give back any more, or done later
                    await writer.call(GiveBack(claim.id))
            raise
        body: bytes = await response.get_data(as_text=False)
        await _keep(claim, _stored(response.status_code, response.content_type or "", body), self.writer)
        return response


async def _take_over(claim: Claim, writer: Ref) -> None:
    """See that a claim of before is there once all that was on its way to the database has come there.

    It may have been given back, or a message stored under it. Raises KeyInProgress where it is gone.
    """
    try:
        written = await writer.call(Update(Claim, claim.id, {"request": claim.request}))
    except CallTimeout:
        raise DatabaseUnavailable("no claim can be taken over") from None
    if not written.applied:
        raise KeyInProgress


async def _keep(claim: Claim, answer: Json, writer: Ref) -> None:
    """Store an answer. Where that fails it is one all the same: who asks again hears what became of it."""
    try:
        await writer.call(StoreAnswer(claim.id, answer), timeout=_PATIENCE)
    except (CallTimeout, WriteRefused) as error:
        if isinstance(error, WriteRefused) and error.reason != LEASE_MOVED:
            raise
        log.warning("answer_not_kept claim=%s error=%s", claim.id, type(error).__name__)


def given_key() -> str | None:
    """The request's Idempotency-Key. Raises ValidationFailed."""
    key: str | None = request.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        expected = f"expected 1 to {LONGEST} printable ASCII characters"
        raise ValidationFailed((FieldError(HEADER, expected),))
    return key


async def digest_of_request() -> bytes:
    """SHA-256 over all that makes two requests the same: method, path, query, type and body."""
    body: bytes = await request.get_data(cache=True, as_text=False, parse_form_data=False)
    if boundary := request.mimetype_params.get("boundary"):
        body = body.replace(boundary.encode(), b"")  # chosen anew each time
    hashed = hashlib.sha256()
    for part in (request.method, request.path, request.query_string, request.mimetype, body):
        raw = part if isinstance(part, bytes) else part.encode()
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.digest()


async def _to_the_end(execute: Execute) -> Response:
    """Run although the client has gone, until the server itself closes."""
    with trio.CancelScope(shield=True) as scope:
        async with trio.open_nursery() as nursery:

            async def give_in() -> None:
                closing: trio.Event = request.scope["state"]["closing"]
                await closing.wait()
                scope.shield = False

            nursery.start_soon(give_in)
            answer = await outcome.acapture(execute)
            nursery.cancel_scope.cancel()
    return answer.unwrap()


def _stored(status: int, content_type: str, body: bytes) -> Json:
    return {"status": status, "contentType": content_type, "body": base64.b64encode(body).decode()}


def _replayed(answer: dict[str, Any]) -> Response:
    body = base64.b64decode(answer["body"])
    headers = {REPLAYED: "true"}
    return Response(body, answer["status"], headers, content_type=answer["contentType"] or None)
