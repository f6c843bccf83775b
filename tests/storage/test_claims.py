"""Claims of Idempotency-Keys: answered once, and given back only while nothing was done under them."""

import pytest

from storage import Insert, MessageStatus, Reads, StoreMessage
from storage.rows import Claim
from storage.writes import GiveBack, StoreAnswer
from tests.storage.conftest import gateway
from tests.storage.gateway import Gateway
from tests.storage.test_writer import outgoing

__all__ = ["gateway"]

CLAIM = Claim(id="claim_1", owner="s1", key="order-7", request=b"digest")
FIRST, SECOND = {"status": 202}, {"status": 200}


async def answer_in(reads: Reads) -> object:
    claim = await reads.claim("s1", "order-7")
    assert claim is not None
    return claim.answer


async def test_the_first_answer_stays(gateway: Gateway) -> None:
    await gateway.writer.call(Insert(CLAIM))
    assert (await gateway.writer.call(StoreAnswer("claim_1", FIRST))).applied
    assert not (await gateway.writer.call(StoreAnswer("claim_1", SECOND))).applied
    assert not (await gateway.writer.call(StoreAnswer("claim_2", SECOND))).applied
    assert await answer_in(gateway.reads) == FIRST


@pytest.mark.parametrize("status", [None, *MessageStatus])
async def test_a_claim_is_given_back_unless_a_message_was_stored_under_it(
    gateway: Gateway, status: MessageStatus | None
) -> None:
    await gateway.session()
    await gateway.writer.call(Insert(CLAIM))
    if status is not None:
        # On its way to be stored when nothing was found under the claim.
        await gateway.writer.cast(StoreMessage(message=outgoing(claim_id="claim_1", status=status)))
    given = await gateway.writer.call(GiveBack("claim_1"))
    assert given.applied == (status in {None, MessageStatus.FAILED})
    assert (await gateway.reads.claim("s1", "order-7") is None) == given.applied
