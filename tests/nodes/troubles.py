"""What befalls nodes: drawn from a seed, one thing after the other and some at once, and a record of it."""

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum

import httpx
import trio
from attrs import define, field, frozen

from tests.nodes.node import PATIENCE, Node
from tests.nodes.stage import Stage
from tests.nodes.ways import Part
from tests.whole.processes import until

__all__ = ["Happened", "Kind", "Trouble", "Troubles", "at_random", "one_of_each"]


class Kind(StrEnum):
    KILL = "kill"
    """-9, and started again later."""
    FREEZE = "freeze"
    """All its processes stand still."""
    FREEZE_GATEWAY = "freeze gateway"
    """The gateway stands still, and its clients run."""
    NO_DATABASE = "no database"
    APART = "apart"
    """It and the other nodes do not reach each other."""
    DRAIN = "drain"
    """Asked of another node; started again once its process has ended."""
    ANOTHER = "another"
    """One more node comes, stays, is drained and does not come back."""


@frozen
class Trouble:
    """What is to befall which node."""

    pause: float
    """Seconds from the beginning of the one before."""
    kind: Kind
    node: int
    """Its place in the list of nodes, or no matter which."""
    lasting: float
    """Seconds."""


@frozen
class Happened:
    """What befell a node; Unix times."""

    kind: Kind
    node: str
    host: str
    begin: float
    end: float
    lasting: float


def at_random(chance: random.Random, nodes: int, lease: float) -> Iterator[Trouble]:
    """Any number of troubles: half of them over before a lease is, the others longer."""
    kinds = list(Kind)
    while True:
        kind = chance.choice(kinds)
        short, long = chance.uniform(0.1, 0.8), chance.uniform(1.1, 3.0)
        lasting = lease * (long if kind is Kind.ANOTHER else chance.choice([short, long]))
        yield Trouble(chance.uniform(0.5, 2.0) * lease, kind, chance.randrange(nodes), lasting)


def one_of_each(nodes: int, lease: float) -> Iterator[Trouble]:
    """Each kind once, longer than a lease."""
    for number, kind in enumerate(Kind):
        yield Trouble(0.5 * lease, kind, number % nodes, 1.5 * lease)


@define(eq=False)
class Troubles:
    """Does them to nodes, never two to one at once, and leaves one node alone at any time."""

    stage: Stage
    happened: list[Happened] = field(factory=list)

    async def run(self, troubles: Iterable[Trouble], seconds: float) -> None:
        """One after the other until so many seconds are over; all has passed when this returns."""
        end = trio.current_time() + seconds
        nodes = self.stage.nodes
        free = {node.name: trio.Semaphore(1) for node in nodes}
        another, some = trio.Semaphore(1), trio.Semaphore(len(nodes) - 1)
        async with trio.open_nursery() as nursery:
            for trouble in troubles:
                await trio.sleep(trouble.pause)
                if trio.current_time() > end:
                    return
                node = None if trouble.kind is Kind.ANOTHER else nodes[trouble.node]
                held = [another] if node is None else [free[node.name], some]
                for each in held:
                    await each.acquire()
                nursery.start_soon(self._happen, trouble, node, held)

    async def _happen(self, trouble: Trouble, node: Node | None, held: list[trio.Semaphore]) -> None:
        begin = time.time()
        if node is None:
            name, host = await self._another(trouble.lasting)
        else:
            name, host = node.name, node.way.host
            await self._befall(trouble, node)
            await self.stage.until_well(node)
        self.happened.append(Happened(trouble.kind, name, host, begin, time.time(), trouble.lasting))
        for each in held:
            each.release()

    async def _befall(self, trouble: Trouble, node: Node) -> None:
        match trouble.kind:
            case Kind.KILL:
                await node.kill()
                await trio.sleep(trouble.lasting)
                await node.start()
            case Kind.FREEZE | Kind.FREEZE_GATEWAY:
                frozen = node.freeze(alone=trouble.kind is Kind.FREEZE_GATEWAY)
                await trio.sleep(trouble.lasting)
                node.thaw(frozen)
            case Kind.NO_DATABASE | Kind.APART:
                part = Part.DATABASE if trouble.kind is Kind.NO_DATABASE else Part.NODES
                node.way.cut(part)
                await trio.sleep(trouble.lasting)
                node.way.heal(part)
            case Kind.DRAIN:
                await self._drain(node)
                await trio.sleep(trouble.lasting)
                await node.start()
            case Kind.ANOTHER:
                raise AssertionError

    async def _another(self, lasting: float) -> tuple[str, str]:
        async with self.stage.node(len(self.stage.nodes) + 1) as node:
            await self.stage.until_well(node)
            await trio.sleep(lasting)
            await self._drain(node)
            return node.name, node.way.host

    async def _drain(self, node: Node) -> None:
        """Have it drained by any other node, and wait until its process has ended as it should."""

        async def asked() -> bool:
            if not node.runs:
                return True  # an answer was lost
            node_id = await self.stage.life_of(node)
            if node_id is None:
                return False  # it has lost its lease and will be another soon
            other = self.stage.other_than(node)
            with suppress(httpx.HTTPError), trio.move_on_after(5):
                answer = await other.http.post(f"/api/nodes/{node_id}/drain")
                assert answer.is_success or answer.status_code in {404, 503}, answer.text
                return bool(answer.is_success)
            return False

        await until(asked, f"{node.name} is told to drain", within=90)
        with trio.fail_after(PATIENCE + 20):
            code = await node.ended()
        assert code == 0, f"{node.name} ended with {code}"
