"""A session's keeper: its steps come one after the other, and a client may have to wait for its turn."""

import math
from pathlib import Path

import trio
import trio.testing

from actors.session.keeper import AttachClient, AttachFailed, DetachClient, Keeper
from actors.session.settings import SessionConfig
from actors.session.stats import AllSessionStats
from tests.actors.whatsapp.stand import stand


def attach(at: float) -> AttachClient:
    """A start of a client whose device is not there: the pool refuses it, without any process."""
    jid = "6281200000001:1@s.whatsapp.net"
    return AttachClient(
        at=at, jid=jid, after=0, seen=0, device_name="Terzetto", full_history=False, proxy=None
    )


async def test_a_client_that_waits_for_its_turn_is_given_up_at_once(tmp_path: Path) -> None:
    async with stand(tmp_path) as s, trio.open_nursery() as nursery:
        session = await s.session("a")
        session.acknowledging = False
        keeper = Keeper("a", session.ref, s.pool, SessionConfig(data=tmp_path), AllSessionStats().of("a"))
        nursery.start_soon(keeper.run)
        keeper.do(attach(at=math.inf))
        await trio.testing.wait_all_tasks_blocked()
        assert keeper.attached == 0
        keeper.do(DetachClient())
        keeper.do(attach(at=trio.current_time()))
        (answer,) = await session.until(lambda: session.notices)
        assert isinstance(answer, AttachFailed)
        assert answer.device_missing
        assert keeper.attached == 1
        nursery.cancel_scope.cancel()
