"""How soon all sessions of a node are back after a kill -9 of the gateway, beside the bare client library.

    python -m bench.restart [--sessions N] [--rounds N]

The sessions are paired once. Then, in turn: the gateway is killed and started again on its data; it is
killed, and bare processes resume the very same devices, as many in each as a cell hosts. The network tells
what was tried and when each was let in. It starts all it needs on 127.0.0.1 and leaves nothing behind. To
pair 500 sessions takes about five minutes.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import trio
from attrs import define, field

from bench.ground import SETTLED, Ground, ground
from bench.returns import Return, attempt_lines, histogram, memory_lines, processor_lines, time_lines
from bench.sends import PER_PROCESS
from bench.usage import cpu_seconds, pss_mb, rss_mb
from tests.whole.processes import Gateway, Json, Session, descendants

MOST = 3600.0  # seconds for everything
PATIENCE = 300.0  # seconds for all to be back
LOOK = 0.5  # seconds between looks: network and gateway have sessions to answer
IDLE = 10.0  # seconds over which those that are back are watched

Parts = Mapping[str, set[int]]
"""Processes by what they are for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.restart", description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=500, help="how many come back (500)")
    parser.add_argument("--rounds", type=int, default=2, help="kills of the gateway (2)")
    asked = parser.parse_args()
    trio.run(_run, asked.sessions, asked.rounds)


async def _run(sessions: int, rounds: int) -> None:
    with trio.fail_after(MOST), tempfile.TemporaryDirectory(prefix="terzetto-bench-") as folder:
        async with ground(Path(folder)) as prepared, prepared.gateway() as running:
            begun = trio.current_time()
            paired = await prepared.pair(running, range(sessions))
            took = trio.current_time() - begun
            print(f"{sessions} sessions paired in {took:.0f} s, one in {took / sessions:.2f} s.", flush=True)
            show(await Kills(prepared, running, paired).alternate(rounds))


def show(returns: Sequence[Return]) -> None:
    """Print all figures, and the histogram of each side's last return."""
    last = {each.side: each for each in returns}
    for lines in (time_lines, attempt_lines, processor_lines, memory_lines):
        print("", *lines(returns), sep="\n")
    took = {side: median(max(each.back) for each in returns if each.side == side) for side in last}
    print(
        f"\nThe last session logged in after {took['gateway']:.1f} s, "
        f"with the bare library after {took['bare']:.1f} s: ratio {took['bare'] / took['gateway']:.2f}."
    )
    for each in last.values():
        print("", *histogram(each), sep="\n", flush=True)


@define(eq=False)
class Kills:
    """A gateway with sessions that are connected, and the ways back when it is killed."""

    ground: Ground
    gateway: Gateway
    sessions: Sequence[Session]
    _network: Parts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._network = {"network": {self.ground.network_pid}}

    async def alternate(self, rounds: int) -> list[Return]:
        """The gateway's return and the bare library's, in turn."""
        await self._all_connected(since=0)
        returns = []
        for _ in range(rounds):
            await trio.sleep(SETTLED)
            returns.append(await self.restart())
            returns.append(await self.resume_bare())
        return returns

    async def restart(self) -> Return:
        """Kill -9 the gateway, and start it again on its data."""
        before = _cpu(self._network)
        killed = time.time()
        await self.gateway.kill()
        await self.gateway.start()
        ready = time.time() - killed
        logins = await self._all_logged_in(killed)
        connected = await self._all_connected(killed)
        pid = self.gateway.program.process.pid
        below = set(descendants(pid))
        cells = below & set(self.gateway.cells)
        parts = {"gateway": {pid}, "cells": cells, "postgres": below - cells, **self._network}
        cpu = _spent(parts, before)
        return Return(
            side="gateway",
            ready=ready,
            connections=await self._connections(killed),
            logins=logins,
            connected=connected,
            cpu=cpu,
            **await _at_rest(parts),
        )

    async def resume_bare(self) -> Return:
        """Kill -9 the gateway, and resume its devices with nothing but the library. Then it comes back."""
        stores = {
            each.phone: self.gateway.folder / "data" / "devices" / f"{each.id}.db" for each in self.sessions
        }
        phones = list(stores)
        before = _cpu(self._network)
        killed = time.time()
        await self.gateway.kill()
        async with AsyncExitStack() as stack:
            processes = [
                (await stack.enter_async_context(self.ground.bare()), phones[first : first + PER_PROCESS])
                for first in range(0, len(phones), PER_PROCESS)
            ]
            async with trio.open_nursery() as nursery:
                for process, chosen in processes:
                    nursery.start_soon(process.start, {phone: stores[phone] for phone in chosen})
            logins = await self._all_logged_in(killed)
            parts = {"cells": {process.pid for process, _ in processes}, **self._network}
            cpu = _spent(parts, before)
            returned = Return(
                side="bare",
                ready=None,
                connections=await self._connections(killed),
                logins=logins,
                connected=(),
                cpu=cpu,
                **await _at_rest(parts),
            )
        ended = time.time()
        await self.gateway.start()
        await self._all_connected(ended)
        return returned

    async def _all_logged_in(self, since: float) -> dict[str, list[float]]:
        """Wait until the network has let in all; every login, in seconds since then, by phone."""
        waiting = {each.phone for each in self.sessions}
        with trio.fail_after(PATIENCE):
            while True:
                logins = (await self._attempts(since))["logins"]
                if not waiting - {each["phone"] for each in logins if each["accepted"]}:
                    break
                await trio.sleep(LOOK)
        found = defaultdict(list)
        for each in logins:
            found[each["phone"]].append(each["at"] - since)
        return found

    async def _connections(self, since: float) -> list[float]:
        return [at - since for at in (await self._attempts(since))["connections"]]

    async def _attempts(self, since: float) -> Json:
        answer = await self.ground.network.control.get("/attempts", params={"since": since})
        return dict(answer.raise_for_status().json())

    async def _all_connected(self, since: float) -> list[float]:
        """Wait until the gateway has stored that all are connected; when each was, in seconds since then."""
        with trio.fail_after(PATIENCE):
            while True:
                times = [at - since for at in await self._stored_connected() if at >= since]
                if len(times) == len(self.sessions):
                    return times
                await trio.sleep(LOOK)

    async def _stored_connected(self) -> list[float]:
        times: list[float] = []
        cursor: str | None = ""
        while cursor is not None:
            after = f"&cursor={cursor}" if cursor else ""
            page = await self.gateway.call("GET", f"/api/sessions?status=connected&limit=500{after}")
            times += [datetime.fromisoformat(each["statusSince"]).timestamp() for each in page["sessions"]]
            cursor = page["cursor"]
        return times


def _cpu(parts: Parts) -> dict[str, float]:
    return {part: cpu_seconds(pids) for part, pids in parts.items()}


def _spent(parts: Parts, before: Mapping[str, float]) -> dict[str, float]:
    return {part: seconds - before.get(part, 0.0) for part, seconds in _cpu(parts).items()}


async def _at_rest(parts: Parts) -> dict[str, Any]:
    """Processor time in percents of a core, and memory in MB, once all has settled."""
    await trio.sleep(SETTLED)
    before = _cpu(parts)
    await trio.sleep(IDLE)
    return {
        "idle": {part: seconds / IDLE * 100 for part, seconds in _spent(parts, before).items()},
        "pss": {part: pss_mb(pids) for part, pids in parts.items()},
        "rss": {part: rss_mb(pids) for part, pids in parts.items()},
    }


if __name__ == "__main__":
    main()
